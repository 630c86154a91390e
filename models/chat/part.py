"""What the parts of the chat are built on."""

from dataclasses import dataclass

from models.chat.changes import Changes
from models.chat.conversations import Conversations
from models.chat.members import Members
from models.chat.turns import Turns
from models.events import Publisher
from models.times import Clock


@dataclass(frozen=True, slots=True)
class Ground:
    """Conversations and their members, the order in which they change, and who is told."""

    conversations: Conversations
    members: Members
    changes: Changes
    publisher: Publisher
    turns: Turns
    clock: Clock


class Part:
    """One part of the chat: what people do with conversations, in their turns."""

    def __init__(self, ground: Ground) -> None:
        self._conversations = ground.conversations
        self._members = ground.members
        self._changes = ground.changes
        self._publisher = ground.publisher
        self._turns = ground.turns
        self._clock = ground.clock

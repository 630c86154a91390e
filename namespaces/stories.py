"""`/stories`: its operations as commands, and who receives its events."""

from collections.abc import Iterable
from typing import ClassVar

from models.identity import Identity
from models.rooms import public_stories_room, user_room
from models.stories.api import STORIES
from models.stories.operations import Stories
from namespaces.base import Commands


class StoriesCommands(Commands):
    """The commands of stories."""

    domain: ClassVar[str] = "stories"
    operations = STORIES

    def __init__(self, stories: Stories) -> None:
        self.model = stories

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return the account's own room and that of public stories."""
        return (user_room(identity.account_id), public_stories_room())

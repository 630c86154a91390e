"""How two accounts stand to one another, for other domains that let people ask each other."""

from models.chat.conversations import Conversations
from models.chat.standings import Blocks
from models.database import Database
from models.times import Clock, now


class Relations:
    """Reads whom people have accepted and blocked in chat, and writes nothing."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._conversations = Conversations(database, clock)
        self._blocks = Blocks(database, clock)

    async def may_add_at_once(self, account_id: str, other_id: str) -> bool:
        """Return whether an account may add another to something without asking it first."""
        return await self._conversations.are_contacts(account_id, other_id)

    async def are_apart(self, account_id: str, other_id: str) -> bool:
        """Return whether one of two accounts has blocked the other."""
        return any(await self._blocks.between(account_id, other_id))

"""What the diary keeps of an account."""

from collections.abc import Awaitable, Callable

from models.accounts.schema import Account
from models.exports import Streamed
from models.identity import Identity

Act = Callable[[str], Awaitable[None]]


class DiaryAccountData:
    """Fills the port `models.accounts.lifecycle.AccountData`.

    A diary is private, so it stays with the account when that is handed over; what is shared with
    others does not.
    """

    def __init__(
        self, *, end_sharing: Act, delete: Act, lists: Callable[[Identity], Streamed]
    ) -> None:
        self._end_sharing = end_sharing
        self._delete = delete
        self._lists = lists

    async def hand_over(self, account_id: str) -> None:
        """Share the account's goals with no one, and leave others' goals."""
        await self._end_sharing(account_id)

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Remove the diary."""
        await self._delete(account_id)

    def export(self, account: Account) -> Streamed:
        """Walk through entries, tasks, completions, goals and motivations."""
        return {"diary": self._lists(Identity(account.id, account.email, account.public_id))}

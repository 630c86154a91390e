"""How many documents of one kind an account may have."""

from collections import OrderedDict
from typing import Any

from models.database import TypedCollection
from models.error_codes import ErrorCode
from models.errors import Conflict

UNCOUNTED = 100
"""Creations of an account that a process lets pass before it counts for the first time: people
make fewer between two starts, so that for nearly all of them nothing is ever counted."""

MAX_REMEMBERED = 10_000
"""Accounts: those that made something last. One that is forgotten has `UNCOUNTED` again."""


class Quota:
    """The bound of a collection for each account: against filling it on purpose.

    It is counted again when half of what was left is used, so an account goes beyond it by
    `UNCOUNTED` at most for each process that it is connected to and each start of one.
    """

    def __init__(
        self, collection: TypedCollection[Any], most: int, *, code: ErrorCode, message: str
    ) -> None:
        """`collection` names its owners in `account_id`, which begins an index."""
        self._collection = collection
        self._most = most
        self._code = code
        self._message = message
        self._left: OrderedDict[str, int] = OrderedDict()

    async def use(self, account_id: str) -> None:
        """Note that a document is about to be made.

        Raises:
            Conflict: the account has as many as it may have.
        """
        left = self._left.pop(account_id, UNCOUNTED)
        if left == 0:
            room = self._most - await self._collection.count_documents({"account_id": account_id})
            if room <= 0:
                self._remember(account_id, 0)
                raise Conflict(self._message, code=self._code)
            left = (room + 1) // 2
        self._remember(account_id, left - 1)

    def _remember(self, account_id: str, left: int) -> None:
        self._left[account_id] = left
        if len(self._left) > MAX_REMEMBERED:
            self._left.popitem(last=False)

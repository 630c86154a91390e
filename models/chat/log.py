"""Documents numbered 1, 2, 3 … per conversation, without gaps whichever process writes or dies.

There is no counter that could run ahead: a document's key is its number, it is inserted after the
newest that is there, and anyone who finds the place taken tries the next.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, cast

from pymongo.errors import DuplicateKeyError

from models.chat.records import numbered_id
from models.database import Document, Record, TypedCollection
from models.pages import newest_first


class Log(Generic[Record]):
    """One collection of such documents; `field` holds the number, besides `_id`."""

    def __init__(self, collection: TypedCollection[Record], field: str) -> None:
        self.collection = collection
        self._field = field

    async def newest(self, conversation_id: str, known: int) -> int:
        """Return the newest number, starting from one that is `known` to be taken (or 0).

        Takes about 2 log2(n) reads where n numbers were taken since.
        """
        step = 1
        while await self.get(conversation_id, known + step) is not None:
            known += step
            step *= 2
        while step > 1:
            step //= 2
            if await self.get(conversation_id, known + step) is not None:
                known += step
        return known

    async def get(self, conversation_id: str, number: int) -> Record | None:
        """Return the document with this number."""
        return await self.collection.find_one({"_id": numbered_id(conversation_id, number)})

    async def between(self, conversation_id: str, first: int, last: int) -> list[Record]:
        """Return the documents `first` to `last`, in order."""
        return await self.at(conversation_id, range(first, last + 1))

    async def at(self, conversation_id: str, numbers: Iterable[int]) -> list[Record]:
        """Return the documents with these numbers, in order."""
        # Their keys are known: no index is needed, however many documents there are.
        ids = [numbered_id(conversation_id, number) for number in numbers]
        if not ids:
            return []
        return sorted(await self.collection.find_ids(ids), key=self._number)

    def _number(self, record: Record) -> int:
        number: int = cast(Mapping[str, Any], record)[self._field]
        return number

    async def latest(self, query: Document, limit: int) -> list[Record]:
        """Return the documents that meet a query, by `created_at`, the latest first."""
        found = self.collection.find(query).sort(newest_first("created_at"))
        return await found.limit(limit).to_list(limit)

    async def append(
        self, conversation_id: str, known: int, document: Mapping[str, object]
    ) -> Record:
        """Insert the document after the newest; `known` is a number that is taken (or 0)."""
        while True:
            try:
                return await self.insert(conversation_id, known + 1, document)
            except DuplicateKeyError:
                # Another process wrote, perhaps thousands: one at a time would never catch up.
                known = await self.newest(conversation_id, known + 1)

    async def insert(
        self, conversation_id: str, number: int, document: Mapping[str, object]
    ) -> Record:
        """Insert the document under a number; that before it must be taken.

        Raises:
            pymongo.errors.DuplicateKeyError: this one is taken, too.
        """
        numbered = {
            "_id": numbered_id(conversation_id, number),
            "conversation_id": conversation_id,
            self._field: number,
            **document,
        }
        record = cast(Record, numbered)
        await self.collection.insert_one(record)
        return record

"""Documents numbered 1, 2, 3 … per conversation, with no gap whoever writes or dies.

There is no counter that could run ahead: a document's key is its number, it is inserted after the
newest that is there, and whoever finds the place taken tries the next.
"""

from operator import itemgetter

from pymongo.errors import DuplicateKeyError

from models.chat.records import numbered_id
from models.database import Collection, Document


class Log:
    """One collection of such documents; `field` holds the number beside `_id`."""

    def __init__(self, collection: Collection, field: str) -> None:
        self.collection = collection
        self._field = field

    async def newest(self, conversation_id: str, known: int) -> int:
        """Give the newest number, starting from one that is `known` to be taken (or 0)."""
        while await self.get(conversation_id, known + 1) is not None:
            known += 1
        return known

    async def get(self, conversation_id: str, number: int) -> Document | None:
        """Give the document with this number."""
        return await self.collection.find_one({"_id": numbered_id(conversation_id, number)})

    async def between(self, conversation_id: str, first: int, last: int) -> list[Document]:
        """Give the documents `first` to `last`, in order."""
        # Their keys are known: no index is needed, however many documents there are.
        ids = [numbered_id(conversation_id, number) for number in range(first, last + 1)]
        if not ids:
            return []
        return sorted(await self.collection.find_ids(ids), key=itemgetter(self._field))

    async def append(self, conversation_id: str, known: int, document: Document) -> Document:
        """Insert the document after the newest; `known` is a number that is taken (or 0)."""
        while True:
            known += 1
            try:
                return await self.insert(conversation_id, known, document)
            except DuplicateKeyError:
                continue

    async def insert(self, conversation_id: str, number: int, document: Document) -> Document:
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
        await self.collection.insert_one(numbered)
        return numbered

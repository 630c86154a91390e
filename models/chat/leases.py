"""Which server processes are alive, and whom each of them is connected to.

`chat_processes`: `_id`, `expires_at`: a lease that its process renews. `chat_present`: `_id`
"<process>|<place>|<account>", `process_id`, `place`, `account_id`, `person`, `since`: written when
the first connection of an account comes to a place by a process, removed with the last one. It
holds only as long as the process's lease: one that dies without goodbye is absent when that ends.
One renewal serves all connections of a process, however many there are.
"""

import uuid
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.times import Clock


class Leases:
    """The leases of all processes, seen from this one (`process_id`)."""

    def __init__(self, database: Database, lifetime: timedelta, clock: Clock) -> None:
        self.process_id = uuid.uuid4().hex
        self._processes = database["chat_processes"]
        self._present = database["chat_present"]
        self._lifetime = lifetime
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index, and begin the lease of this process."""
        await self._present.create_index([("process_id", 1), ("place", 1)])
        await self.renew()

    async def renew(self) -> bool:
        """Prolong this process's lease; False when there was none: others took it for dead."""
        expires_at = self._clock() + self._lifetime
        renewed = await self._processes.update_one(
            {"_id": self.process_id}, {"$set": {"expires_at": expires_at}}, upsert=True
        )
        return renewed.matched_count == 1

    async def others(self) -> list[str]:
        """Give the ids of the other processes that are alive."""
        alive = self._processes.find({"expires_at": {"$gt": self._clock()}})
        return [process["_id"] async for process in alive if process["_id"] != self.process_id]

    async def dead(self) -> list[str]:
        """Give the ids of processes whose lease has ended."""
        ended = self._processes.find({"expires_at": {"$lte": self._clock()}})
        return [process["_id"] async for process in ended if process["_id"] != self.process_id]

    async def bury(self, process_id: str) -> None:
        """Forget a dead process, when nobody is left of it."""
        await self._processes.delete_one({"_id": process_id})

    async def arrive(self, place: str, person: Document) -> bool:
        """Note that this process has an account at a place; whether nobody else has it there.

        When two processes note the same at the same time, at least one of them is told so.
        """
        since = self._clock()
        mine: Document = {
            "_id": _id(self.process_id, place, person["id"]),
            "process_id": self.process_id,
            "place": place,
            "account_id": person["id"],
            "person": person,
            "since": since,
        }
        try:
            await self._present.insert_one(mine)
        except DuplicateKeyError:
            return False
        for process_id in await self.others():
            other = await self._present.find_one({"_id": _id(process_id, place, person["id"])})
            if other is not None and _order(other) < _order(mine):
                return False
        return True

    async def depart(self, place: str, account_id: str, process_id: str | None = None) -> bool:
        """Note that a process (this one) has an account there no more; whether nobody else has."""
        gone = _id(process_id or self.process_id, place, account_id)
        removed = await self._present.delete_one({"_id": gone})
        return removed.deleted_count == 1 and not await self.elsewhere(place, account_id)

    async def elsewhere(self, place: str, account_id: str) -> bool:
        """Whether another living process has the account at the place."""
        for process_id in await self.others():
            if await self._present.find_one({"_id": _id(process_id, place, account_id)}):
                return True
        return False

    async def of_others(self, place: str) -> list[Document]:
        """Give the people whom other living processes have at a place; some more than once."""
        people = []
        for process_id in await self.others():
            found = self._present.find({"process_id": process_id, "place": place})
            people += [present["person"] async for present in found]
        return people

    async def of_process(self, process_id: str) -> list[Document]:
        """Give all that a process has noted."""
        return await self._present.find({"process_id": process_id}).to_list(None)


def _id(process_id: str, place: str, account_id: str) -> str:
    return f"{process_id}|{place}|{account_id}"


def _order(present: Document) -> tuple[datetime, str]:
    return present["since"], present["process_id"]

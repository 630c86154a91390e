"""Which server processes are alive, and whom each of them is connected to.

`chat_processes`: `_id`, `name` (what the process is to its operator: the same after a restart),
`host` and `pid`, `beats` (a counter that the process moves), `ending` (it has stopped; its people
have the grace to come back elsewhere), `buried_by` (the process that removes what it has left).
`chat_present`: `_id` "<process>|<place>|<account>", `process_id`, `place`, `account_id`: written
when the first connection of an account comes to a place by a process, removed with the
last one. It holds as long as the process lives.

A process is dead for another one when its counter has not moved for `lifetime`, by the monotonic
clock of the one that judges: no two machines' times are ever compared. One beat serves all
connections of a process, however many there are, and stopping is one write.
"""

import os
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document

BEAT_S = 5.0
"""Between two beats. Anything shorter writes more and is noticed no sooner by a person."""

MAX_READ = 500
"""People of other processes at one place that are read anew for each who asks; see `of_others`."""

CROWD_S = 1.0
"""For how long more people than that are remembered: a crowd that comes to a large room at once
then reads it once a second, not once each."""


_OURS: set[str] = set()
"""The leases that this operating system's process holds: tests make several."""


@dataclass(slots=True)
class _Seen:
    """What this process has seen of another."""

    beats: int
    ending: bool
    since: float
    """When the counter last moved, or when the end was first seen: monotonic seconds."""


class Leases:
    """The leases of all processes, seen from this one (`process_id`)."""

    def __init__(
        self,
        database: Database,
        lifetime: timedelta,
        *,
        name: str | None = None,
        grace_s: float = 0.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the lease of a process.

        Args:
            database: where all processes keep theirs.
            lifetime: how long a counter may stand still.
            name: what a restarted process has in common with its former self; None: nothing.
            grace_s: how long the people of a process that stopped may take to come back.
            elapsed: monotonic seconds.
        """
        self.process_id = uuid.uuid4().hex
        self._processes = database["chat_processes"]
        self._present = database["chat_present"]
        self._lifetime_s = lifetime.total_seconds()
        self._name = name
        self._grace_s = grace_s
        self._elapsed = elapsed
        self._seen: dict[str, _Seen] = {}
        self._crowds: dict[str, tuple[float, set[str]]] = {}

    async def prepare(self) -> None:
        """Make the index, clear what a former process of this name left, and begin to live."""
        await self._present.create_index([("process_id", 1), ("place", 1)])
        await self._clear_former()
        await self._begin()

    async def _begin(self) -> None:
        _OURS.add(self.process_id)
        await self._processes.update_one(
            {"_id": self.process_id},
            {
                "$set": {
                    "name": self._name,
                    "host": platform.node(),
                    "pid": os.getpid(),
                    "beats": 1,
                    "ending": False,
                    "buried_by": None,
                }
            },
            upsert=True,
        )

    async def _clear_former(self) -> None:
        """Remove what crashed processes of this name have left: no one is connected to them.

        Where others live, they have shown its people as present: it is only judged as dead, and the
        next sweep tells who is gone.
        """
        for process in await self._read():
            if self._name is None or process.get("name") != self._name or process.get("ending"):
                continue
            if process.get("host") != platform.node():
                # A platform starts the new process while the old one still serves.
                self._seen[process["_id"]].ending = True
            elif process["_id"] not in _OURS and _is_gone(process.get("pid")):
                if len(self._seen) == 1:
                    await self._present.delete_many({"process_id": process["_id"]})
                    await self._processes.delete_one({"_id": process["_id"]})
                else:
                    self._seen[process["_id"]].since = float("-inf")

    async def renew(self) -> bool:
        """Move this process's counter; False when it was removed: others took it for dead."""
        renewed = await self._processes.update_one({"_id": self.process_id}, {"$inc": {"beats": 1}})
        if renewed.matched_count:
            return True
        await self._begin()
        return False

    async def end(self) -> None:
        """Note in one write that this process stops: its people have the grace to come back."""
        _OURS.discard(self.process_id)
        await self._processes.update_one({"_id": self.process_id}, {"$set": {"ending": True}})

    async def others(self) -> list[str]:
        """Return the ids of the other processes that are alive, or whose people may come back."""
        processes = await self._read()
        return [process["_id"] for process in processes if self._is_alive(process["_id"])]

    async def dead(self) -> list[str]:
        """Return the ids of dead processes that this one is to bury; no other one does it, too."""
        processes = await self._read()
        claimed = []
        for process in processes:
            process_id, buried_by = process["_id"], process.get("buried_by")
            if self._is_alive(process_id) or self._is_alive(buried_by):
                continue
            mine = {"$set": {"buried_by": self.process_id}}
            claim = {"_id": process_id, "buried_by": buried_by}
            if buried_by == self.process_id or await self._processes.find_one_and_update(
                claim, mine
            ):
                claimed.append(process_id)
        return claimed

    async def bury(self, process_id: str) -> None:
        """Forget a dead process and everyone who was connected to it."""
        await self._present.delete_many({"process_id": process_id})
        await self._processes.delete_one({"_id": process_id})
        self._crowds.clear()

    async def _read(self) -> list[Document]:
        """Read the other processes, and note which of them have moved."""
        now = self._elapsed()
        found = await self._processes.find({}).to_list(None)
        processes = [process for process in found if process["_id"] != self.process_id]
        former, self._seen = self._seen, {}
        for process in processes:
            # Those of earlier releases have no counter: it stands still.
            beats, ending = process.get("beats", 0), process.get("ending", False)
            seen = former.get(process["_id"])
            if seen is None or seen.beats != beats or (ending and not seen.ending):
                seen = _Seen(beats, ending, now)
            self._seen[process["_id"]] = seen
        return processes

    def _is_alive(self, process_id: str | None) -> bool:
        seen = self._seen.get(process_id) if process_id is not None else None
        if seen is None:
            return False
        allowed_s = self._grace_s if seen.ending else self._lifetime_s
        return self._elapsed() < seen.since + allowed_s

    async def arrive(self, place: str, account_id: str) -> bool:
        """Note that this process has an account at a place; whether no one else has it there.

        When two processes note the same at the same time, at least one of them is told so.
        """
        others = await self.others()
        was_there = await self._any_has(others, place, account_id)
        try:
            await self._present.insert_one(
                {
                    "_id": _id(self.process_id, place, account_id),
                    "process_id": self.process_id,
                    "place": place,
                    "account_id": account_id,
                }
            )
        except DuplicateKeyError:
            return False
        if was_there:
            return False
        # Who has come meanwhile sees this one, too: the lower id goes first for both.
        lower = [process_id for process_id in others if process_id < self.process_id]
        return not await self._any_has(lower, place, account_id)

    async def depart(self, place: str, account_id: str) -> bool:
        """Note that this process no longer has an account there; whether no one else has."""
        gone = _id(self.process_id, place, account_id)
        removed = await self._present.delete_one({"_id": gone})
        return removed.deleted_count == 1 and not await self.elsewhere(place, account_id)

    async def elsewhere(self, place: str, account_id: str) -> bool:
        """Whether another living process has the account at the place."""
        return await self._any_has(await self.others(), place, account_id)

    async def _any_has(self, process_ids: list[str], place: str, account_id: str) -> bool:
        for process_id in process_ids:
            if await self._present.find_one({"_id": _id(process_id, place, account_id)}):
                return True
        return False

    async def of_others(self, place: str) -> set[str]:
        """Return the accounts that other living processes have at a place.

        More than `MAX_READ` are remembered for `CROWD_S`; the set is not to be changed.
        """
        now = self._elapsed()
        until, crowd = self._crowds.get(place, (now, set()))
        if now < until:
            return crowd
        account_ids: set[str] = set()
        for process_id in await self.others():
            found = self._present.find({"process_id": process_id, "place": place})
            account_ids |= {present["account_id"] async for present in found}
        self._crowds.pop(place, None)
        if len(account_ids) > MAX_READ:
            self._crowds[place] = (now + CROWD_S, account_ids)
        return account_ids

    async def of_process(self, process_id: str) -> list[Document]:
        """Return all that a process has noted."""
        return await self._present.find({"process_id": process_id}).to_list(None)


def _id(process_id: str, place: str, account_id: str) -> str:
    return f"{process_id}|{place}|{account_id}"


def _is_gone(pid: int | None) -> bool:
    """Whether no process of this machine has the id `pid` but perhaps this one."""
    if pid is None or pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

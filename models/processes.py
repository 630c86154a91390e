"""Which processes of this server are alive, judged without comparing the clocks of two machines.

`processes`: `_id` (random), `name` (of the place where it runs: of two processes with one name the
older is gone), `beats` (a counter that moves on as long as the process lives), `number` (later
processes have higher ones), `bus` (what carries its events to others: null for nothing), `report`
(what the others are to know of it; only if there have been others).

A process is gone when its row is: it removes it when it stops, and the next process of its name
does when it was killed. Else it is gone when its counter has not moved for `SILENCE_S` seconds of
the observer's own monotonic clock.

Processes whose events are not carried by the same bus do not hear each other: each says so, and in
production the later one stops. In a deploy the old and the new process overlap for a while.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from pymongo import ReturnDocument

from models.database import Database, Document
from models.errors import Unavailable

logger = logging.getLogger(__name__)

BEAT_S = 2.0
"""One small write: a process that died is known to be gone a few of these later."""

SILENCE_S = 10.0
"""Five missed beats: longer than a store that is busy or fails over lets a living process wait."""


OVERLAP_S = 300.0
"""For which two processes that do not receive each other's events may both live: a deploy takes
less."""


MAX_NAMED = 5


class Processes:
    """This process, and what it knows of the others on its database."""

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        bus: Callable[[], str | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a process that is not there yet.

        Args:
            database: where all processes are noted.
            name: of the place where it runs.
            bus: returns what carries its events to other processes, the same for all that hear each
                other; None for nothing.
            monotonic: seconds.
        """
        self.id = uuid4().hex
        self._name = name
        self._processes = database["processes"]
        self._counters = database["counters"]
        self._number = 0
        self._bus = bus
        self._monotonic = monotonic
        self._seen: dict[str, tuple[int, float]] = {}
        self._moved: set[str] = set()
        """Those that have lived since they were first seen: no row of a process that was killed."""

        self._deaf_since: dict[str, float] = {}
        self._beating: asyncio.Task[None] | None = None
        self._report: Callable[[], Awaitable[Document]] | None = None
        self._reported: Document = {}
        self.others: tuple[Document, ...] = ()
        """What the others that live have reported, as of the last look at them."""

        self.problem: str | None = None
        """Which processes do not receive this one's events, in a sentence; None if all do."""

        self.is_too_many = asyncio.Event()
        """Set when a process that does not receive this one's events was there first, and stays."""

    def share_report(self, report: Callable[[], Awaitable[Document]]) -> None:
        """Have the others know, a few seconds later, what `report` returns: a small document."""
        self._report = report

    async def start(self) -> None:
        """Be there, in the place of whatever process had this name, and go on beating."""
        counted = await self._counters.find_one_and_update(
            {"_id": "processes"},
            {"$inc": {"value": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert counted is not None  # upserted
        self._number = counted["value"]
        await self._processes.delete_many({"name": self._name})
        await self.beat()
        self._beating = asyncio.create_task(self._beat_on())

    async def stop(self) -> None:
        """Be gone at once for all others."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        await self._processes.delete_one({"_id": self.id})

    async def beat(self) -> None:
        """Show the others that this process is alive."""
        update = {"$inc": {"beats": 1}, "$set": {"bus": self._bus()}}
        moved = await self._processes.update_one({"_id": self.id}, update)
        if not moved.matched_count:
            row = {"name": self._name, "beats": 0, "number": self._number, "bus": self._bus()}
            await self._processes.insert_one({"_id": self.id, **row})
            self._reported = {}

    async def is_alive(self, process_id: str) -> bool:
        """Return whether a process lives; one that was killed seems to for `SILENCE_S`.

        That time begins with the first look at it.
        """
        if process_id == self.id:
            return True
        found = await self._processes.find_one({"_id": process_id})
        if found is None:
            self._seen.pop(process_id, None)
            return False
        now = self._monotonic()
        beats, since = self._seen.get(process_id, (-1, now))
        if beats != found["beats"]:
            if beats >= 0:
                self._moved.add(process_id)
            self._seen[process_id] = (found["beats"], now)
            return True
        return now - since < SILENCE_S

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.beat()
                await self.look_around()
                await self.report()
            except Unavailable as error:
                logger.warning("processes: %s", error.message)

    async def report(self) -> None:
        """Send the others what is new for them, if there are others."""
        if self._report is None or not self.others:
            return
        try:
            report = await self._report()
        except Exception:
            logger.exception("processes: what the others are to know could not be made")
            return
        if report != self._reported:
            told = await self._processes.update_one({"_id": self.id}, {"$set": {"report": report}})
            self._reported = report if told.matched_count else {}

    async def look_around(self) -> None:
        """Note how the others stand, and forget those that are gone, and their rows."""
        there = await self._processes.find({}).to_list(None)
        living = []
        for found in there:
            if await self.is_alive(found["_id"]):
                living.append(found)
                continue
            gone = {"_id": found["_id"], "beats": found["beats"]}
            await self._processes.delete_one(gone)
        self.others = tuple(each.get("report", {}) for each in living if each["_id"] != self.id)
        known = {found["_id"] for found in there}
        self._seen = {who: seen for who, seen in self._seen.items() if who in known}
        self._moved &= known
        self._find_deaf([each for each in living if each["_id"] in self._moved])

    def _find_deaf(self, others: Sequence[Document]) -> None:
        """Note which of the others do not receive this process."""
        bus, now = self._bus(), self._monotonic()
        # Rows of an earlier release have neither field.
        deaf = [each for each in others if bus is None or each.get("bus") != bus]
        self._deaf_since = {each["_id"]: self._deaf_since.get(each["_id"], now) for each in deaf}
        # A bus that begins anew is another one for a moment.
        settled = [
            each for each in deaf if bus is None or now - self._deaf_since[each["_id"]] >= BEAT_S
        ]
        self._name_deaf(sorted(each["name"] for each in settled), has_bus=bus is not None)
        for each in deaf:
            lasted_s = now - self._deaf_since[each["_id"]]
            if each.get("number", 0) < self._number and lasted_s >= OVERLAP_S:
                self.is_too_many.set()

    def _name_deaf(self, names: Sequence[str], *, has_bus: bool) -> None:
        problem = None
        if names:
            shown = ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
            advice = "Give all of them the same REDIS_URL" + ("." if has_bus else ", or run one.")
            problem = (
                f"Other processes serve this database and are not heard here: {shown}. {advice}"
            )
        if problem is not None and problem != self.problem:
            logger.error("processes: %s", problem)
        self.problem = problem

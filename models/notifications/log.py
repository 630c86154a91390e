"""The log of each account's notifications: appended to by any process, once for each cause.

`notifications`: `_id` "<account>:<number>", so that two writers cannot take one number, and the
number is given by the write itself. A number is tried only when the one before it is there.
Therefore numbers have no gaps and none appears behind a higher one: whoever has read up to a
number has missed nothing, which numbers drawn from a counter before the write cannot promise.

`notification_causes`: `_id` "<account>:<cause>", `number`: where the notification of this
cause is, or will be. It moves on only when another cause has taken that number, so all who write
the same cause, at once or after a crash, try for the same place, and one of them gets it.

`notification_inboxes`: see `records.new_inbox`. Whoever moves `last` from one number to the next
has taken that notification in, and tells of it; nobody else does. What a crash left between the
writes is taken in by the next who looks.
"""

import asyncio
from uuid import uuid4
from weakref import WeakValueDictionary

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.events import Publisher
from models.notifications import records, spans
from models.notifications.events import Notified
from models.notifications.records import Content
from models.rooms import user_room
from models.times import Clock, to_text


class Log:
    """Appends notifications and takes them into inboxes."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._entries = database["notifications"]
        self._causes = database["notification_causes"]
        self._inboxes = database["notification_inboxes"]
        self._publisher = publisher
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def append(
        self, account_id: str, *wanted: tuple[Content, str | None]
    ) -> list[tuple[Document, bool]]:
        """Write notifications and tell of them; gives each, and whether this call wrote it.

        Beside each content is its cause, which names what it is about, within the account; without
        one each call has its own.
        """
        async with self.turn(account_id):
            inbox = await self.open(account_id)
            following = inbox["last"] + 1
            appended = []
            for content, cause in wanted:
                entry = records.new_entry(
                    account_id,
                    content,
                    cause=f"{account_id}:{cause or uuid4()}",
                    muted=content.type in inbox["muted"],
                    created_at=self._clock(),
                )
                append = self._append_new if cause is None else self._append_once
                entry, written = await append(entry, following)
                following = max(following, entry["number"] + 1)
                appended.append((entry, written))
            entries = [entry for entry, written in appended if written]
            if len(entries) < len(wanted) or not await self._take_in(entries, inbox):
                await self.settle(account_id)
            return appended

    async def open(self, account_id: str) -> Document:
        """Give the account's inbox, made when there is none."""
        while True:
            inbox = await self._inboxes.find_one({"_id": account_id})
            if inbox is not None:
                return inbox
            try:
                inbox = records.new_inbox(account_id)
                await self._inboxes.insert_one(inbox)
            except DuplicateKeyError:
                continue
            return inbox

    async def settle(self, account_id: str) -> Document:
        """Take in what is written behind `last`, in order; gives the inbox as it is then."""
        while True:
            inbox = await self._inboxes.find_one({"_id": account_id})
            entry = await self.entry(account_id, inbox["last"] + 1 if inbox else 1)
            if entry is None:
                return inbox or records.new_inbox(account_id)
            await self._take_in([entry], inbox or await self.open(account_id))

    def turn(self, account_id: str) -> asyncio.Lock:
        """Give the lock by which this process's changes of an inbox wait for each other.

        They would be right without it, as those of several processes are, but would race.
        """
        return self._turns.setdefault(account_id, asyncio.Lock())

    async def change(
        self, inbox: Document, values: Document, *, changes: int = 1
    ) -> Document | None:
        """Set values of an inbox; gives it as it is then, None if it has changed meanwhile."""
        changed = await self._inboxes.update_one(
            {"_id": inbox["_id"], "revision": inbox["revision"]},
            {"$set": values, "$inc": {"revision": changes}},
        )
        if not changed.matched_count:
            return None
        return {**inbox, **values, "revision": inbox["revision"] + changes}

    async def entry(self, account_id: str, number: int) -> Document | None:
        """Give one notification as it is stored."""
        return await self._entries.find_one({"_id": records.entry_id(account_id, number)})

    async def _append_new(self, entry: Document, number: int) -> tuple[Document, bool]:
        while True:
            placed = _at(entry, number)
            try:
                await self._entries.insert_one(placed)
            except DuplicateKeyError:
                number += 1
            else:
                return placed, True

    async def _append_once(self, entry: Document, number: int) -> tuple[Document, bool]:
        account_id, cause = entry["account_id"], entry["cause"]
        try:
            await self._causes.insert_one({"_id": cause, "number": number})
        except DuplicateKeyError:
            number = await self._place(cause)
        while True:
            placed = _at(entry, number)
            try:
                await self._entries.insert_one(placed)
            except DuplicateKeyError:
                there = await self.entry(account_id, number)
            else:
                return placed, True
            if there is not None and there["cause"] == cause:
                return there, False
            inbox = await self.open(account_id)
            await self._causes.update_one(
                {"_id": cause, "number": number},
                {"$set": {"number": max(number, inbox["last"]) + 1}},
            )
            number = await self._place(cause)

    async def _place(self, cause: str) -> int:
        found = await self._causes.find_one({"_id": cause})
        assert found is not None
        number: int = found["number"]
        return number

    async def _take_in(self, entries: list[Document], inbox: Document) -> bool:
        """Make `entries` the inbox's last and tell of them; False when it is not their turn."""
        account_id, first = inbox["_id"], entries[0]["number"]
        if [entry["number"] for entry in entries] != [*range(first, first + len(entries))]:
            return False
        while True:
            if inbox["last"] != first - 1:
                return False
            unread, counts = inbox["unread"], []
            for entry in entries:
                if not entry["muted"]:
                    unread = spans.with_next(unread, entry["number"])
                counts.append(spans.count(unread))
            values = {"last": first - 1 + len(entries), "unread": unread}
            changed = await self.change(inbox, values, changes=len(entries))
            if changed is not None:
                break
            inbox = await self.open(account_id)
        for revision, (entry, count) in enumerate(
            zip(entries, counts, strict=True), inbox["revision"] + 1
        ):
            if not entry["muted"]:
                await self._tell(entry, unread=count, revision=revision)
        return True

    async def _tell(self, entry: Document, *, unread: int, revision: int) -> None:
        account_id = entry["account_id"]
        event = Notified(
            user_id=account_id,
            id=entry["number"],
            type=entry["type"],
            title=entry["title"],
            message=entry["message"],
            link=entry["link"],
            created_at=to_text(entry["created_at"]),
            unread=unread,
            revision=revision,
        )
        await self._publisher.publish(event, user_room(account_id))


def _at(entry: Document, number: int) -> Document:
    place = records.entry_id(entry["account_id"], number)
    return {"_id": place, "number": number} | entry

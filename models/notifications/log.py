"""The log of each account's notifications: appended to by any process, once for each cause.

`notifications`: `_id` "<account>:<number>", so that two writers cannot take one number, and the
number is given by the write itself. A number is tried only when the one before it is there.
Therefore numbers have no gaps and none appears behind a higher one: anyone who has read up to a
number has missed nothing, which numbers drawn from a counter before the write cannot promise.

`notification_causes` has where the notification of a cause is, or will be. It moves on only when
another cause has taken that number, so all who write the same cause, at once or after a crash, try
for the same place, and one of them gets it. It is kept for longer than the notification: below the
inbox's `first` nothing is written any more.

`notification_inboxes` has where each inbox ends. Anyone who moves `last` from one number to the
next has taken that notification in, and publishes it; no one else does. What a crash left between
the writes is taken in by the next who looks.
"""

import asyncio
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, typed
from models.events import Publisher
from models.keyed_locks import KeyedLocks
from models.notifications import records, spans
from models.notifications.events import Notified
from models.notifications.records import (
    Content,
    InboxChange,
    StoredCause,
    StoredInbox,
    StoredNotification,
)
from models.retention import expire, prepare_expiry
from models.rooms import user_room
from models.times import Clock

INBOX_MAX = 10_000
"""Notifications that an inbox keeps: 500 pages, and about 5 MB. What a busy account is told in a
month; nobody scrolls back further, and no service can fill the disk with notices to one account."""


class Log:
    """Appends notifications and takes them into inboxes."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._entries = typed(database["notifications"], StoredNotification)
        self._causes = typed(database["notification_causes"], StoredCause)
        self._inboxes = typed(database["notification_inboxes"], StoredInbox)
        self._publisher = publisher
        self._clock = clock
        self._locks = KeyedLocks()
        self._overfull: set[str] = set()

    async def prepare(self) -> None:
        """Make the index by which old causes are forgotten."""
        await prepare_expiry(self._causes, retention_of("notification_causes"))

    async def forget_old(self) -> None:
        """Forget causes that no domain repeats any more."""
        await expire(self._causes, retention_of("notification_causes"), self._clock())

    def take_overfull(self) -> set[str]:
        """Return the accounts that got more than `INBOX_MAX` since the last call.

        What is lost with a process is noted with the account's next notification.
        """
        taken, self._overfull = self._overfull, set()
        return taken

    async def append(
        self, account_id: str, *wanted: tuple[Content, str | None], push: bool = False
    ) -> list[tuple[StoredNotification, bool]]:
        """Write notifications and publish them; returns each, and whether this call wrote it.

        Beside each content is its cause, which names what it is about, within the account; without
        one each call has its own. With `push`, `claim_push` says later who is to push them.
        """
        async with self.lock(account_id):
            inbox = await self.open(account_id)
            following = inbox["last"] + 1
            appended = []
            for content, cause in wanted:
                muted = content.type in inbox["muted"]
                new = records.new_entry(
                    account_id,
                    following,
                    content,
                    cause=f"{account_id}:{cause or uuid4()}",
                    muted=muted,
                    unpushed=push and not muted,
                    created_at=self._clock(),
                )
                append = self._append_new if cause is None else self._append_once
                entry, written = await append(new)
                following = max(following, entry["number"] + 1)
                appended.append((entry, written))
            entries = [entry for entry, written in appended if written]
            if len(entries) < len(wanted) or not await self._take_in(entries, inbox):
                await self.settle(account_id)
            return appended

    async def claim_push(self, entry: StoredNotification) -> bool:
        """Claim the push of a notification; False when there is none, or another has claimed it.

        A process may have died between writing the notification and this: a repeat claims it then.
        """
        if not entry.get("unpushed"):
            return False
        claimed = await self._entries.find_one_and_update(
            {"_id": entry["_id"], "unpushed": True}, {"$set": {"unpushed": False}}
        )
        return claimed is not None

    async def open(self, account_id: str) -> StoredInbox:
        """Return the account's inbox, made when there is none."""
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

    async def settle(self, account_id: str) -> StoredInbox:
        """Take in what is written behind `last`, in order; returns the inbox as it is then."""
        while True:
            inbox = await self._inboxes.find_one({"_id": account_id})
            entry = await self.entry(account_id, inbox["last"] + 1 if inbox else 1)
            if entry is None:
                return inbox or records.new_inbox(account_id)
            await self._take_in([entry], inbox or await self.open(account_id))

    def lock(self, account_id: str) -> asyncio.Lock:
        """Return the lock by which this process's changes of an inbox wait for each other.

        They would be right without it, as those of several processes are, but would race.
        """
        return self._locks.lock(account_id)

    async def change(
        self, inbox: StoredInbox, values: InboxChange, *, changes: int = 1
    ) -> StoredInbox | None:
        """Set values of an inbox; returns it as it is then, None if it has changed meanwhile."""
        changed = await self._inboxes.update_one(
            {"_id": inbox["_id"], "revision": inbox["revision"]},
            {"$set": values, "$inc": {"revision": changes}},
        )
        if not changed.matched_count:
            return None
        return {**inbox, **values, "revision": inbox["revision"] + changes}

    async def entry(self, account_id: str, number: int) -> StoredNotification | None:
        """Return one notification as it is stored."""
        return await self._entries.find_one({"_id": records.entry_id(account_id, number)})

    async def _append_new(self, entry: StoredNotification) -> tuple[StoredNotification, bool]:
        while True:
            try:
                await self._entries.insert_one(entry)
            except DuplicateKeyError:
                entry = records.moved(entry, entry["number"] + 1)
            else:
                return entry, True

    async def _append_once(self, entry: StoredNotification) -> tuple[StoredNotification, bool]:
        account_id, cause = entry["account_id"], entry["cause"]
        claim: StoredCause = {"_id": cause, "number": entry["number"], "at": self._clock()}
        try:
            await self._causes.insert_one(claim)
        except DuplicateKeyError:
            entry = records.moved(entry, await self._place(cause))
            if entry["number"] < records.first(await self.open(account_id)):
                return entry, False  # it was written, and deleted for its age
        while True:
            number = entry["number"]
            try:
                await self._entries.insert_one(entry)
            except DuplicateKeyError:
                there = await self.entry(account_id, number)
            else:
                return entry, True
            if there is not None and there["cause"] == cause:
                return there, False
            inbox = await self.open(account_id)
            await self._causes.update_one(
                {"_id": cause, "number": number},
                {"$set": {"number": max(number, inbox["last"]) + 1}},
            )
            entry = records.moved(entry, await self._place(cause))

    async def _place(self, cause: str) -> int:
        found = await self._causes.find_one({"_id": cause})
        assert found is not None
        return found["number"]

    async def _take_in(self, entries: list[StoredNotification], inbox: StoredInbox) -> bool:
        """Make `entries` the inbox's last and publish them; False when it is not their turn."""
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
            values: InboxChange = {"last": first - 1 + len(entries), "unread": unread}
            changed = await self.change(inbox, values, changes=len(entries))
            if changed is not None:
                break
            inbox = await self.open(account_id)
        if changed["last"] - records.first(changed) >= INBOX_MAX:
            self._overfull.add(account_id)
        for revision, (entry, count) in enumerate(
            zip(entries, counts, strict=True), inbox["revision"] + 1
        ):
            if not entry["muted"]:
                await self._publish(entry, unread=count, revision=revision)
        return True

    async def _publish(self, entry: StoredNotification, *, unread: int, revision: int) -> None:
        account_id = entry["account_id"]
        event = Notified(
            **records.content_view(entry),
            user_id=account_id,
            unread=unread,
            revision=revision,
        )
        await self._publisher.publish(event, user_room(account_id))

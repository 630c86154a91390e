"""What a user does with notifications: look, read, put away, choose."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from models.collections import retention_of
from models.database import Database, typed
from models.errors import NotFound
from models.events import Publisher
from models.identity import Identity
from models.notifications import records, spans
from models.notifications.events import NotificationArchived, NotificationsRead
from models.notifications.log import INBOX_MAX, Log
from models.notifications.records import StoredInbox, StoredNotification
from models.notifications.schema import NEWER, OLDER, TYPES, cursor
from models.notifications.views import InboxChangesView, InboxView, PreferencesView, UnreadView
from models.pages import DEFAULT_PAGE, MAX_PAGE
from models.retention import BATCH, BATCHES_MAX, prepare_expiry
from models.rooms import user_room

SCAN_MAX = 1_000
"""How many ids one page looks at: in a long stretch of archived ones a page ends early, with a
cursor to go on from."""


class Inbox:
    """The inboxes, each for its owner.

    What is unread is a set of ids in the inbox itself, so reading and counting are exact under
    concurrency, and a count reads one small document however many notifications there are.
    """

    def __init__(self, database: Database, publisher: Publisher, log: Log) -> None:
        self._entries = typed(database["notifications"], StoredNotification)
        self._inboxes = typed(database["notification_inboxes"], StoredInbox)
        self._publisher = publisher
        self._log = log

    async def prepare(self) -> None:
        """Make the indexes of what was archived, and of what is old."""
        await self._entries.create_index([("account_id", 1), ("archived_revision", 1)])
        await prepare_expiry(self._entries, retention_of("notifications"))

    async def forget_old(self, now: datetime) -> None:
        """Delete notifications for their age, unread ones after they were marked as read."""
        retention = retention_of("notifications")
        query = {retention.field: {"$lte": retention.ended_by(now)}}
        for _ in range(BATCHES_MAX):
            found = self._entries.find(query, only=["account_id", "number"])
            old = await found.sort([(retention.field, 1)]).limit(BATCH).to_list(BATCH)
            highest: dict[str, int] = {}
            for entry in old:
                account_id, number = entry["account_id"], entry["number"]
                highest[account_id] = max(number, highest.get(account_id, 0))
            for account_id, number in highest.items():
                await self._begin_after(account_id, number)
            if old:
                ids = [entry["_id"] for entry in old]
                await self._entries.delete_many({"_id": {"$in": ids}, **query})
            if len(old) < BATCH:
                return

    async def bound(self) -> None:
        """Delete the oldest notifications of those inboxes that have more than `INBOX_MAX`.

        They go in the order of their ids, as those of age do: unread ones after they were marked as
        read. What is left after `BATCHES_MAX` batches is for the account's next notification.
        """
        for account_id in self._log.take_overfull():
            inbox = await self._log.settle(account_id)
            first = records.first(inbox)
            behind = min(inbox["last"] - INBOX_MAX + 1, first + BATCHES_MAX * BATCH)
            if behind <= first:
                continue
            # Before they are deleted: what a crash leaves below the first is deleted for its age.
            await self._begin_after(account_id, behind - 1)
            for at in range(first, behind, BATCH):
                numbers = range(at, min(at + BATCH, behind))
                ids = [records.entry_id(account_id, number) for number in numbers]
                await self._entries.delete_many({"_id": {"$in": ids}})

    async def page(
        self,
        caller: Identity,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = DEFAULT_PAGE,
        archived: bool = False,
    ) -> InboxView:
        """Return a page, as `InboxQuery` asks."""
        inbox = await self._log.settle(caller.account_id)
        numbers = _numbers(inbox, after, before)
        found: list[StoredNotification] = []
        looked = 0
        # One by one, together: cheap and flat on every store, unlike a query over a collection.
        while len(found) <= limit and looked < min(len(numbers), SCAN_MAX):
            chunk = numbers[looked : looked + limit + 1]
            looked += len(chunk)
            entries = await self._entries_at(caller.account_id, chunk)
            found += [entry for entry in entries if entry["archived"] == archived]
        direction = OLDER if after is None else NEWER
        following: str | None = None
        if len(found) > limit:
            following = cursor(direction, found[limit - 1]["number"])
        elif looked < len(numbers):
            following = cursor(direction, numbers[looked - 1])
        items = [records.entry_view(entry, inbox["unread"]) for entry in found[:limit]]
        return {"items": items, "next": following, **records.count_view(inbox)}

    async def unread(self, caller: Identity) -> UnreadView:
        """Return `unread`, a count, and its `revision`."""
        return records.count_view(await self._log.settle(caller.account_id))

    async def read(self, caller: Identity, id: int) -> UnreadView:
        """Mark one as read and clear it on all devices; a repeat is quiet. Answers as `unread`.

        Raises:
            NotFound: code `notification_not_found`.
        """
        inbox, removed = await self._remove_unread(caller.account_id, id)
        if removed:
            await self._publish_read(inbox, [id, id])
        return records.count_view(inbox)

    async def read_all(self, caller: Identity, *, up_to: int | None = None) -> UnreadView:
        """Mark all as read, or those up to an id, and clear them on all devices.

        Answers as `unread`.
        """
        async with self._log.lock(caller.account_id):
            while True:
                inbox = await self._log.settle(caller.account_id)
                bound = inbox["last"] if up_to is None else up_to
                read, left = spans.cut(inbox["unread"], bound)
                if not read:
                    return records.count_view(inbox)
                changed = await self._log.change(inbox, {"unread": left})
                if changed is not None:
                    break
        await self._publish_read(changed, read)
        return records.count_view(changed)

    async def archive(self, caller: Identity, id: int) -> UnreadView:
        """Put one away, which reads it too; a repeat is quiet. Answers as `unread`.

        Raises:
            NotFound: code `notification_not_found`.
        """
        account_id = caller.account_id
        is_begun = False
        async with self._log.lock(account_id):
            while True:
                inbox = await self._log.settle(account_id)
                entry = await self._log.entry(account_id, id)
                if entry is None or not records.first(inbox) <= id <= inbox["last"]:
                    raise _not_found()
                is_archived = entry["archived"] and not spans.contains(inbox["unread"], id)
                # Another process was faster with something else: then this one is still to be told.
                if is_archived and not is_begun:
                    return records.count_view(inbox)
                # Before the inbox moves on to that revision: who has seen it has this as well.
                await self._entries.update_one(
                    {"_id": records.entry_id(account_id, id)},
                    {"$set": {"archived": True, "archived_revision": inbox["revision"] + 1}},
                )
                is_begun = True
                left = spans.without(inbox["unread"], id)
                changed = await self._log.change(inbox, {"unread": left})
                if changed is not None:
                    break
        event = NotificationArchived(id=id, **records.count_view(changed))
        await self._publisher.publish(event, user_room(account_id))
        return records.count_view(changed)

    async def changes(
        self, caller: Identity, *, after: int, limit: int = MAX_PAGE
    ) -> InboxChangesView:
        """Return what has become of older notifications after a revision.

        New notifications are those of `page` after the last id known.
        """
        inbox = await self._log.settle(caller.account_id)
        query = {"account_id": caller.account_id, "archived_revision": {"$gt": after}}
        found = self._entries.find(query).sort([("archived_revision", 1)]).limit(limit + 1)
        archived = await found.to_list(None)
        shown, more = archived[:limit], len(archived) > limit
        revision = shown[-1]["archived_revision"] if more else max(after, inbox["revision"])
        ranges = [[first, last] for first, last in spans.pairs(inbox["unread"])]
        return {
            "unread_ranges": ranges,
            "archived_ids": [entry["number"] for entry in shown],
            "unread": spans.count(inbox["unread"]),
            "revision": revision,
            "more": more,
        }

    async def preferences(self, caller: Identity) -> PreferencesView:
        """Return which of `TYPES` the caller wants."""
        inbox = await self._log.settle(caller.account_id)
        wanted = {type: type not in inbox["muted"] for type in TYPES}
        return cast(PreferencesView, wanted)

    async def prefer(self, caller: Identity, wanted: dict[str, bool]) -> PreferencesView:
        """Choose which types are wanted; the others stay as they are. Returns all.

        What is muted is stored all the same, as read: it rings no device and counts nowhere, and
        the inbox stays complete.
        """
        await self._log.open(caller.account_id)
        for change, chosen in (("$pull", True), ("$addToSet", False)):
            for type in TYPES:
                if wanted.get(type) is chosen:
                    await self._inboxes.update_one(
                        {"_id": caller.account_id}, {change: {"muted": type}}
                    )
        return await self.preferences(caller)

    async def _begin_after(self, account_id: str, id: int) -> None:
        """Let the inbox begin behind `id`, which counts as read with all before it."""
        async with self._log.lock(account_id):
            while True:
                inbox = await self._log.settle(account_id)
                if not records.first(inbox) <= id <= inbox["last"]:
                    return  # another process has done it, or the account was deleted
                read, left = spans.cut(inbox["unread"], id)
                changed = await self._log.change(inbox, {"first": id + 1, "unread": left})
                if changed is not None:
                    break
        if read:
            await self._publish_read(changed, read)

    async def _entries_at(
        self, account_id: str, numbers: Iterable[int]
    ) -> list[StoredNotification]:
        entries = await asyncio.gather(*(self._log.entry(account_id, n) for n in numbers))
        return [entry for entry in entries if entry is not None]

    async def _remove_unread(self, account_id: str, id: int) -> tuple[StoredInbox, bool]:
        """Take `id` out of the unread ones; returns the inbox after that, and whether it was in.

        Raises:
            NotFound: code `notification_not_found`.
        """
        async with self._log.lock(account_id):
            while True:
                inbox = await self._log.settle(account_id)
                if not records.first(inbox) <= id <= inbox["last"]:
                    raise _not_found()
                if not spans.contains(inbox["unread"], id):
                    return inbox, False
                left = spans.without(inbox["unread"], id)
                changed = await self._log.change(inbox, {"unread": left})
                if changed is not None:
                    return changed, True

    async def _publish_read(self, inbox: StoredInbox, read: spans.Spans) -> None:
        ranges = [[first, last] for first, last in spans.pairs(read)]
        event = NotificationsRead(ranges=ranges, **records.count_view(inbox))
        await self._publisher.publish(event, user_room(inbox["_id"]))


def _not_found() -> NotFound:
    return NotFound("There is no such notification.", code="notification_not_found")


def _numbers(inbox: StoredInbox, after: int | None, before: int | None) -> range:
    """Return the ids to look at, in the order of the page."""
    first, last = records.first(inbox), inbox["last"]
    highest = last if before is None else min(last, before - 1)
    if after is not None:
        return range(max(after + 1, first), highest + 1)
    return range(highest, first - 1, -1)

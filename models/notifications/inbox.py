"""What a user does with notifications: look, read, put away, choose."""

import asyncio
from collections.abc import Iterable

from models.database import Database, Document
from models.errors import NotFound
from models.events import Json, Publisher
from models.identity import Identity
from models.notifications import records, spans
from models.notifications.events import NotificationArchived, NotificationsRead
from models.notifications.log import Log
from models.notifications.schema import TYPES
from models.pages import DEFAULT_PAGE
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
        self._entries = database["notifications"]
        self._inboxes = database["notification_inboxes"]
        self._publisher = publisher
        self._log = log

    async def page(
        self,
        caller: Identity,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = DEFAULT_PAGE,
        archived: bool = False,
    ) -> dict[str, Json]:
        """Give a page, as `InboxQuery` asks: `items`, `next`, `unread`, `revision`.

        An item is `id`, `type`, `title`, `message`, `link`, `created_at`, `read`, `archived`.
        `next` is the `before` (with `after`: the `after`) of the page that follows, or null.
        """
        inbox = await self._log.settle(caller.account_id)
        numbers = _numbers(inbox["last"], after, before)
        found: list[Document] = []
        looked = 0
        # One by one, together: cheap and flat on every store, unlike a query over a collection.
        while len(found) <= limit and looked < min(len(numbers), SCAN_MAX):
            chunk = numbers[looked : looked + limit + 1]
            looked += len(chunk)
            entries = await self._entries_at(caller.account_id, chunk)
            found += [entry for entry in entries if entry["archived"] == archived]
        following: int | None = None
        if len(found) > limit:
            following = found[limit - 1]["number"]
        elif looked < len(numbers):
            following = numbers[looked - 1]
        items: list[Json] = [records.entry_json(entry, inbox["unread"]) for entry in found[:limit]]
        return {"items": items, "next": following, **records.count_json(inbox)}

    async def unread(self, caller: Identity) -> dict[str, Json]:
        """Give `unread`, a count, and its `revision`."""
        return records.count_json(await self._log.settle(caller.account_id))

    async def read(self, caller: Identity, id: int) -> dict[str, Json]:
        """Mark one as read and clear it on all devices; a repeat is quiet. Answers as `unread`.

        Raises:
            NotFound: code `notification_not_found`.
        """
        inbox, removed = await self._remove_unread(caller.account_id, id)
        if removed:
            await self._tell_read(inbox, [id, id])
        return records.count_json(inbox)

    async def read_all(self, caller: Identity, *, up_to: int | None = None) -> dict[str, Json]:
        """Mark all as read, or those up to an id, and clear them on all devices.

        Answers as `unread`.
        """
        async with self._log.turn(caller.account_id):
            while True:
                inbox = await self._log.settle(caller.account_id)
                bound = inbox["last"] if up_to is None else up_to
                read, left = spans.cut(inbox["unread"], bound)
                if not read:
                    return records.count_json(inbox)
                changed = await self._log.change(inbox, {"unread": left})
                if changed is not None:
                    break
        await self._tell_read(changed, read)
        return records.count_json(changed)

    async def archive(self, caller: Identity, id: int) -> dict[str, Json]:
        """Put one away, which reads it too; a repeat is quiet. Answers as `unread`.

        Raises:
            NotFound: code `notification_not_found`.
        """
        inbox, removed = await self._remove_unread(caller.account_id, id)
        archived = await self._entries.update_one(
            {"_id": records.entry_id(caller.account_id, id), "archived": False},
            {"$set": {"archived": True}},
        )
        if removed or archived.matched_count:
            event = NotificationArchived(id, spans.count(inbox["unread"]), inbox["revision"])
            await self._publisher.publish(event, user_room(caller.account_id))
        return records.count_json(inbox)

    async def preferences(self, caller: Identity) -> dict[str, Json]:
        """Give which types the caller wants: each of `TYPES` with true or false."""
        inbox = await self._log.settle(caller.account_id)
        return {type: type not in inbox["muted"] for type in TYPES}

    async def prefer(self, caller: Identity, wanted: dict[str, bool]) -> dict[str, Json]:
        """Choose which types to be told of, values as `Preferences` loads them; gives them.

        What is muted is stored all the same, as read: it rings no device and counts nowhere, and
        the inbox stays complete.
        """
        await self._log.open(caller.account_id)
        muted = [type for type in TYPES if not wanted[type]]
        await self._inboxes.update_one({"_id": caller.account_id}, {"$set": {"muted": muted}})
        return {type: wanted[type] for type in TYPES}

    async def _entries_at(self, account_id: str, numbers: Iterable[int]) -> list[Document]:
        entries = await asyncio.gather(*(self._log.entry(account_id, n) for n in numbers))
        return [entry for entry in entries if entry is not None]

    async def _remove_unread(self, account_id: str, id: int) -> tuple[Document, bool]:
        """Take `id` out of the unread ones; gives the inbox after that, and whether it was in.

        Raises:
            NotFound: code `notification_not_found`.
        """
        async with self._log.turn(account_id):
            while True:
                inbox = await self._log.settle(account_id)
                if not 1 <= id <= inbox["last"]:
                    raise NotFound("There is no such notification.", code="notification_not_found")
                if not spans.contains(inbox["unread"], id):
                    return inbox, False
                left = spans.without(inbox["unread"], id)
                changed = await self._log.change(inbox, {"unread": left})
                if changed is not None:
                    return changed, True

    async def _tell_read(self, inbox: Document, read: spans.Spans) -> None:
        unread = spans.count(inbox["unread"])
        event = NotificationsRead(tuple(spans.pairs(read)), unread, inbox["revision"])
        await self._publisher.publish(event, user_room(inbox["_id"]))


def _numbers(last: int, after: int | None, before: int | None) -> range:
    """Give the ids to look at, in the order of the page."""
    highest = last if before is None else min(last, before - 1)
    if after is not None:
        return range(after + 1, highest + 1)
    return range(highest, 0, -1)

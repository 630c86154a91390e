"""Diary entries, which nobody but their owner ever sees: check, write, then tell once."""

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.diary import entry_records as records
from models.diary.entries_events import EntryCreated, EntryDeleted, EntryUpdated
from models.diary.entries_schema import as_tag
from models.diary.ids import is_id, new_id
from models.diary.zones import Zones
from models.errors import Conflict, Invalid, NotFound
from models.events import Event, Json, Publisher
from models.idempotency import KEPT
from models.identity import Identity
from models.pages import DEFAULT_PAGE, Position
from models.rooms import user_room
from models.times import Clock, now

MAX_TAGS_LISTED = 1_000
"""The most used of them: more than anyone reads through."""

Page = dict[str, Json]


class Entries:
    """The entries of all accounts, stored as `diary_entries`; values as the schemas load them.

    Every query names the owner, so an entry of somebody else is `NotFound` like one that never
    was. Pages are `{"items": [...], "next": cursor or null}`, entries `{"id", "text", "mood",
    "tags", "date", "created_at", "updated_at", "version"}`.
    """

    def __init__(
        self, database: Database, publisher: Publisher, zones: Zones, clock: Clock = now
    ) -> None:
        self._entries = database["diary_entries"]
        self._publisher = publisher
        self._zones = zones
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        listed = [("account_id", 1), ("date", 1), ("created_at", 1), ("_id", 1)]
        await self._entries.create_index(listed)
        await self._entries.create_index([("deleted_by", 1)])
        await self._entries.create_index([("forget_at", 1)])

    async def sweep(self) -> None:
        """Forget that there were entries which are deleted."""
        await self._entries.delete_many({"forget_at": {"$lte": self._clock()}})

    async def create(
        self,
        identity: Identity,
        *,
        text: str,
        mood: int | None = None,
        tags: Sequence[str] = (),
        date: datetime.date | None = None,
        client_id: str | None = None,
    ) -> dict[str, Json]:
        """Write an entry about a day, today by default; gives it.

        Raises:
            Invalid: `date` is still to come.
            Conflict: code `entry_deleted`: the entry of this `client_id` is there no more.
        """
        account_id = identity.account_id
        entry = records.new_entry(
            new_id("entry", account_id, client_id),
            account_id,
            text=text,
            mood=mood,
            tags=list(tags),
            day=await self._day(account_id, date),
            created_at=self._clock(),
        )
        try:
            await self._entries.insert_one(entry)
        except DuplicateKeyError:
            return records.entry_json(await self._made_before(account_id, entry["_id"]))
        shown = records.entry_json(entry)
        await self._tell(account_id, EntryCreated(shown))
        return shown

    async def get(self, identity: Identity, entry_id: str) -> dict[str, Json]:
        """Give an entry."""
        return records.entry_json(await self._own(identity.account_id, entry_id))

    async def update(self, identity: Identity, entry_id: str, **changed: Any) -> dict[str, Json]:
        """Change `text`, `mood`, `tags` or `date`, those that are named; gives the entry.

        Raises:
            Invalid: `date` is still to come.
        """
        account_id = identity.account_id
        present = await self._own(account_id, entry_id)
        if "date" in changed:
            changed["date"] = (await self._day(account_id, changed["date"])).isoformat()
        if "text" in changed:
            changed["folded"] = records.fold(changed["text"])
        news = {name: value for name, value in changed.items() if present[name] != value}
        if not news:
            return records.entry_json(present)
        entry = await self._entries.find_one_and_update(
            {"_id": entry_id, "account_id": account_id},
            {"$set": {**news, "updated_at": self._clock()}, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        )
        shown = records.entry_json(_existing(entry))
        await self._tell(account_id, EntryUpdated(shown))
        return shown

    async def delete(self, identity: Identity, entry_id: str) -> None:
        """Remove an entry: at once its content, after a day the trace of it."""
        account_id = identity.account_id
        await self._own(account_id, entry_id)
        deleted = await self._entries.find_one_and_update(
            {"_id": entry_id, "account_id": account_id},
            {
                "$set": records.tombstone(account_id, self._clock() + KEPT),
                "$inc": {"version": 1},
            },
            return_document=ReturnDocument.AFTER,
        )
        await self._tell(account_id, EntryDeleted(entry_id, _existing(deleted)["version"]))

    async def search(
        self,
        identity: Identity,
        *,
        text: str,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page:
        """Give a page of the entries that contain a text in any case, or have it as a tag."""
        folded = records.fold(text.strip())
        found = {"$or": [{"folded": {"$regex": re.escape(folded)}}, {"tags": as_tag(text)}]}
        return await self._page({"account_id": identity.account_id}, [found], after, limit)

    async def list(
        self,
        identity: Identity,
        *,
        from_: datetime.date | None = None,
        to: datetime.date | None = None,
        tag: str | None = None,
        mood: int | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page:
        """Give a page of the entries of some days, of all moods and tags or of one, newest first.

        Newest by the day that they are about, and on one day by when they were written.
        """
        query: Document = {"account_id": identity.account_id}
        if days := _between(from_, to):
            query["date"] = days
        if tag is not None:
            query["tags"] = tag
        if mood is not None:
            query["mood"] = mood
        return await self._page(query, [], after, limit)

    async def tags(self, identity: Identity) -> dict[str, Json]:
        """Give all tags with the number of their entries, the most used ones first."""
        found = self._entries.find({"account_id": identity.account_id}, only=["tags"])
        counted: Counter[str] = Counter()
        async for entry in found:
            counted.update(entry["tags"])
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return {"items": [{"tag": tag, "count": n} for tag, n in ranked[:MAX_TAGS_LISTED]]}

    async def active_dates(self, account_id: str) -> set[datetime.date]:
        """Give the days that have an entry."""
        found = self._entries.find({"account_id": account_id}, only=["date"])
        days = {entry["date"] async for entry in found}
        return {datetime.date.fromisoformat(day) for day in days}

    async def moods(
        self, account_id: str, from_: datetime.date, to: datetime.date
    ) -> Sequence[tuple[str, int | None]]:
        """Give date and mood of each entry from one day to another, both included."""
        query = {"account_id": account_id, "date": _between(from_, to)}
        found = self._entries.find(query, only=["date", "mood"])
        return [(entry["date"], entry["mood"]) async for entry in found]

    async def export(self, account_id: str) -> Sequence[dict[str, Json]]:
        """Give all entries of an account, newest first."""
        found = self._entries.find({"account_id": account_id}).sort(records.NEWEST_FIRST)
        return [records.entry_json(entry) async for entry in found]

    async def delete_all(self, account_id: str) -> None:
        """Remove all entries of an account, and the traces of those deleted before."""
        await self._entries.delete_many({"account_id": account_id})
        await self._entries.delete_many({"deleted_by": account_id})

    async def _page(
        self, query: Document, conditions: Sequence[Document], after: Position | None, limit: int
    ) -> Page:
        if after is not None:
            conditions = [*conditions, {"$or": records.following(after)}]
        if conditions:
            query = {**query, "$and": [*conditions]}
        wanted = self._entries.find(query).sort(records.NEWEST_FIRST).limit(limit + 1)
        shown, following = records.cut(await wanted.to_list(limit + 1), limit)
        return {"items": [records.entry_json(entry) for entry in shown], "next": following}

    async def _day(self, account_id: str, wanted: datetime.date | None) -> datetime.date:
        today = await self._zones.today(account_id)
        if wanted is not None and wanted > today:
            problem = "This day is still to come."
            raise Invalid("Some fields are not valid.", fields={"date": [problem]})
        return wanted or today

    async def _own(self, account_id: str, entry_id: str) -> Document:
        if not is_id(entry_id):
            raise _not_found()
        return _existing(await self._entries.find_one({"_id": entry_id, "account_id": account_id}))

    async def _made_before(self, account_id: str, entry_id: str) -> Document:
        made = await self._entries.find_one({"_id": entry_id, "account_id": account_id})
        if made is None:
            raise Conflict("This entry was deleted.", code="entry_deleted")
        return made

    async def _tell(self, account_id: str, event: Event) -> None:
        await self._publisher.publish(event, user_room(account_id))


def _between(from_: datetime.date | None, to: datetime.date | None) -> Document:
    bounds = {}
    if from_ is not None:
        bounds["$gte"] = from_.isoformat()
    if to is not None:
        bounds["$lte"] = to.isoformat()
    return bounds


def _existing(entry: Document | None) -> Document:
    if entry is None:
        raise _not_found()
    return entry


def _not_found() -> NotFound:
    return NotFound("There is no such entry.", code="entry_not_found")

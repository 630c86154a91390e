"""Diary entries, which no one but their owner ever sees: check, write, then publish once."""

import datetime
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, Document, typed
from models.diary.entries import records
from models.diary.entries.events import EntryCreated, EntryDeleted, EntryUpdated
from models.diary.entries.records import StoredEntry
from models.diary.ids import id_of, is_id
from models.diary.views import EntryView, TagsView
from models.diary.zones import Zones, latest_date
from models.errors import Conflict, Invalid, NotFound
from models.events import Event, Json, Publisher, as_json
from models.idempotency import KEPT, Idempotency, Operation
from models.identity import Identity
from models.pages import DEFAULT_PAGE, Page, Position
from models.quotas import Quota
from models.retention import expire
from models.rooms import user_room
from models.text import fold, found_by, label
from models.times import Clock, now
from models.versions import check_version
from models.whole import documents

MAX_TAGS_LISTED = 1_000
"""The most used of them: more than anyone reads through."""

TAGGED_ENTRIES = 2_000
"""The newest entries, whose tags are listed: one a day for five years. More would take longer than
is good for others (20,000 with many tags: 0.7 s of CPU), for tags that are hardly used any more."""

MAX_ENTRIES = 20_000
"""Of an account: five a day for ten years. What counts or searches a diary reads all of it."""

SEARCH_S = 0.05
"""After which a search returns what it has found, even nothing: others use the store, too."""

SEARCH_FIRST, SEARCH_MOST = 50, 200
"""Entries read at once: first, and at most. As many of the longest text take 20 MB."""

ENTRIES = "/api/v1/diary/entries"
"""The operation of making one, as keys of clients are kept."""


class Entries:
    """The entries of all accounts, stored as `diary_entries`; values as the schemas load them.

    Every query names the owner, so an entry of another person is `NotFound` like one that never
    was. Pages are `{"items": [...], "next": cursor or null}`, entries `{"id", "text", "mood",
    "tags", "date", "created_at", "updated_at", "version"}`.
    """

    def __init__(
        self, database: Database, publisher: Publisher, zones: Zones, clock: Clock = now
    ) -> None:
        self._entries = typed(database["diary_entries"], StoredEntry)
        self._quota = Quota(
            self._entries,
            MAX_ENTRIES,
            code="too_many_entries",
            message=f"A diary has up to {MAX_ENTRIES:,} entries; delete some.",
        )
        self._answers = Idempotency(database, clock=clock)
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
        await expire(self._entries, retention_of("diary_entries"), self._clock())

    async def create(
        self,
        identity: Identity,
        *,
        text: str,
        mood: int | None = None,
        tags: Sequence[str] = (),
        date: datetime.date | None = None,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> EntryView:
        """Write an entry about a day, today by default; returns it.

        Raises:
            Invalid: `date` is still to come everywhere; code `key_reused`.
            Conflict: code `entry_deleted`: the entry of this `client_id` is gone; code
                `too_many_entries`.
        """
        content: dict[str, Any] = {"text": text, "mood": mood, "tags": tags, "date": date}
        async with self._answers.once(
            identity.account_id,
            ENTRIES,
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            return await self._create(identity.account_id, operation, **content)

    async def _create(
        self,
        account_id: str,
        operation: Operation,
        *,
        text: str,
        mood: int | None,
        tags: Sequence[str],
        date: datetime.date | None,
    ) -> EntryView:
        entry_id = id_of(operation.id)
        if operation.is_done:
            return records.entry_view(await self._made_before(account_id, entry_id))
        await self._quota.use(account_id)
        entry = records.new_entry(
            entry_id,
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
            return records.entry_view(await self._made_before(account_id, entry["_id"]))
        shown = records.entry_view(entry)
        await self._publish(account_id, EntryCreated(entry=shown))
        return shown

    async def get(self, identity: Identity, entry_id: str) -> EntryView:
        """Return an entry."""
        return records.entry_view(await self._own(identity.account_id, entry_id))

    async def update(
        self, identity: Identity, entry_id: str, *, if_version: int | None = None, **changed: Any
    ) -> EntryView:
        """Change `text`, `mood`, `tags` or `date`, those that are named; returns the entry.

        Raises:
            Invalid: `date` is still to come everywhere.
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """
        account_id = identity.account_id
        present = await self._own(account_id, entry_id)
        check_version(present["version"], if_version)
        if "date" in changed:
            changed["date"] = (await self._day(account_id, changed["date"])).isoformat()
        if "text" in changed:
            changed["folded"] = found_by(changed["text"])
        news = {name: value for name, value in changed.items() if value != present.get(name)}
        if not news:
            return records.entry_view(present)
        entry = await self._write(
            account_id, entry_id, {**news, "updated_at": self._clock()}, if_version
        )
        shown = records.entry_view(entry)
        await self._publish(account_id, EntryUpdated(entry=shown))
        return shown

    async def delete(
        self, identity: Identity, entry_id: str, *, if_version: int | None = None
    ) -> None:
        """Remove an entry: at once its content, after a day the trace of it.

        Raises:
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """
        account_id = identity.account_id
        check_version((await self._own(account_id, entry_id))["version"], if_version)
        tombstone = records.tombstone(account_id, self._clock() + KEPT)
        deleted = await self._write(account_id, entry_id, tombstone, if_version)
        await self._publish(account_id, EntryDeleted(id=entry_id, version=deleted["version"]))

    async def search(
        self,
        identity: Identity,
        *,
        text: str,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
        **which: Any,
    ) -> Page[EntryView]:
        """Return a page of the entries that contain a text, in any spelling, or have it as tag.

        Only of those that `list` would return, which takes the same. A page may have fewer than
        `limit`, or none, and still a `next`, where the search goes on.
        """
        folded, tag = fold(text.strip()), label(text)
        query = _among(identity.account_id, **which)
        found: list[StoredEntry] = []
        ends, count = time.monotonic() + SEARCH_S, SEARCH_FIRST
        while True:
            looked = await self._following(query, after, count)
            found += [each for each in looked if folded in each["folded"] or tag in each["tags"]]
            if len(found) > limit or len(looked) < count:
                shown, following = records.cut(found, limit)
                break
            after = records.position_of(looked[-1])
            if time.monotonic() > ends:
                shown, following = found, after.to_text()
                break
            count = min(2 * count, SEARCH_MOST)
        return {"items": [records.entry_view(entry) for entry in shown], "next": following}

    async def list(
        self,
        identity: Identity,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
        **which: Any,
    ) -> Page[EntryView]:
        """Return a page of the entries of some days, of all moods and tags or of one, newest first.

        Newest by the day that they are about, and on one day by when they were written. `from_`
        and `to`, `tag`, `mood`: each may be left out.
        """
        found = await self._following(_among(identity.account_id, **which), after, limit + 1)
        shown, following = records.cut(found, limit)
        return {"items": [records.entry_view(entry) for entry in shown], "next": following}

    async def tags(self, identity: Identity) -> TagsView:
        """Return the tags of the newest entries, each with its number, the most used ones first."""
        own = self._entries.find({"account_id": identity.account_id}, only=["tags"])
        counted: Counter[str] = Counter()
        for entry in await own.sort(records.NEWEST_FIRST).limit(TAGGED_ENTRIES).to_list(None):
            counted.update(entry["tags"])
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return {"items": [{"tag": tag, "count": n} for tag, n in ranked[:MAX_TAGS_LISTED]]}

    async def active_dates(self, account_id: str) -> set[datetime.date]:
        """Return the days that have an entry."""
        found = self._entries.find({"account_id": account_id}, only=["date"])
        days = {entry["date"] async for entry in found}
        return {datetime.date.fromisoformat(day) for day in days}

    async def moods(
        self, account_id: str, from_: datetime.date, to: datetime.date
    ) -> Sequence[tuple[str, int | None]]:
        """Return date and mood of each entry from one day to another, both included."""
        query = {"account_id": account_id, "date": _between(from_, to)}
        found = self._entries.find(query, only=["date", "mood"])
        return [(entry["date"], entry["mood"]) async for entry in found]

    async def export(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        """Yield all entries of an account, newest first."""
        async for entry in documents(
            self._entries,
            {"account_id": account_id},
            records.NEWEST_FIRST,
            lambda entry: entry["account_id"] == account_id,
        ):
            yield as_json(records.entry_view(entry))

    async def delete_all(self, account_id: str) -> None:
        """Remove all entries of an account, and the traces of those deleted before."""
        await self._entries.delete_many({"account_id": account_id})
        await self._entries.delete_many({"deleted_by": account_id})

    async def _following(
        self, query: Document, after: Position | None, count: int
    ) -> Sequence[StoredEntry]:
        """Return entries after a position, newest first."""
        if after is not None:
            query = {**query, "$or": records.following(after)}
        wanted = self._entries.find(query).sort(records.NEWEST_FIRST).limit(count)
        return await wanted.to_list(count)

    async def _day(self, account_id: str, wanted: datetime.date | None) -> datetime.date:
        if wanted is None:
            return await self._zones.today(account_id)
        if wanted > latest_date(self._clock()):
            problem = "This day is still to come."
            raise Invalid("Some fields are not valid.", fields={"date": [problem]})
        return wanted

    async def _write(
        self, account_id: str, entry_id: str, values: Document, if_version: int | None
    ) -> StoredEntry:
        """Set values of an entry, of the version that is named if one is; returns it then."""
        wanted: Document = {"_id": entry_id, "account_id": account_id}
        if if_version is not None:
            wanted["version"] = if_version
        entry = await self._entries.find_one_and_update(
            wanted,
            {"$set": values, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if entry is None and if_version is not None:
            # Another was faster: it has changed the entry, or removed it.
            check_version((await self._own(account_id, entry_id))["version"], if_version)
        return _existing(entry)

    async def _own(self, account_id: str, entry_id: str) -> StoredEntry:
        if not is_id(entry_id):
            raise _not_found()
        return _existing(await self._entries.find_one({"_id": entry_id, "account_id": account_id}))

    async def _made_before(self, account_id: str, entry_id: str) -> StoredEntry:
        made = await self._entries.find_one({"_id": entry_id, "account_id": account_id})
        if made is None:
            raise Conflict("This entry was deleted.", code="entry_deleted")
        return made

    async def _publish(self, account_id: str, event: Event) -> None:
        await self._publisher.publish(event, user_room(account_id))


def _among(
    account_id: str,
    *,
    from_: datetime.date | None = None,
    to: datetime.date | None = None,
    tag: str | None = None,
    mood: int | None = None,
) -> Document:
    query: Document = {"account_id": account_id}
    if days := _between(from_, to):
        query["date"] = days
    if tag is not None:
        query["tags"] = tag
    if mood is not None:
        query["mood"] = mood
    return query


def _between(from_: datetime.date | None, to: datetime.date | None) -> Document:
    bounds = {}
    if from_ is not None:
        bounds["$gte"] = from_.isoformat()
    if to is not None:
        bounds["$lte"] = to.isoformat()
    return bounds


def _existing(entry: StoredEntry | None) -> StoredEntry:
    if entry is None:
        raise _not_found()
    return entry


def _not_found() -> NotFound:
    return NotFound("There is no such entry.", code="entry_not_found")

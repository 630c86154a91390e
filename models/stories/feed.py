"""The query for a page of the stories that one reader may see.

Each story stands in the index (readers, created_at, _id) under its readers, and never under both
keys of one reader, so MongoDB merges two ranges that are already in order. The embedded store
decodes all documents of a range before it sorts; that is why a page is looked for in windows of
time that grow: the first ones are enough where there is much to see.
"""

from datetime import datetime, timedelta

from models.database import Collection, Document
from models.pages import Position, newest_first
from models.stories.records import EVERYONE

_WINDOWS = tuple(timedelta(minutes=minutes) for minutes in (1, 6, 36, 216))
"""How far back to look, one after the other, before looking at all the rest. A page of 20 takes the
embedded store about 30 ms whether 5,000 stories came in a day or in twenty minutes; a reader who
may see next to none of them waits for all to be decoded, about 400 ms."""


async def newest_readable(
    stories: Collection, account_id: str, *, at: datetime, after: Position | None, limit: int
) -> list[Document]:
    """Give up to `limit` stories alive at `at` that the account may see, newest first."""
    found: list[Document] = []
    start = after.moment if after else at
    # Without a cursor the newest window is open: another process's clock may be ahead of ours.
    ceiling: datetime | None = after.moment if after else None
    for floor in (*(start - window for window in _WINDOWS), None):
        # In front on purpose: the embedded store narrows by the first indexed range of a query,
        # but would take an equality outside `$or` before any range.
        query = _between(floor, ceiling) | {
            "expires_at": {"$gt": at},
            "$or": [{"readers": account_id}, {"readers": EVERYONE}],
        }
        if after:
            query["$and"] = [{"$or": after.following("created_at")}]
        missing = limit - len(found)
        window = stories.find(query).sort(newest_first("created_at")).limit(missing)
        found += await window.to_list(missing)
        if len(found) == limit:
            break
        ceiling = floor
    return found


def _between(floor: datetime | None, ceiling: datetime | None) -> Document:
    bounds: Document = {}
    if floor:
        bounds["$gt"] = floor
    if ceiling:
        bounds["$lte"] = ceiling
    return {"created_at": bounds}

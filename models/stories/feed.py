"""Who may see a story, and the query for a page of what one reader may see.

A story carries its `readers`: account ids, or `EVERYONE`. It is never in two of a reader's keys'
ranges, so the index (readers, created_at, _id) gives each key's part in order and MongoDB merges
them. The embedded store decodes all documents of a range before it sorts; that is why a page
is looked for in windows of time that grow: the first is enough where there is much to see.
"""

from datetime import datetime, timedelta

from models.database import Collection, Document
from models.pages import Position, newest_first
from models.stories.schema import PUBLIC

EVERYONE = "*"
"""The reader of public stories; no account id looks like it."""

_WINDOWS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""How far back to look, one after the other, before looking at all the rest."""


def readers_of(author_id: str, visibility: str, audience: list[str]) -> list[str]:
    """Give the reader keys of a new story."""
    if visibility == PUBLIC:
        return [EVERYONE]
    return list(dict.fromkeys([author_id, *audience]))


def may_read(account_id: str, story: Document) -> bool:
    """Whether an account may see the story, its age aside."""
    return EVERYONE in story["readers"] or account_id in story["readers"]


async def newest_readable(
    stories: Collection, account_id: str, *, at: datetime, after: Position | None, limit: int
) -> list[Document]:
    """Give up to `limit` stories alive at `at` that the account may see, newest first."""
    found: list[Document] = []
    start = after.moment if after else at
    newer: datetime | None = after.moment if after else None
    for floor in (*(start - window for window in _WINDOWS), None):
        query = _between(floor, newer) | {
            "expires_at": {"$gt": at},
            "$or": [{"readers": account_id}, {"readers": EVERYONE}],
        }
        if after:
            query["$and"] = [{"$or": after.following("created_at")}]
        missing = limit - len(found)
        found += (
            await stories.find(query)
            .sort(newest_first("created_at"))
            .limit(missing)
            .to_list(missing)
        )
        if len(found) == limit:
            break
        newer = floor
    return found


def _between(floor: datetime | None, newest: datetime | None) -> Document:
    bounds: Document = {}
    if floor:
        bounds["$gt"] = floor
    if newest:
        bounds["$lte"] = newest
    # First in the query on purpose: the embedded store narrows by the first range it can.
    return {"created_at": bounds} if bounds else {}

"""The query for a page of the stories that one reader may see.

Each story stands in the index (readers, created_at, _id) under its readers, and never under both
keys of one reader, so both stores merge two ranges that are already in order, and read no more than
the page shows and what has expired among it.
"""

from datetime import datetime

from models.database import Document, TypedCollection
from models.pages import Position, newest_first
from models.stories.records import EVERYONE, StoredStory


async def newest_readable(
    stories: TypedCollection[StoredStory],
    account_id: str,
    *,
    at: datetime,
    after: Position | None,
    limit: int,
) -> list[StoredStory]:
    """Return up to `limit` stories alive at `at` that the account may see, newest first."""
    query: Document = {
        "expires_at": {"$gt": at},
        "$or": [{"readers": account_id}, {"readers": EVERYONE}],
    }
    if after:
        # The bound is where reading begins; of the same moment those behind the position are left.
        query["created_at"] = {"$lte": after.moment}
        query["$and"] = [{"$or": after.following("created_at")}]
    return await stories.find(query).sort(newest_first("created_at")).limit(limit).to_list(limit)

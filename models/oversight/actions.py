"""What operators have done: every step of theirs that changes something."""

from datetime import datetime
from typing import TypedDict
from uuid import uuid4

from models.collections import retention_of
from models.database import Database, Filter, typed
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.retention import expire, prepare_expiry
from models.times import Clock, to_text


class StoredAction(TypedDict):
    """A document of `operator_actions`."""

    _id: str
    operator_id: str
    action: str
    subject: str | None
    """The account or thing that it was about."""

    details: str | None
    at: datetime


class ActionView(TypedDict):
    """A step of an operator."""

    id: str
    operator_id: str
    action: str
    subject: str | None
    details: str | None
    at: str


class OperatorActions:
    """The log; it is only added to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._actions = typed(database["operator_actions"], StoredAction)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index, which serves pages as well."""
        await prepare_expiry(self._actions, retention_of("operator_actions"))

    async def sweep(self) -> None:
        """Delete what has had its time."""
        await expire(self._actions, retention_of("operator_actions"), self._clock())

    async def note(
        self, operator_id: str, action: str, subject: str | None = None, details: str | None = None
    ) -> None:
        """Note a step, before it is made: one that fails was tried."""
        await self._actions.insert_one(
            {
                "_id": uuid4().hex,
                "operator_id": operator_id,
                "action": action,
                "subject": subject,
                "details": details,
                "at": self._clock(),
            }
        )

    async def page(
        self, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[ActionView]:
        """Return a page, newest first."""
        query: Filter = {"$or": after.following("at")} if after else {}
        found = (
            await self._actions.find(query).sort(newest_first("at")).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "at")
        return {"items": [_view(action) for action in shown], "next": following}


def _view(action: StoredAction) -> ActionView:
    return {
        "id": action["_id"],
        "operator_id": action["operator_id"],
        "action": action["action"],
        "subject": action["subject"],
        "details": action["details"],
        "at": to_text(action["at"]),
    }

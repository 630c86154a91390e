"""The payment provider's events: each is applied once, and those that cannot be used are listed."""

import asyncio
from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, typed
from models.errors import DomainError, Unavailable
from models.market.stored import StoredWebhook
from models.market.views import UnusableEventView
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.retention import expire, prepare_expiry
from models.times import Clock, to_text

CLAIM = timedelta(seconds=60)
"""After this an attempt that has not finished is dead: an event takes a few writes."""

WAIT_S = 5.0
"""How long a delivery waits for another one of the same event, below the provider's own limit."""

POLL_S = 0.05

CLAIMED, DONE = "claimed", "done"


class Deliveries:
    """Remembers which events were delivered, and what came of them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._events = typed(database["market_webhooks"], StoredWebhook)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes: for forgetting old events, and for the list of unusable ones."""
        await prepare_expiry(self._events, retention_of("market_webhooks"))
        await self._events.create_index([("unusable", 1), ("at", -1), ("_id", -1)])

    async def sweep(self) -> None:
        """Forget events that will not come again."""
        await expire(self._events, retention_of("market_webhooks"), self._clock())

    async def claim(self, event_id: str, kind: str) -> bool:
        """Take an event for this delivery; False when it was applied already.

        Raises:
            Unavailable: code `event_in_flight`: another delivery of it has not finished for long.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + WAIT_S
        while True:
            now = self._clock()
            event: StoredWebhook = {
                "_id": event_id,
                "at": now,
                "type": kind,
                "state": CLAIMED,
                "claimed_at": now,
            }
            try:
                await self._events.insert_one(event)
            except DuplicateKeyError:
                found = await self._events.find_one({"_id": event_id})
                if found is not None and found.get("state", DONE) == DONE:
                    return False
            else:
                return True
            dead = {"_id": event_id, "state": CLAIMED, "claimed_at": {"$lte": now - CLAIM}}
            if await self._events.find_one_and_update(dead, {"$set": {"claimed_at": now}}):
                return True
            if loop.time() >= give_up:
                raise Unavailable(
                    "Another delivery of this event is under way.",
                    code="event_in_flight",
                    retry_after_s=CLAIM.total_seconds(),
                )
            await asyncio.sleep(POLL_S)

    async def finish(self, event_id: str) -> None:
        """Note that an event was applied."""
        await self._events.update_one({"_id": event_id}, {"$set": {"state": DONE}})

    async def release(self, event_id: str) -> None:
        """Let the next delivery try an event again that failed for a reason of this server."""
        await self._events.update_one(
            {"_id": event_id, "state": CLAIMED}, {"$set": {"claimed_at": self._clock() - CLAIM}}
        )

    async def finish_unused(
        self, event_id: str, error: DomainError, *, order_id: str | None, payment_id: str | None
    ) -> None:
        """Note that an event cannot be used, why, and what it named."""
        names = ", ".join(error.fields or ())
        message = f"{error.message} ({names})" if names else error.message
        changes = {
            "state": DONE,
            "unusable": True,
            "problem": {"code": error.code, "message": message},
            "order_id": order_id,
            "payment_id": payment_id,
        }
        await self._events.update_one({"_id": event_id}, {"$set": changes})

    async def list_unusable(
        self, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[UnusableEventView]:
        """Return a page of the events that could not be used, newest first."""
        query: dict[str, object] = {"unusable": True}
        if after:
            query["$or"] = after.following("at")
        found = (
            await self._events.find(query).sort(newest_first("at")).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "at")
        return {"items": [_event_view(each) for each in shown], "next": following}


def _event_view(event: StoredWebhook) -> UnusableEventView:
    """Return an unusable event as operators see it."""
    return {
        "id": event["_id"],
        "type": event["type"],
        "order_id": event["order_id"],
        "payment_id": event["payment_id"],
        "problem": event["problem"],
        "received_at": to_text(event["at"]),
    }

"""Which devices of an account asked for pushes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from pymongo.errors import DuplicateKeyError

from models.database import Database, typed
from models.identity import Identity
from models.notifications.endpoints import check_endpoint
from models.times import Clock

DEVICES_MAX = 10
"""Per account; the oldest makes room for the newest."""


class StoredSubscription(TypedDict):
    """A document of `push_subscriptions`."""

    _id: str
    """The hash of the endpoint: a device's subscription belongs to the one account that subscribed
    last, so a shared device never shows the former user's news."""

    account_id: str
    endpoint: str
    p256dh: str
    """base64url, as `auth`."""

    auth: str
    created_at: datetime
    session_id: str | None
    """The login session in which it was made, with which it ends; None for credentials without
    one."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where and how to push to one device."""

    id: str
    endpoint: str
    p256dh: str
    auth: str


class Subscriptions:
    """The push subscriptions of all accounts."""

    def __init__(self, database: Database, clock: Clock, *, public_only: bool) -> None:
        self._subscriptions = typed(database["push_subscriptions"], StoredSubscription)
        self._clock = clock
        self._public_only = public_only

    async def prepare(self) -> None:
        """Make the index."""
        await self._subscriptions.create_index([("account_id", 1)])

    async def add(self, caller: Identity, *, endpoint: str, keys: dict[str, str]) -> None:
        """Let a device be pushed to, values as `PushSubscription` loads them.

        Raises:
            Invalid: the endpoint is no push service's address.
        """
        check_endpoint(endpoint, public_only=self._public_only)
        subscription: StoredSubscription = {
            "_id": _id_of(endpoint),
            "account_id": caller.account_id,
            "endpoint": endpoint,
            "p256dh": keys["p256dh"],
            "auth": keys["auth"],
            "created_at": self._clock(),
            "session_id": caller.session_id,
        }
        await self._put(subscription)
        kept = await self._of(caller.account_id)
        for oldest in kept[:-DEVICES_MAX]:
            await self.forget(oldest["_id"], caller.account_id)

    async def remove(self, caller: Identity, *, endpoint: str) -> None:
        """End the pushes to this device of the caller; also when it is not known."""
        await self.forget(_id_of(endpoint), caller.account_id)

    async def of(self, account_id: str) -> list[Subscription]:
        """Return the account's devices."""
        return [
            Subscription(found["_id"], found["endpoint"], found["p256dh"], found["auth"])
            for found in await self._of(account_id)
        ]

    async def forget(self, subscription_id: str, account_id: str) -> None:
        """Remove a subscription, unless another account has it now."""
        await self._subscriptions.delete_one({"_id": subscription_id, "account_id": account_id})

    async def _of(self, account_id: str) -> list[StoredSubscription]:
        """Return the account's subscriptions, the oldest first; ten, or a few more for a moment."""
        found = await self._subscriptions.find({"account_id": account_id}).to_list(None)
        return sorted(found, key=lambda subscription: subscription["created_at"])

    async def _put(self, subscription: StoredSubscription) -> None:
        try:
            await self._subscriptions.insert_one(subscription)
        except DuplicateKeyError:
            values = {key: value for key, value in subscription.items() if key != "_id"}
            await self._subscriptions.update_one({"_id": subscription["_id"]}, {"$set": values})


def _id_of(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode()).hexdigest()

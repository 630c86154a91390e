"""Notifications: sent by domains and by other services, once for each cause."""

from collections.abc import Awaitable, Callable, Sequence

from models.accounts.schema import existing
from models.database import Database
from models.events import Publisher
from models.idempotency import key_reused
from models.notifications.account_data import NotificationsAccountData
from models.notifications.inbox import Inbox
from models.notifications.log import Log
from models.notifications.port import Notice
from models.notifications.push import NoPush, Push, message_of, topic_of
from models.notifications.push_drops import PushDrops
from models.notifications.records import Content, StoredNotification, content_of
from models.notifications.subscriptions import Subscriptions
from models.notifications.views import SentView
from models.times import Clock, now

FindAccount = Callable[[str], Awaitable[object | None]]
"""Returns the account with an id, or None."""

QUEUED = "queued"
SKIPPED = "skipped"
NOT_REQUESTED = "not_requested"


class Notifications:
    """Fills the port `Notify`. `inbox` is for users, `subscriptions` for their devices.

    Stored, as `log.Log` says, before anyone is notified. A type that the user muted is stored as
    read and sent to no device. Pushes go to those who subscribed, when `push` can send.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        find_account: FindAccount,
        subscriptions: Subscriptions,
        push: Push | None = None,
        clock: Clock = now,
    ) -> None:
        self.subscriptions = subscriptions
        self.push: Push = push or NoPush()
        self._log = Log(database, publisher, clock)
        self.inbox = Inbox(database, publisher, self._log)
        self._drops = PushDrops(database, clock)
        self._find_account = find_account
        self._clock = clock
        self.account_data = NotificationsAccountData(database, self._log)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.subscriptions.prepare()
        await self.inbox.prepare()
        await self._log.prepare()
        await self._drops.prepare()

    async def sweep(self) -> None:
        """Delete what is old or too much; the next who looks finishes what a crash has left."""
        await self.inbox.forget_old(self._clock())
        await self.inbox.bound()
        await self._log.forget_old()
        await self._drops.sweep()

    async def __call__(
        self, account_id: str, type: str, *, key: str, title: str, message: str, link: str
    ) -> None:
        """Notify an account of a cause, as `port.Notify` says."""
        await self.several(account_id, [Notice(type, key, title, message, link)])

    async def several(self, account_id: str, notices: Sequence[Notice]) -> None:
        """Notify an account of several causes, as `port.Notify` says."""
        wanted: list[tuple[Content, str | None]] = [
            (
                Content(notice.type, notice.title, notice.message, notice.link),
                f"{notice.type}:{notice.key}",
            )
            for notice in notices
        ]
        push = self.push.public_key is not None
        for entry, _ in await self._log.append(account_id, *wanted, push=push):
            if await self._log.claim_push(entry):
                self._queue(entry)

    async def send(
        self,
        *,
        user_id: str,
        type: str,
        title: str,
        message: str,
        link: str = "",
        send_push: bool = False,
        idempotency_key: str | None = None,
    ) -> SentView:
        """Notify a user on behalf of another service; values as `SendNotification` loads them.

        Raises:
            NotFound: code `account_not_found`.
            Invalid: code `key_reused`: with another content.
        """
        existing(await self._find_account(user_id))
        content = Content(type, title, message, link)
        # Causes of domains begin with a type: a service's key is kept apart from them.
        cause = None if idempotency_key is None else f"service:{idempotency_key}"
        wanted = send_push and self.push.public_key is not None
        ((entry, written),) = await self._log.append(user_id, (content, cause), push=wanted)
        if content_of(entry) != content:
            raise key_reused()
        push, reason = NOT_REQUESTED, None
        if send_push:
            reason = await self._push(entry, written=written)
            push = QUEUED if reason is None else SKIPPED
        return {
            "id": entry["number"],
            "user_id": user_id,
            "created": written,
            "push": push,
            "push_reason": reason,
        }

    async def _push(self, entry: StoredNotification, *, written: bool) -> str | None:
        """Queue a push; returns why not, if not."""
        if self.push.public_key is None:
            return "no_vapid_keys"
        if written and entry["muted"]:
            return "muted"
        devices = await self.subscriptions.of(entry["account_id"])
        # Queued right after it is claimed: a repeat that finds it claimed finds it queued.
        if not await self._log.claim_push(entry):
            return "repeated"
        if not devices:
            return "no_subscription"
        return None if self._queue(entry) else "busy"

    def _queue(self, entry: StoredNotification) -> bool:
        # News of one kind about one thing: the last is enough for a device that was off.
        topic = topic_of(entry["type"], entry["link"]) if entry["link"] else None
        return self.push.queue(entry["account_id"], message_of(entry), topic=topic)

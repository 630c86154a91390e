"""Notifications: told by domains and by other services, once for each cause."""

from collections.abc import Awaitable, Callable, Sequence

from models.accounts.schema import existing
from models.database import Database, Document
from models.errors import Conflict
from models.events import Json, Publisher
from models.notifications.inbox import Inbox
from models.notifications.log import Log
from models.notifications.port import Notice
from models.notifications.push import NoPush, Push, message_of
from models.notifications.records import Content, content_of
from models.notifications.subscriptions import Subscriptions
from models.times import Clock, now

FindAccount = Callable[[str], Awaitable[object | None]]
"""Gives the account with an id, or None."""

QUEUED = "queued"
SKIPPED = "skipped"
NOT_REQUESTED = "not_requested"


class Notifications:
    """Fills the port `Notify`. `inbox` is for users, `subscriptions` for their devices.

    Stored, as `log.Log` says, before anyone is told. A type that the user muted is stored as read
    and told to no device. Pushes go to those who subscribed, when `push` can send.
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
        self._find_account = find_account

    async def prepare(self) -> None:
        """Make the index."""
        await self.subscriptions.prepare()

    async def sweep(self) -> None:
        """Do nothing: what a crash interrupted is finished by the next who looks or repeats."""

    async def __call__(
        self, account_id: str, type: str, *, key: str, title: str, message: str, link: str
    ) -> None:
        """Tell an account of a cause, as `port.Notify` says."""
        await self.several(account_id, [Notice(type, key, title, message, link)])

    async def several(self, account_id: str, notices: Sequence[Notice]) -> None:
        """Tell an account of several causes, as `port.Notify` says."""
        wanted: list[tuple[Content, str | None]] = [
            (
                Content(notice.type, notice.title, notice.message, notice.link),
                f"{notice.type}:{notice.key}",
            )
            for notice in notices
        ]
        for entry, written in await self._log.append(account_id, *wanted):
            if written and not entry["muted"] and self.push.public_key is not None:
                self.push.queue(account_id, message_of(entry))

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
    ) -> dict[str, Json]:
        """Tell a user what another service says, values as `SendNotification` loads them.

        Gives `id`, `user_id`, `created` (false for a repeat under the same `idempotency_key`),
        `push`: "queued", "skipped" or "not_requested", and `push_reason` when skipped:
        "no_vapid_keys", "repeated", "muted", "no_subscription" or "busy".

        Raises:
            NotFound: code `account_not_found`.
            Conflict: code `idempotency_key_reused`: with another content.
        """
        existing(await self._find_account(user_id))
        content = Content(type, title, message, link)
        # Causes of domains begin with a type: a service's key is kept apart from them.
        cause = None if idempotency_key is None else f"service:{idempotency_key}"
        ((entry, written),) = await self._log.append(user_id, (content, cause))
        if content_of(entry) != content:
            raise Conflict(
                "This idempotency key was used for another notification.",
                code="idempotency_key_reused",
            )
        push, reason = NOT_REQUESTED, None
        if send_push:
            reason = await self._push(entry, written)
            push = QUEUED if reason is None else SKIPPED
        return {
            "id": entry["number"],
            "user_id": user_id,
            "created": written,
            "push": push,
            "push_reason": reason,
        }

    async def _push(self, entry: Document, written: bool) -> str | None:
        """Queue a push; gives why not, if not."""
        account_id: str = entry["account_id"]
        if self.push.public_key is None:
            return "no_vapid_keys"
        if not written:
            return "repeated"
        if entry["muted"]:
            return "muted"
        if not await self.subscriptions.of(account_id):
            return "no_subscription"
        return None if self.push.queue(account_id, message_of(entry)) else "busy"

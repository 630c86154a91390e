"""Sends pushes in the background: encrypted, signed, and tried again where a service says so.

Accounts take turns: one notification of each is pushed at a time, to all its devices at once, so an
account whose devices hang or that is sent thousands holds up no one else. A device that cannot be
reached is left alone for a while. What is dropped is counted by its reason in
`WebPushSender.dropped`, which is logged once a minute while it grows, and kept for operators
(`python -m app pushes`).
"""

import asyncio
import logging
import re
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pywebpush import WebPusher, WebPushException

from app.push.addresses import PublicResolver
from app.push.vapid import VapidKeys
from models.errors import DomainError, Invalid
from models.notifications.endpoints import check_endpoint
from models.notifications.push import NORMAL
from models.notifications.push_drops import PushDrops
from models.notifications.subscriptions import DEVICES_MAX, Subscription, Subscriptions

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""For one push, connecting included."""

WAITING_MAX = 1_000
"""Notifications waiting to be pushed; beyond it one of the account that has most makes room: a push
that comes late is worth little, and the inbox has them all."""

WAITING_PER_ACCOUNT = 100
"""Of them for one account: far beyond what a person reads on a device."""

AT_ONCE_MAX = 20
"""Accounts pushed to at the same time."""

CONNECTIONS_MAX = 2 * AT_ONCE_MAX * DEVICES_MAX
"""So many that no push waits for one that hangs, retries included."""

BACKOFF_S = 30.0
"""For which a device is left alone that could not be reached; doubled each time."""

BACKOFF_MAX_S = 3_600.0
BACKOFFS_MAX = 10_000
"""Devices remembered as not reachable; the one remembered longest is tried again."""

LOG_INTERVAL_S = 60.0
"""Between two lines in the log about what was dropped."""

KEEP_S = 24 * 3600
"""TTL (RFC 8030): how long a push service keeps a message for a device that is off."""

HOSTS_MAX = 1_000
"""Services that are remembered as refusing; there are five large ones, but clients name them."""

DRAIN_S = 0.5
"""How long a stopping server lets pushes come to their end."""

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
"""The subscription has ended (RFC 8030, 7.3)."""

REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""The subscription was made with another key (RFC 8292, 4.2) or is none to this service, or this
server's signature is wrong (RFC 8292, 2.4); services use these statuses for either."""

LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

TRIES = 3
"""Of one push to one device."""

RETRY_S = 30.0
"""Before a push is tried again where its service does not say when; doubled each time."""

RETRY_MAX_S = 900.0
"""A service that wants more time is left: the inbox has the notification, and the news is old."""

RETRIES_MAX = 1_000
"""Pushes that wait to be tried again, apart from `WAITING_MAX`: a service that is overloaded takes
no place from the others. Each keeps up to 3 KB."""


RETRIES_PER_ACCOUNT = 50
"""Of them for one account: a few notifications to all its devices."""

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Message:
    """What is pushed, and how (RFC 8030, 5.3 and 5.4)."""

    body: bytes
    urgency: str
    topic: str | None


class _Outcome(Enum):
    """What became of one push to one device."""

    SENT = "sent"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    DEAD = "dead"
    """It will never take one: the subscription is removed."""


class _Services:
    """What push services, by host, have said of this server's key since it was started."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}

    def accepted(self, host: str) -> None:
        """Note that the service has taken a push."""
        self._refused.pop(host, None)

    def blames_subscription(self, host: str) -> bool:
        """Judge a refusal: whether it is about the subscription, and not about this server's key.

        A key that a service does not accept is refused for each device, one after the other. So the
        first refusal since a push was accepted is the subscription's fault, and those that follow
        are not: a wrong key does not cost the subscriptions of everyone.
        """
        refused = self._refused.get(host, 0)
        if refused or len(self._refused) < HOSTS_MAX:
            self._refused[host] = refused + 1
        return refused == 0


class _Backoff:
    """Devices that could not be reached, and until when they are left alone."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}

    def is_over(self, device_id: str, at: float) -> bool:
        """Whether a device may be tried at this time of the loop."""
        return self._failed.get(device_id, (0, at))[1] <= at

    def failed(self, device_id: str, at: float) -> None:
        """Leave a device alone, longer each time."""
        count = self._failed.pop(device_id, (0, 0.0))[0] + 1
        while len(self._failed) >= BACKOFFS_MAX:
            del self._failed[next(iter(self._failed))]
        wait_s = min(BACKOFF_S * 2.0 ** min(count - 1, 16), BACKOFF_MAX_S)
        self._failed[device_id] = (count, at + wait_s)

    def reached(self, device_id: str) -> None:
        """Forget that a device could not be reached."""
        self._failed.pop(device_id, None)


class _Waiting:
    """Messages by account, which take turns."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Message]] = {}
        self._turns: deque[str] = deque()
        self._served: set[str] = set()
        self.count = 0

    def has_room(self, account_id: str) -> bool:
        """Whether the account may have one more message waiting."""
        return len(self._queues.get(account_id, ())) < WAITING_PER_ACCOUNT

    def make_room(self, account_id: str) -> bool:
        """Drop the oldest message of who has most, if that is more than the account has."""
        largest = max(self._queues, key=lambda name: len(self._queues[name]), default=account_id)
        if len(self._queues.get(largest, ())) <= len(self._queues.get(account_id, ())) + 1:
            return False
        self._queues[largest].popleft()
        self.count -= 1
        return True

    def put(self, account_id: str, message: Message) -> None:
        """Add a message."""
        queue = self._queues.get(account_id)
        if queue is None:
            queue = self._queues[account_id] = deque()
            if account_id not in self._served:
                self._turns.append(account_id)
        queue.append(message)
        self.count += 1

    def begin(self) -> tuple[str, Message] | None:
        """Take the message whose turn it is; its account has no other turn before `end`."""
        if not self._turns:
            return None
        account_id = self._turns.popleft()
        queue = self._queues[account_id]
        message = queue.popleft()
        if not queue:
            del self._queues[account_id]
        self._served.add(account_id)
        return account_id, message

    def end(self, account_id: str) -> None:
        """Let the account come to its next turn, after the others."""
        self._served.discard(account_id)
        self.count -= 1
        if account_id in self._queues:
            self._turns.append(account_id)

    def clear(self) -> int:
        """Drop what waits; return how many."""
        dropped = sum(map(len, self._queues.values()))
        self._queues.clear()
        self._turns.clear()
        self.count -= dropped
        return dropped


class WebPushSender:
    """Implements `models.notifications.push.Push`; `close` it at the end."""

    def __init__(
        self,
        keys: VapidKeys,
        subscriptions: Subscriptions,
        drops: PushDrops,
        *,
        public_only: bool,
    ) -> None:
        self._keys = keys
        self._subscriptions = subscriptions
        self._drops = drops
        self._unsaved: Counter[str] = Counter()
        self._saving: asyncio.Task[None] | None = None
        self._public_only = public_only
        self._tasks: set[asyncio.Task[None]] = set()
        self._retries: set[asyncio.Task[None]] = set()
        self._retries_of: Counter[str] = Counter()
        self._services = _Services()
        self._backoff = _Backoff()
        self._waiting = _Waiting()
        self._closed = False
        self._stopping = asyncio.Event()
        self._retry_slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._logged_at = -LOG_INTERVAL_S
        self.dropped: Counter[str] = Counter()
        """Pushes dropped since the start, by reason: `busy` (notifications), `unreachable`,
        `backing_off`, `service_busy` and `stopped`."""

        self._http: aiohttp.ClientSession | None = None

    @property
    def public_key(self) -> str:
        """The VAPID public key."""
        return self._keys.public_key

    @property
    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return self._waiting.count

    def queue(
        self, account_id: str, message: bytes, *, urgency: str = NORMAL, topic: str | None = None
    ) -> bool:
        """Take a message for all devices of an account; False when too many wait."""
        full = self._waiting.count >= WAITING_MAX
        if self._closed or not self._waiting.has_room(account_id):
            self._drop("stopped" if self._closed else "busy")
            return False
        if full:
            self._drop("busy")
            if not self._waiting.make_room(account_id):
                return False
        self._waiting.put(account_id, Message(message, urgency, topic))
        self._take_turns()
        return True

    async def close(self) -> None:
        """Let what is under way end in a moment, drop what waits, close the connections."""
        self._closed = True
        if waiting := self._waiting.clear():
            self._drop("stopped", waiting)
        for retry in self._retries:
            retry.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._stopping.set()
        if self._saving is not None:
            await self._saving
        await self._save_drops()
        if self._http is not None:
            await self._http.close()

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped[reason] += count
        self._unsaved[reason] += count
        if not self._closed and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save_drops_later())
        at = asyncio.get_running_loop().time()
        if at >= self._logged_at + LOG_INTERVAL_S:
            self._logged_at = at
            logger.warning("pushes dropped since the start: %s", dict(self.dropped))

    async def _save_drops_later(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOG_INTERVAL_S):
                await self._stopping.wait()
        await self._save_drops()

    async def _save_drops(self) -> None:
        unsaved, self._unsaved = self._unsaved, Counter()
        try:
            await self._drops.add(unsaved)
        except DomainError as error:
            self._unsaved += unsaved
            logger.warning("dropped pushes are not counted yet: %s", error.message)

    def _take_turns(self) -> None:
        while len(self._tasks) < AT_ONCE_MAX and (turn := self._waiting.begin()) is not None:
            task = asyncio.create_task(self._push_to_all(*turn))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end_turn, turn[0]))

    def _end_turn(self, account_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._waiting.end(account_id)
        self._take_turns()

    async def _push_to_all(self, account_id: str, message: Message) -> None:
        try:
            devices = await self._subscriptions.of(account_id)
            await asyncio.gather(
                *(self._push_to(device, account_id, message, 1) for device in devices)
            )
        except DomainError as error:
            logger.warning("no push to account %s: %s", account_id, error.message)
        except Exception:
            logger.exception("no push to account %s", account_id)

    async def _push_to(
        self, to: Subscription, account_id: str, message: Message, attempt: int
    ) -> None:
        loop = asyncio.get_running_loop()
        if not self._backoff.is_over(to.id, loop.time()):
            self._drop("backing_off")
            return
        outcome = await self._push(to, message)
        if outcome is _Outcome.UNREACHABLE:
            self._backoff.failed(to.id, loop.time())
            self._drop("unreachable")
            return
        self._backoff.reached(to.id)
        if outcome is _Outcome.DEAD:
            await self._subscriptions.forget(to.id, account_id)
        elif isinstance(outcome, float) and attempt < TRIES:
            delay_s = outcome or RETRY_S * 2 ** (attempt - 1)
            full = len(self._retries) >= RETRIES_MAX
            if delay_s > RETRY_MAX_S or full or self._retries_of[account_id] >= RETRIES_PER_ACCOUNT:
                logger.warning("a push to account %s is dropped: its service is busy", account_id)
                self._drop("service_busy")
                return
            task = asyncio.create_task(
                self._push_later(delay_s, to, account_id, message, attempt + 1)
            )
            self._retries.add(task)
            self._retries_of[account_id] += 1
            task.add_done_callback(partial(self._end_retry, account_id))

    def _end_retry(self, account_id: str, task: asyncio.Task[None]) -> None:
        self._retries.discard(task)
        self._retries_of[account_id] -= 1
        if not self._retries_of[account_id]:
            del self._retries_of[account_id]

    async def _push_later(
        self, delay_s: float, to: Subscription, account_id: str, message: Message, attempt: int
    ) -> None:
        await asyncio.sleep(delay_s)
        async with self._retry_slots:
            try:
                # It may have ended meanwhile, or belong to another account.
                if to in await self._subscriptions.of(account_id):
                    await self._push_to(to, account_id, message, attempt)
            except Exception:
                logger.exception("no push to account %s", account_id)

    async def _push(self, to: Subscription, message: Message) -> _Outcome | float:
        """Push to one device; return what came of it, or the seconds after which to try again.

        0 means that the service did not say when.
        """
        host = urlsplit(to.endpoint).hostname or ""
        try:
            # Again, because the rules may have changed since it was stored; a literal address
            # never meets the resolver.
            check_endpoint(to.endpoint, public_only=self._public_only)
            headers, body = await asyncio.to_thread(self._sealed, to, message)
        except (Invalid, ValueError, WebPushException) as error:
            logger.warning("a push subscription at %s is of no use: %r", host, error)
            return _Outcome.DEAD
        try:
            async with self._session().post(
                to.endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("push service %s cannot be reached: %r", host, error)
            return _Outcome.UNREACHABLE
        if status < HTTPStatus.MULTIPLE_CHOICES:
            self._services.accepted(host)
            return _Outcome.SENT
        if status in GONE:
            return _Outcome.DEAD
        logger.warning("push service %s answered %d", host, status)
        if status in LATER:
            return seconds_of(retry_after)
        if status in REFUSED:
            if self._services.blames_subscription(host):
                return _Outcome.DEAD
            logger.error(
                "push service %s refuses one device after the other:"
                " check VAPID_PRIVATE_KEY and VAPID_SUBJECT",
                host,
            )
        return _Outcome.FAILED

    def _sealed(self, to: Subscription, message: Message) -> tuple[dict[str, str], bytes]:
        """Encrypt (RFC 8291) and sign: the headers and the body of a push."""
        info = {"endpoint": to.endpoint, "keys": {"p256dh": to.p256dh, "auth": to.auth}}
        encoded: Any = WebPusher(info).encode(message.body, content_encoding="aes128gcm")
        headers = {
            "Authorization": self._keys.authorization(to.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEEP_S),
            "Urgency": message.urgency,
        }
        if message.topic is not None:
            headers["Topic"] = message.topic
        return headers, encoded["body"]

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            resolver = PublicResolver() if self._public_only else None
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=CONNECTIONS_MAX),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http


def seconds_of(retry_after: str | None) -> float:
    """Return the seconds that a `Retry-After` asks for (RFC 9110, 10.2.3), 0 where it is none."""
    text = retry_after or ""
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())

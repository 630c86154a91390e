"""Sends pushes in the background: encrypted, signed, one try for each device."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pywebpush import WebPusher, WebPushException

from app.push.addresses import PublicResolver
from app.push.vapid import VapidKeys
from models.errors import DomainError, Invalid
from models.notifications.endpoints import check_endpoint
from models.notifications.subscriptions import Subscription, Subscriptions

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""For one push, connecting included."""

WAITING_MAX = 1_000
"""Notifications waiting to be pushed; more are not taken: a push that comes late is worth little,
and the inbox has them all."""

AT_ONCE_MAX = 20
KEEP_S = 24 * 3600
"""TTL (RFC 8030): how long a push service keeps a message for a device that is off."""

DRAIN_S = 0.5
"""How long a stopping server lets pushes come to their end."""

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class WebPushSender:
    """Implements `models.notifications.push.Push`; `close` it at the end."""

    def __init__(self, keys: VapidKeys, subscriptions: Subscriptions, *, public_only: bool) -> None:
        self._keys = keys
        self._subscriptions = subscriptions
        self._public_only = public_only
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._http: aiohttp.ClientSession | None = None

    @property
    def public_key(self) -> str:
        """The VAPID public key."""
        return self._keys.public_key

    def queue(self, account_id: str, message: bytes) -> bool:
        """Take a message for all devices of an account; False when too many wait."""
        if len(self._tasks) >= WAITING_MAX:
            return False
        task = asyncio.create_task(self._push_to_all(account_id, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        """Give what is under way a moment, then close the connections."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _push_to_all(self, account_id: str, message: bytes) -> None:
        async with self._slots:
            try:
                devices = await self._subscriptions.of(account_id)
                gone = await asyncio.gather(*(self._is_gone(to, message) for to in devices))
                for device in (to for to, is_gone in zip(devices, gone, strict=True) if is_gone):
                    await self._subscriptions.forget(device.id, account_id)
            except DomainError as error:
                logger.warning("no push to account %s: %s", account_id, error.message)
            except Exception:
                logger.exception("no push to account %s", account_id)

    async def _is_gone(self, to: Subscription, message: bytes) -> bool:
        """Push to one device; True when it will never take one again."""
        host = urlsplit(to.endpoint).hostname
        try:
            # Again, because the rules may have changed since it was stored; a literal address
            # never meets the resolver.
            check_endpoint(to.endpoint, public_only=self._public_only)
            headers, body = await asyncio.to_thread(self._sealed, to, message)
        except (Invalid, ValueError, WebPushException) as error:
            logger.warning("a push subscription at %s is of no use: %r", host, error)
            return True
        try:
            async with self._session().post(
                to.endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("push service %s cannot be reached: %r", host, error)
            return False
        if status >= HTTPStatus.MULTIPLE_CHOICES and status not in GONE:
            logger.warning("push service %s answered %d", host, status)
        return status in GONE

    def _sealed(self, to: Subscription, message: bytes) -> tuple[dict[str, str], bytes]:
        """Encrypt (RFC 8291) and sign: the headers and the body of a push."""
        info = {"endpoint": to.endpoint, "keys": {"p256dh": to.p256dh, "auth": to.auth}}
        encoded: Any = WebPusher(info).encode(message, content_encoding="aes128gcm")
        headers = {
            "Authorization": self._keys.authorization(to.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEEP_S),
        }
        return headers, encoded["body"]

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            resolver = PublicResolver() if self._public_only else None
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=AT_ONCE_MAX),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

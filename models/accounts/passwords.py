"""Passwords: argon2id, hashed on a few threads, off the event loop, in fair order."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from models.accounts.queue import Client, FairQueue, Urgency

_Result = TypeVar("_Result")

THREADS = 2
"""Each hash under way takes 64 MiB; a small dyno has 512."""

ANYONE = Client()
"""The client of work that no request asked for: an operator's command."""


class Passwords:
    """Hashes and verifies; parameters are those of `hasher` (default: RFC 9106, low memory).

    Verifying goes before hashing, because people who log in should not wait for those who sign
    up; among each, clients take turns.
    """

    def __init__(
        self, hasher: PasswordHasher | None = None, queue: FairQueue | None = None
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._queue = FairQueue(THREADS) if queue is None else queue
        self._decoy: str | None = None
        self._closed = False

    async def hash(
        self, password: str, client: Client = ANYONE, urgency: Urgency = Urgency.SIGNUP
    ) -> str:
        """Return the encoded argon2id hash.

        Raises:
            TooManyRequests: the client has too many requests waiting.
            Unavailable: code `busy`: too many requests are waiting.
        """
        return await self._run(lambda: self._hasher.hash(_normal(password)), client, urgency)

    async def verify(
        self, password_hash: str | None, password: str, client: Client = ANYONE
    ) -> bool:
        """Return whether `password` made `password_hash`.

        None, for "no such account", does the same work as a wrong password and is False.

        Raises:
            TooManyRequests: the client has too many requests waiting.
            Unavailable: code `busy`: too many requests are waiting.
        """
        return await self._run(
            lambda: self._matches(password_hash, _normal(password)), client, Urgency.LOGIN
        )

    def waiting(self) -> int:
        """Return how many passwords wait for a thread."""
        return len(self._queue)

    def outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Release the threads; hashes not yet begun are dropped, the others are not waited for."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def prepare(self) -> None:
        """Make the decoy that unknown e-mails are verified against; takes one hash's time."""
        self._decoy = self._hasher.hash("no account has this password")

    def _matches(self, password_hash: str | None, password: str) -> bool:
        if self._decoy is None:
            self.prepare()
        try:
            matched = self._hasher.verify(password_hash or self._decoy or "", password)
        except (Argon2Error, InvalidHashError):
            return False
        return matched and password_hash is not None

    async def _run(self, work: Callable[[], _Result], client: Client, urgency: Urgency) -> _Result:
        async with self._queue.turn(client, urgency):
            task = asyncio.get_running_loop().run_in_executor(self._threads, work)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if not self._closed:
                    # The thread cannot be stopped: its slot is free when it is done, not before.
                    await asyncio.wait([task])
                raise


def _normal(password: str) -> str:
    """Normalise what keyboards write in several forms (NFKC, as NIST SP 800-63B advises)."""
    return unicodedata.normalize("NFKC", password)

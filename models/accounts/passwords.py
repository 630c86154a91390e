"""Passwords: argon2id, hashed beside the event loop on few threads."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from models.errors import Unavailable

_Result = TypeVar("_Result")

THREADS = 2
"""Each hash under way takes 64 MiB; a small dyno has 512."""

MAX_WAITING = 64
"""Past it a login would wait for seconds; it is refused at once instead."""


class Passwords:
    """Hashes and verifies; parameters are those of `hasher` (default: RFC 9106, low memory)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Give the encoded argon2id hash.

        Raises:
            Unavailable: too many hashes are waiting already.
        """
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether `password` made `password_hash`.

        None, for "no such account", does the same work as a wrong password and is False.

        Raises:
            Unavailable: too many hashes are waiting already.
        """
        return await self._run(lambda: self._matches(password_hash, _normal(password)))

    def outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Let the threads go; hashes not yet begun are dropped."""
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

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many logins at once; try again.", code="busy", retry_after_s=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    """Give one form to what keyboards write in several (NFKC, as NIST SP 800-63B advises)."""
    return unicodedata.normalize("NFKC", password)

"""Password hashing beside the event loop."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from models.accounts import Passwords, passwords
from models.errors import Unavailable
from tests.conftest import CHEAP


class HeldHasher(PasswordHasher):
    """Hashes only when it is let go."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.go.wait()
        return super().hash(password, salt=salt)


async def test_verify() -> None:
    """A hash is matched by its password only, a missing or broken one by nothing."""
    made = Passwords(CHEAP)
    hashed = await made.hash("correct horse")
    assert await made.verify(hashed, "correct horse")
    assert not await made.verify(hashed, "wrong horse")
    assert not await made.verify(None, "correct horse")
    assert not await made.verify("no hash", "correct horse")
    made.close()


def test_default_parameters() -> None:
    """Unless told otherwise, hashes are argon2id with at least 19 MiB and two passes."""
    hasher = Passwords()._hasher
    assert hasher.type.name == "ID"
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2


async def test_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many hashes wait, the next is refused at once and the loop stays free."""
    monkeypatch.setattr(passwords, "MAX_WAITING", 3)
    hasher = HeldHasher()
    made = Passwords(hasher)
    waiting = [asyncio.ensure_future(made.hash("x")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refusal:
        await made.hash("x")
    assert refusal.value.code == "busy"
    assert refusal.value.retry_after_s
    hasher.go.set()
    assert len(await asyncio.gather(*waiting)) == 3
    assert await made.hash("x")
    made.close()

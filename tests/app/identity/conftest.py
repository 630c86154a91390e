"""Fixtures for tests of Firebase tokens."""

from collections.abc import AsyncIterator

import pytest

from app.identity.firebase import FirebaseTokens
from tests.app.identity.jwks_server import PROJECT, JwksServer


class Seconds:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def jwks() -> AsyncIterator[JwksServer]:
    """A JWKS address with the key `one`."""
    made = JwksServer()
    made.add_key("one")
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def firebase(jwks: JwksServer, seconds: Seconds) -> AsyncIterator[FirebaseTokens]:
    """A verifier for tokens of `jwks`."""
    made = FirebaseTokens(PROJECT, jwks.url, seconds)
    yield made
    await made.close()

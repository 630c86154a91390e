"""Live connections end when their account is disabled or their session is logged out."""

import asyncio
from datetime import timedelta

import pytest

from app.identity.revocation import OVERLAP, RevocationWatch
from models.errors import Unavailable
from tests.live import PATIENCE_S


class RecordingDoor:
    """Notes who was turned out."""

    def __init__(self):
        self.turned_out = asyncio.Queue()

    def turn_out(self, accounts, sessions):
        self.turned_out.put_nowait((accounts, sessions))


@pytest.fixture
def door():
    return RecordingDoor()


@pytest.fixture
def watch(accounts, door, clock):
    return RevocationWatch(accounts, [door], interval_s=0.01, clock=clock)


async def test_a_look_finds_what_ended_since(accounts, door, watch, clock):
    """Accounts and sessions that ended after the given moment are turned out, no others."""
    before, disabled, enabled, _ = [
        await accounts.find_or_create_by_email(f"{name}@example.com")
        for name in ("before", "disabled", "enabled", "untouched")
    ]
    await accounts.disable(before.id)
    since = clock()
    clock.move(timedelta(seconds=1))
    await accounts.disable(disabled.id)
    await accounts.disable(enabled.id)
    await accounts.enable(enabled.id)
    ended = await accounts.sessions.open(enabled.id)
    await accounts.sessions.open(enabled.id)
    await accounts.sessions.revoke(ended.id)
    await watch.look(since)
    assert door.turned_out.get_nowait() == ({disabled.id}, {ended.id})


async def test_nobody_is_disturbed_when_nothing_ended(accounts, door, watch, clock):
    """A look that finds nothing asks nothing of the doors."""
    account = await accounts.find_or_create_by_email("someone@example.com")
    await accounts.sessions.open(account.id)
    await watch.look(clock() - OVERLAP)
    assert door.turned_out.empty()


async def test_the_watch_goes_on_after_an_outage(accounts, door, clock):
    """What was ended while the database was away is found when it is back."""
    account = await accounts.find_or_create_by_email("someone@example.com")

    class Flaky:
        sessions = accounts.sessions
        failures = 0

        async def disabled_since(self, moment):
            if self.failures < 2:
                self.failures += 1
                raise Unavailable("The database is away.")
            return await accounts.disabled_since(moment)

    flaky = Flaky()
    watch = asyncio.create_task(RevocationWatch(flaky, [door], interval_s=0.01, clock=clock).run())
    await accounts.disable(account.id)
    ended = await asyncio.wait_for(door.turned_out.get(), PATIENCE_S)
    assert ended == ({account.id}, set())
    assert flaky.failures == 2
    watch.cancel()


async def test_every_door_of_a_server_closes(serve):
    """An account disabled elsewhere is soon off `/ws` (4003) and off its namespaces."""
    server = await serve(revocation_check_s=0.05)
    account = await server.account("someone")
    other = await server.raw(await server.token("other"))
    raw, socket = (
        await server.raw(server.issue(account)),
        await server.socketio(server.issue(account)),
    )
    await server.accounts.disable(account.id)
    assert await raw.closed() == 4003
    await socket.gone()
    assert (await other.ask({"type": "ping"}))["type"] == "pong"


async def test_a_logout_ends_its_own_connections_only(serve):
    """Logging out one device ends that device's connections; another session's stay."""
    server = await serve(revocation_check_s=0.05)
    account = await server.account("someone")
    laptop, phone = [await server.accounts.sessions.open(account.id) for _ in range(2)]
    stays = await server.socketio(server.issue(account, session_id=phone.id))
    goes = await server.socketio(server.issue(account, session_id=laptop.id))
    raw = await server.raw(server.issue(account, session_id=laptop.id))
    status, _ = await server.call(
        server.issue(account, session_id=laptop.id), "POST", "/api/v1/auth/logout"
    )
    assert status == 204
    assert await raw.closed() == 4001
    await goes.gone()
    assert "data" in await stays.call("list_stories", {})

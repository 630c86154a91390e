"""Live connections end when their account is disabled or their session is logged out."""

import asyncio
from datetime import timedelta

import pytest

from app.identity.authenticator import identity_of
from app.identity.revocation import OPENING_S, RevocationWatch
from models.accounts import Accounts
from models.errors import Unavailable
from tests.live import PATIENCE_S


class Holder:
    """Keeps what it was last asked to close."""

    def __init__(self):
        self.asked = asyncio.Queue()

    def close_revoked(self, revocations):
        self.asked.put_nowait(list(revocations))


class Monotonic:
    """Seconds that pass when told to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def holder():
    return Holder()


@pytest.fixture
def monotonic():
    return Monotonic()


@pytest.fixture
def watch(accounts, holder, monotonic):
    return RevocationWatch(accounts.revocations, [holder], interval_s=0.01, clock=monotonic)


async def account_of(accounts, name):
    return await accounts.find_or_create_by_email(f"{name}@example.com")


async def test_a_look_finds_what_ended_since_the_last(accounts, holder, watch):
    """Accounts and sessions that ended after the beginning are closed, no others."""
    before, disabled, other = [
        await account_of(accounts, name) for name in ("before", "disabled", "other")
    ]
    await accounts.disable(before.id)
    await watch.begin()
    await accounts.disable(disabled.id)
    ended, open_ = [await accounts.sessions.open(other.id) for _ in range(2)]
    await accounts.sessions.revoke(ended.id)
    await watch.look()
    revocations = holder.asked.get_nowait()

    def closed(identity):
        return any(entry.covers(identity) for entry in revocations)

    assert closed(identity_of(disabled))
    assert closed(identity_of(other, ended.id))
    assert not closed(identity_of(other, open_.id))
    assert not closed(identity_of(other))
    assert not closed(identity_of(before))


async def test_who_comes_back_is_not_closed_again(accounts, holder, watch):
    """After disabling and enabling, old identities are covered and new ones are not."""
    account = await account_of(accounts, "someone")
    await watch.begin()
    await accounts.disable(account.id)
    enabled = await accounts.enable(account.id)
    await watch.look()
    (revocation,) = holder.asked.get_nowait()
    assert revocation.covers(identity_of(account))
    assert not revocation.covers(identity_of(enabled))


async def test_a_revocation_is_applied_while_connections_may_be_opening(
    accounts, holder, watch, monotonic
):
    """A connection that was opening meanwhile is found by a later look; then it is forgotten."""
    account = await account_of(accounts, "someone")
    await watch.begin()
    await accounts.disable(account.id)
    for _ in range(2):
        await watch.look()
        assert holder.asked.get_nowait()[0].account_id == account.id
    monotonic.seconds += OPENING_S + 1
    await watch.look()
    assert holder.asked.empty()


async def test_the_clock_of_the_one_who_disables_does_not_matter(
    database, passwords, accounts, holder, watch, clock
):
    """An account disabled by a process whose clock is minutes behind is closed all the same."""
    account = await account_of(accounts, "someone")
    await watch.begin()
    behind = Accounts(database, passwords, clock=lambda: clock() - timedelta(minutes=2))
    await behind.disable(account.id)
    await watch.look()
    assert holder.asked.get_nowait()[0].covers(identity_of(account))


async def test_writers_at_once_leave_no_gap(accounts, clock):
    """Entries written at the same time are numbered 1, 2, 3 … and none is lost."""
    revocations = accounts.revocations
    await asyncio.gather(*(revocations.append(str(number), version=1) for number in range(10)))
    entries = await revocations.after(0)
    assert [entry.number for entry in entries] == [*range(1, 11)]
    assert {entry.account_id for entry in entries} == {str(number) for number in range(10)}


async def test_old_entries_are_forgotten_and_numbers_go_on(accounts, clock):
    """A sweep after days leaves the newest entry, from which numbers continue."""
    revocations = accounts.revocations
    for account_id in ("1", "2"):
        await revocations.append(account_id, version=1)
    clock.move(timedelta(days=2))
    await revocations.sweep()
    await revocations.append("3", version=1)
    assert [entry.number for entry in await revocations.after(0)] == [2, 3]


async def test_nobody_is_disturbed_when_nothing_ended(accounts, holder, watch):
    """A look that finds nothing asks nothing of the holders."""
    account = await account_of(accounts, "someone")
    await accounts.sessions.open(account.id)
    await watch.look()
    assert holder.asked.empty()


async def test_the_watch_goes_on_after_an_outage(accounts, holder):
    """What was ended while the database was away is found when it is back."""
    account = await account_of(accounts, "someone")

    class Flaky:
        failures = 0

        async def newest(self):
            return 0

        async def after(self, number):
            if self.failures < 2:
                self.failures += 1
                raise Unavailable("The database is away.")
            return await accounts.revocations.after(number)

    flaky = Flaky()
    watch = asyncio.create_task(RevocationWatch(flaky, [holder], interval_s=0.01).run())
    await accounts.disable(account.id)
    asked = await asyncio.wait_for(holder.asked.get(), PATIENCE_S)
    assert [entry.account_id for entry in asked] == [account.id]
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


async def test_a_token_of_before_opens_nothing_after(serve):
    """A token without a session ends with the account's credentials; a new one is good."""
    server = await serve()
    account = await server.account("someone")
    old = server.issue(account)
    renewed = await server.accounts.end_credentials(account.id)
    status, problem = await server.call(old, "GET", "/api/v1/auth/me")
    assert (status, problem["code"]) == (401, "session_ended")
    assert (await server.call(server.issue(renewed), "GET", "/api/v1/auth/me"))[0] == 200

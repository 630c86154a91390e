"""Identities that a process remembers: what is asked again, and when."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.identity import cache
from app.identity.authenticator import Authenticator
from app.identity.cache import IdentityCache
from app.identity.own_jwt import OwnTokens
from models.accounts import Accounts, Passwords
from models.database import Database
from models.errors import Forbidden, Unauthorized
from models.identity import Identity
from tests.stories_world import HandClock

SECRET = "a secret of this test, long enough for HS256"
AGE_S = 10.0


class Counted:
    """Authenticates, counts how often, and can be held up after it has read."""

    def __init__(self, authenticate: Authenticator) -> None:
        self.asked = 0
        self.read = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._authenticate = authenticate

    async def __call__(self, token: str | None) -> Identity:
        self.asked += 1
        identity = await self._authenticate(token)
        self.read.set()
        await self.go_on.wait()
        return identity


class Seconds:
    """A clock of seconds that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A cache as `app.main` wires it, and another process on the same database."""

    def __init__(self, accounts: Accounts, others: Accounts) -> None:
        self.accounts, self.others = accounts, others
        self.tokens = OwnTokens(SECRET, timedelta(hours=1))
        self.counted = Counted(Authenticator(accounts, self.tokens))
        self.seconds, self.wall = Seconds(), Seconds()
        self.wall.now = 0.0
        self.cache = IdentityCache(
            self.counted, max_age_s=AGE_S, clock=self.seconds, wall_clock=self.wall
        )
        accounts.revocations.when_appended(self.cache.forget)
        accounts.people.when_changed(self.cache.forget)

    async def sign_up(self, name: str = "ann") -> str:
        account = await self.accounts.sign_up(f"{name}@example.com", "password123", name)
        session = await self.accounts.sessions.open(account.id)
        return self.tokens.issue(account, session.id)

    async def code(self, token: str) -> str:
        with pytest.raises((Unauthorized, Forbidden)) as refused:
            await self.cache(token)
        return refused.value.code


@pytest.fixture
def world(accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock) -> World:
    return World(accounts, Accounts(database, passwords, clock=clock))


async def test_a_token_is_verified_once(world: World) -> None:
    """The second time is free; another token of the account, and a wrong one, are asked for."""
    token = await world.sign_up()
    first = await world.cache(token)
    assert (await world.cache(token), world.counted.asked) == (first, 1)
    assert await world.code(token + "x") == "token_invalid"
    assert await world.code(token + "x") == "token_invalid"
    assert await world.code("\udcff") == "token_invalid"
    assert world.counted.asked == 4


@pytest.mark.parametrize("way", ["session", "others", "disable", "credentials"])
async def test_what_this_process_ends_ends_at_once(world: World, way: str) -> None:
    """Whoever was answered that a session or all credentials have ended can rely on it."""
    token, bystander = await world.sign_up(), await world.sign_up("bob")
    identity = await world.cache(token)
    await world.cache(bystander)
    assert identity.session_id is not None
    ends: dict[str, Any] = {
        "session": lambda: world.accounts.sessions.revoke(identity.session_id or ""),
        "others": lambda: world.accounts.sessions.end_others(identity.account_id, None),
        "disable": lambda: world.accounts.disable(identity.account_id),
        "credentials": lambda: world.accounts.end_credentials(identity.account_id),
    }
    await ends[way]()
    refusal = "account_disabled" if way == "disable" else "session_ended"
    assert await world.code(token) == refusal
    asked = world.counted.asked
    await world.cache(bystander)
    assert world.counted.asked == asked


async def test_a_new_name_is_shown_at_once(world: World) -> None:
    """A change of the account by this process is in the next identity."""
    token = await world.sign_up()
    account_id = (await world.cache(token)).account_id
    await world.accounts.change(account_id, name="Anna")
    assert (await world.cache(token)).name == "Anna"


async def test_what_was_read_before_the_end_is_not_remembered(world: World) -> None:
    """A revocation that comes between the read and its answer makes the next one ask."""
    token = await world.sign_up()
    world.counted.go_on.clear()
    late = asyncio.create_task(world.cache(token))
    await world.counted.read.wait()
    await world.accounts.disable("1")
    world.counted.go_on.set()
    await late
    assert len(world.cache) == 0
    assert await world.code(token) == "account_disabled"


async def test_the_change_of_another_account_drops_no_read(world: World) -> None:
    """What is being read of one account is remembered although another one ends."""
    token = await world.sign_up()
    await world.sign_up("bob")
    world.counted.go_on.clear()
    late = asyncio.create_task(world.cache(token))
    await world.counted.read.wait()
    await world.accounts.disable("2")
    world.counted.go_on.set()
    await late
    assert len(world.cache) == 1


async def test_what_another_process_ends_is_seen_in_time(world: World) -> None:
    """Without the log an identity lives for its age, and not longer by being used."""
    token = await world.sign_up()
    await world.cache(token)
    await world.others.disable("1")
    world.seconds.now += AGE_S - 0.1
    await world.cache(token)
    assert world.counted.asked == 1
    world.seconds.now += 0.1
    assert await world.code(token) == "account_disabled"


async def test_the_log_of_revocations_is_obeyed(world: World) -> None:
    """An entry of another process ends what it covers, also what is just being read."""
    token, bystander = await world.sign_up(), await world.sign_up("bob")
    await world.cache(bystander)
    world.counted.read.clear()
    world.counted.go_on.clear()
    late = asyncio.create_task(world.cache(token))
    await world.counted.read.wait()
    await world.others.disable("1")
    world.cache.close_revoked(await world.accounts.revocations.after(0))
    world.counted.go_on.set()
    await late
    assert await world.code(token) == "account_disabled"
    await world.accounts.enable("1")
    again = world.tokens.issue(await world.accounts.get("1"))
    await world.cache(again)
    # The log is applied again and again; newer credentials are not covered.
    world.cache.close_revoked(await world.accounts.revocations.after(0))
    asked = world.counted.asked
    await world.cache(again)
    await world.cache(bystander)
    assert world.counted.asked == asked


async def test_an_expired_token_is_refused(world: World) -> None:
    """A remembered identity ends with its token: then the verifier says so."""
    token = await world.sign_up()
    expires_at = (await world.cache(token)).expires_at
    assert expires_at is not None
    world.wall.now = expires_at - 1
    await world.cache(token)
    assert world.counted.asked == 1
    world.wall.now = expires_at
    await world.cache(token)
    assert world.counted.asked == 2


async def test_it_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many tokens the one used longest ago is forgotten, with all that belongs to it."""
    monkeypatch.setattr(cache, "REMEMBERED", 2)
    ann, bob, eve = [await world.sign_up(name) for name in ("ann", "bob", "eve")]
    for token in (ann, bob, ann, eve):
        await world.cache(token)
    assert (len(world.cache), world.counted.asked) == (2, 3)
    await world.cache(ann)
    assert world.counted.asked == 3
    await world.cache(bob)
    assert world.counted.asked == 4


async def test_a_connection_by_an_old_identity_is_still_closed() -> None:
    """However rarely the log is read, it is applied after the last identity has been used."""
    seconds = Seconds()
    asked = 0

    async def authenticate(token: str | None) -> Identity:
        nonlocal asked
        asked += 1
        return Identity("1", None, "1")

    remembering = IdentityCache(authenticate, max_age_s=3600.0, clock=seconds)
    await remembering("token")
    seconds.now += cache.OPENING_S / 2
    await remembering("token")
    assert asked == 2

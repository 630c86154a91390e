"""Login sessions: rotation, reuse, expiry, revocation."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from models.accounts import Accounts, Device, Passwords, sessions
from models.accounts.sessions import REPEAT, TOUCH
from models.database import Database
from models.errors import Forbidden, NotFound, Unauthorized
from tests.stories_world import HandClock

LIFETIME = timedelta(days=30)


async def refused(accounts: Accounts, token: str) -> None:
    with pytest.raises(Unauthorized) as refusal:
        await accounts.sessions.refresh(token)
    assert refusal.value.code == "refresh_token_invalid"


async def test_rotation(accounts: Accounts) -> None:
    """Each refresh gives a new token for the same session and account."""
    first = await accounts.sessions.open("1")
    second = await accounts.sessions.refresh(first.refresh_token)
    third = await accounts.sessions.refresh(second.refresh_token)
    assert first.id == second.id == third.id
    assert third.account_id == "1"
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert await accounts.sessions.is_active(first.id, "1")


async def test_repeat(accounts: Accounts, clock: HandClock) -> None:
    """A token handed in again within a minute gives the same next one, and the chain goes on."""
    first = await accounts.sessions.open("1")
    second = await accounts.sessions.refresh(first.refresh_token)
    clock.move(REPEAT - timedelta(milliseconds=1))
    assert await accounts.sessions.refresh(first.refresh_token) == second
    third = await accounts.sessions.refresh(second.refresh_token)
    assert third.refresh_token not in (first.refresh_token, second.refresh_token)
    assert await accounts.sessions.refresh(second.refresh_token) == third
    assert (await accounts.sessions.refresh(third.refresh_token)).id == first.id


async def test_reuse(accounts: Accounts, clock: HandClock) -> None:
    """A token handed in again after a minute ends its session and no other one."""
    other = await accounts.sessions.open("1")
    first = await accounts.sessions.open("1")
    second = await accounts.sessions.refresh(first.refresh_token)
    clock.move(REPEAT)
    await refused(accounts, first.refresh_token)
    await refused(accounts, second.refresh_token)
    assert not await accounts.sessions.is_active(first.id, "1")
    assert await accounts.sessions.is_active(other.id, "1")


async def test_repeats_at_once(
    accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock
) -> None:
    """Twenty refreshes of one token at once, in two processes, give one next token, used once."""
    others = Accounts(database, passwords, clock=clock)
    first = await accounts.sessions.open("1")
    results = await asyncio.gather(
        *(each.sessions.refresh(first.refresh_token) for each in (accounts, others) * 10)
    )
    assert len(set(results)) == 1
    stored = await database["refresh_tokens"].find({}).to_list(None)
    assert sorted(token["used_at"] is None for token in stored) == [False, True]
    assert (await others.sessions.refresh(results[0].refresh_token)).id == first.id


async def test_stored_before(accounts: Accounts, database: Database) -> None:
    """A session that an older release has opened goes on, and is listed."""
    first = await accounts.sessions.open("1")
    for field in ("last_used_at", "client", "network"):
        await database["sessions"].update_one({"_id": first.id}, {"$unset": {field: ""}})
    (listed,) = await accounts.sessions.of("1")
    assert (listed["last_used_at"], listed["client"]) == (listed["created_at"], None)
    assert (await accounts.sessions.refresh(first.refresh_token)).id == first.id


async def test_listed(accounts: Accounts, clock: HandClock) -> None:
    """An account sees its own sessions, the latest used first, until they end or expire."""
    opened = [await accounts.sessions.open("1", Device(f"curl {n}", "192.0.2.1")) for n in range(3)]
    await accounts.sessions.open("2")
    clock.move(TOUCH)
    assert await accounts.sessions.is_active(opened[1].id, "1")
    listed = await accounts.sessions.of("1", opened[2].id)
    assert listed[0] == {
        "id": opened[1].id,
        "created_at": "2026-03-01T12:00:00.000Z",
        "last_used_at": "2026-03-01T12:05:00.000Z",
        "expires_at": "2026-03-31T12:00:00.000Z",
        "client": "curl 1",
        "network": "192.0.2.1",
        "current": False,
    }
    assert {one["id"]: one["current"] for one in listed} == {
        opened[0].id: False,
        opened[1].id: False,
        opened[2].id: True,
    }
    await accounts.sessions.end("1", opened[0].id)
    for session_id, account_id in ((opened[0].id, "1"), (opened[1].id, "2"), ("x", "1")):
        with pytest.raises(NotFound) as refusal:
            await accounts.sessions.end(account_id, session_id)
        assert refusal.value.code == "session_not_found"
    assert await accounts.sessions.end_others("1", opened[2].id) == 1
    assert [one["id"] for one in await accounts.sessions.of("1")] == [opened[2].id]
    assert len(await accounts.sessions.of("2")) == 1
    clock.move(LIFETIME)
    assert await accounts.sessions.of("1") == []


async def test_as_many_as_may_be(
    accounts: Accounts, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session more than an account may have ends the one unused for longest."""
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    opened = []
    for _ in range(4):
        opened.append(await accounts.sessions.open("1"))
        clock.move(timedelta(seconds=1))
    listed = await accounts.sessions.of("1")
    assert [one["id"] for one in listed] == [one.id for one in reversed(opened[1:])]


async def test_pushes_end_with_their_session(accounts: Accounts, database: Database) -> None:
    """Ending a session ends the push subscriptions made in it, and no others."""
    opened = [await accounts.sessions.open("1") for _ in range(4)]
    subscriptions = database["push_subscriptions"]
    for session_id in [*(one.id for one in opened), None]:
        await subscriptions.insert_one(
            {"_id": str(session_id), "account_id": "1", "session_id": session_id}
        )
    await subscriptions.insert_one({"_id": "x", "account_id": "2", "session_id": None})

    async def left() -> set[str]:
        return {found["_id"] for found in await subscriptions.find({}).to_list(None)}

    await accounts.sessions.revoke(opened[0].id)
    assert await left() == {opened[1].id, opened[2].id, opened[3].id, "None", "x"}
    await accounts.sessions.end_others("1", opened[1].id)
    assert await left() == {opened[1].id, "x"}
    await accounts.sessions.revoke_all("1")
    assert await left() == {"x"}


async def test_unknown(accounts: Accounts) -> None:
    """A token that was never given out is refused and ends nothing."""
    session = await accounts.sessions.open("1")
    for token in ("", "x", session.id, session.refresh_token + "x", "é🎉"):
        await refused(accounts, token)
    assert await accounts.sessions.is_active(session.id, "1")


async def test_expiry(accounts: Accounts, clock: HandClock) -> None:
    """A token lasts its lifetime to the end, and each refresh begins a new one."""
    session = await accounts.sessions.open("1")
    clock.move(LIFETIME - timedelta(milliseconds=1))
    session = await accounts.sessions.refresh(session.refresh_token)
    clock.move(LIFETIME)
    await refused(accounts, session.refresh_token)


async def test_revocation(accounts: Accounts) -> None:
    """An ended session refuses its token; ending it again or ending nothing is quiet."""
    session, by_token = await accounts.sessions.open("1"), await accounts.sessions.open("1")
    await accounts.sessions.revoke(session.id)
    await accounts.sessions.revoke(session.id)
    await accounts.sessions.revoke("unknown")
    await accounts.sessions.revoke_by_token(by_token.refresh_token)
    await accounts.sessions.revoke_by_token("unknown")
    await refused(accounts, session.refresh_token)
    await refused(accounts, by_token.refresh_token)


async def test_foreign_session(accounts: Accounts) -> None:
    """A session is active for its own account only."""
    session = await accounts.sessions.open("1")
    assert not await accounts.sessions.is_active(session.id, "2")


async def test_disable_ends_sessions(accounts: Accounts) -> None:
    """Disabling an account ends its sessions for good and leaves those of others."""
    ann = await accounts.sign_up("ann@example.com", "password123")
    bob = await accounts.sign_up("bob@example.com", "password123")
    anns, bobs = await accounts.sessions.open(ann.id), await accounts.sessions.open(bob.id)
    await accounts.disable(ann.id)
    await accounts.enable(ann.id)
    await refused(accounts, anns.refresh_token)
    account, session = await accounts.refresh(bobs.refresh_token)
    assert (account, session.id) == (bob, bobs.id)


async def test_disabled_refresh(accounts: Accounts) -> None:
    """A session that outlived the disabling by a race is refused by the account's state."""
    account = await accounts.sign_up("ann@example.com", "password123")
    await accounts.disable(account.id)
    session = await accounts.sessions.open(account.id)
    with pytest.raises(Forbidden) as refusal:
        await accounts.refresh(session.refresh_token)
    assert refusal.value.code == "account_disabled"


async def test_stored(accounts: Accounts, database: Database) -> None:
    """The database holds a digest of the token, never the token."""
    session = await accounts.sessions.open("1")
    stored = await database["refresh_tokens"].find({}).to_list(None)
    digest = hashlib.sha256(session.refresh_token.encode()).hexdigest()
    assert [token["_id"] for token in stored] == [digest]
    sessions = await database["sessions"].find({}).to_list(None)
    assert session.refresh_token not in str(stored) + str(sessions)
    assert session.refresh_token not in repr(session)


async def test_forget_expired(accounts: Accounts, database: Database, clock: HandClock) -> None:
    """What has expired is deleted; what may still be used stays, a refreshed session whole."""
    kept, lost = await accounts.sessions.open("1"), await accounts.sessions.open("1")
    clock.move(timedelta(days=20))
    kept = await accounts.sessions.refresh(kept.refresh_token)
    clock.move(timedelta(days=20))
    assert await accounts.sessions.forget_expired() == 1
    assert await database["refresh_tokens"].count_documents({}) == 1
    assert not await accounts.sessions.is_active(lost.id, "1")
    assert (await accounts.sessions.refresh(kept.refresh_token)).id == kept.id

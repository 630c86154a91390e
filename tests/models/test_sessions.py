"""Login sessions: rotation, reuse, expiry, revocation."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from models.accounts import Accounts
from models.database import Database
from models.errors import Forbidden, Unauthorized
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


async def test_reuse(accounts: Accounts) -> None:
    """A token handed in twice ends its session, with the token that was given for it."""
    other = await accounts.sessions.open("1")
    first = await accounts.sessions.open("1")
    second = await accounts.sessions.refresh(first.refresh_token)
    await refused(accounts, first.refresh_token)
    await refused(accounts, second.refresh_token)
    assert not await accounts.sessions.is_active(first.id, "1")
    assert await accounts.sessions.is_active(other.id, "1")


@pytest.mark.atomic
async def test_reuse_at_once(accounts: Accounts) -> None:
    """Of ten that hand in one token at the same time at most one is served, and none after."""
    first = await accounts.sessions.open("1")
    results = await asyncio.gather(
        *(accounts.sessions.refresh(first.refresh_token) for _ in range(10)),
        return_exceptions=True,
    )
    served = [result for result in results if not isinstance(result, Unauthorized)]
    assert len(served) <= 1
    assert not await accounts.sessions.is_active(first.id, "1")


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

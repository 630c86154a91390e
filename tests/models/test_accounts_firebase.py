"""Accounts of Firebase users."""

import asyncio

import pytest

from models.accounts import Accounts
from models.errors import Unauthorized

PASSWORD = "correct horse"


async def test_first_sight(accounts: Accounts) -> None:
    """A Firebase user seen first gets an account known by the uid, the same one every time."""
    account = await accounts.find_or_create_by_firebase(
        "uid-A", verified_email="ann@example.com", verified_phone="+441632960961", name="Ann"
    )
    assert account.data() | {"created_at": None} == {
        "id": "1",
        "email": "ann@example.com",
        "name": "Ann",
        "phone": "+441632960961",
        "public_id": "uid-A",
        "time_zone": "UTC",
        "language": "en",
        "created_at": None,
    }
    assert await accounts.find_or_create_by_firebase("uid-A", verified_email="x@y.com") == account
    assert await accounts.find_by_public_id("uid-A") == account


async def test_at_once(accounts: Accounts) -> None:
    """Ten first requests of one user at the same time make one account."""
    found = await asyncio.gather(
        *(
            accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
            for _ in range(10)
        )
    )
    assert {account.id for account in found} == {found[0].id}
    assert len(await accounts.list_after()) == 1


async def test_link(accounts: Accounts) -> None:
    """A verified e-mail links the account that has it, whose unproved password and logins end."""
    account = await accounts.sign_up("ann@example.com", PASSWORD)
    session = await accounts.sessions.open(account.id)
    linked = await accounts.find_or_create_by_firebase("uid-A", verified_email="Ann@example.com")
    assert (linked.id, linked.firebase_uid, linked.public_id) == ("1", "uid-A", "1")
    assert await accounts.find_by_firebase_uid("uid-A") == linked
    with pytest.raises(Unauthorized):
        await accounts.log_in("ann@example.com", PASSWORD)
    assert not await accounts.sessions.is_active(session.id, account.id)


async def test_link_at_once(accounts: Accounts) -> None:
    """Ten first requests of one user at the same time link one account."""
    await accounts.sign_up("ann@example.com", PASSWORD)
    found = await asyncio.gather(
        *(
            accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
            for _ in range(10)
        )
    )
    assert {account.id for account in found} == {"1"}


async def test_no_takeover(accounts: Accounts) -> None:
    """Without a verified e-mail an existing account is left alone."""
    account = await accounts.sign_up("ann@example.com", PASSWORD, phone="+441632960961")
    other = await accounts.find_or_create_by_firebase("uid-A", verified_phone="+441632960961")
    assert (other.id, other.email, other.phone) == ("2", None, None)
    assert await accounts.log_in("ann@example.com", PASSWORD) == account


async def test_two_users_with_one_email(accounts: Accounts) -> None:
    """A second user with an e-mail that is linked already gets an account without it."""
    await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
    other = await accounts.find_or_create_by_firebase("uid-B", verified_email="ann@example.com")
    assert (other.id, other.email, other.public_id) == ("2", None, "uid-B")


@pytest.mark.parametrize("uid", ["1", "77", "+441632960961"])
async def test_misleading_uid(accounts: Accounts, uid: str) -> None:
    """A uid that reads like somebody's account id or phone does not become the public id."""
    ann = await accounts.sign_up("ann@example.com", PASSWORD)
    account = await accounts.find_or_create_by_firebase(uid)
    assert (account.id, account.public_id) == ("2", "2")
    assert await accounts.find_by_public_id("1") == ann
    assert await accounts.find_by_firebase_uid(uid) == account

"""Accounts of Firebase users, and what verified values are worth."""

import asyncio
from datetime import timedelta

import pytest

from models.accounts import Accounts, Kind
from models.accounts.schema import NAME_MAX
from models.database import Database
from models.errors import Invalid, Unauthorized, Unavailable
from tests.stories_world import HandClock

PASSWORD = "correct horse"
PHONE = "+441632960961"


async def test_first_sight(accounts: Accounts) -> None:
    """A Firebase user seen first gets an account known by the uid, the same one every time."""
    account = await accounts.find_or_create_by_firebase(
        "uid-A", verified_email="ann@example.com", verified_phone=PHONE, name="Ann"
    )
    assert account.data() == {
        "id": "1",
        "email": "ann@example.com",
        "name": "Ann",
        "phone": PHONE,
        "public_id": "uid-A",
        "time_zone": "UTC",
        "language": "en",
        "created_at": "2026-03-01T12:00:00.000Z",
        "email_verified_at": "2026-03-01T12:00:00.000Z",
        "phone_verified_at": "2026-03-01T12:00:00.000Z",
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


class TestHandover:
    async def test_to_the_verified_owner(self, accounts: Accounts) -> None:
        """Exactly the verified e-mail takes the account over; what was the former holder's ends."""
        account = await accounts.sign_up("ann@Example.com", PASSWORD, "Mallory", PHONE)
        session = await accounts.open_session(account)
        ended = []

        async def end(account_id: str) -> None:
            assert not await accounts.sessions.is_active(session.id, account_id)
            ended.append(account_id)

        accounts.when_handed_over(end)
        taken = await accounts.find_or_create_by_firebase(
            "uid-A", verified_email="ann@EXAMPLE.com", name="Ann"
        )
        assert (taken.id, taken.firebase_uid, taken.public_id) == (account.id, "uid-A", account.id)
        assert (taken.name, taken.phone) == ("Ann", None)
        assert taken.email_verified_at is not None
        assert taken.credential_version == account.credential_version + 1
        assert ended == [account.id]
        assert await accounts.find_by_phone(PHONE) is None
        with pytest.raises(Unauthorized):
            await accounts.log_in("ann@example.com", PASSWORD)
        with pytest.raises(Unauthorized):
            await accounts.open_session(account)
        await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
        assert ended == [account.id]

    async def test_of_international_domains(self, accounts: Accounts) -> None:
        """An address with its domain in Unicode is the one with the domain in `xn--` form."""
        account = await accounts.sign_up("x@münchen.de", PASSWORD)
        taken = await accounts.find_or_create_by_firebase(
            "uid-A", verified_email="x@xn--mnchen-3ya.de"
        )
        assert taken.id == account.id

    @pytest.mark.parametrize(
        ("kept", "verified"),
        [
            ("straße@example.com", "strasse@example.com"),
            ("strasse@example.com", "straße@example.com"),
            ("\u212aim@example.com", "kim@example.com"),
            ("ANN@example.com", "ann@example.com"),
            ("ann@straße.de", "ann@strasse.de"),
        ],
    )
    async def test_never_because_it_looks_alike(
        self, accounts: Accounts, kept: str, verified: str
    ) -> None:
        """An e-mail that looks like another account's opens a new account, which has that e-mail,
        and the other account keeps all of its own."""
        account = await accounts.sign_up(kept, PASSWORD)
        other = await accounts.find_or_create_by_firebase("uid-A", verified_email=verified)
        assert other.id != account.id
        assert other.email == verified
        assert await accounts.find_by_email(kept) == account
        assert await accounts.find_by_email(verified) == other
        assert await accounts.log_in(kept, PASSWORD) == account

    async def test_at_once(self, accounts: Accounts) -> None:
        """Ten first requests of one user at the same time take the account over once."""
        account = await accounts.sign_up("ann@example.com", PASSWORD)
        ended = []

        async def end(account_id: str) -> None:
            await asyncio.sleep(0)
            ended.append(account_id)

        accounts.when_handed_over(end)
        found = await asyncio.gather(
            *(
                accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
                for _ in range(10)
            )
        )
        assert {taken.id for taken in found} == {account.id}
        assert ended == [account.id]

    async def test_not_before_all_has_ended(self, accounts: Accounts) -> None:
        """While something of the former holder could not be ended, the owner is not let in; the
        next request tries again."""
        account = await accounts.sign_up("ann@example.com", PASSWORD)
        failures = [Unavailable("The database is away.")]

        async def end(account_id: str) -> None:
            if failures:
                raise failures.pop()

        accounts.when_handed_over(end)
        with pytest.raises(Unavailable):
            await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
        taken = await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
        assert taken.id == account.id

    async def test_process_died(
        self, accounts: Accounts, database: Database, clock: HandClock
    ) -> None:
        """What a process that died left undone is done after a minute; nobody gets in before."""
        account = await accounts.sign_up("ann@example.com", PASSWORD)
        await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
        await database["accounts"].update_one(
            {"_id": account.id}, {"$set": {"handover_began_at": clock()}}
        )
        ended = []

        async def end(account_id: str) -> None:
            ended.append(account_id)

        accounts.when_handed_over(end)
        with pytest.raises(Unavailable):
            await accounts.find_or_create_by_firebase("uid-A")
        assert ended == []
        clock.move(timedelta(seconds=61))
        assert (await accounts.find_or_create_by_firebase("uid-A")).id == account.id
        assert ended == [account.id]

    async def test_of_ones_own_account(self, accounts: Accounts) -> None:
        """Who has proved the e-mail before links the account and keeps password and sessions."""
        account = await accounts.sign_up("ann@example.com", PASSWORD, "Ann", PHONE)
        await accounts.verify_email(account.id, "ann@example.com")
        session = await accounts.open_session(account)
        linked = await accounts.find_or_create_by_firebase(
            "uid-A", verified_email="ann@example.com", name="Somebody"
        )
        assert (linked.id, linked.name, linked.phone) == (account.id, "Ann", PHONE)
        assert await accounts.sessions.is_active(session.id, account.id)
        assert (await accounts.log_in("ann@example.com", PASSWORD)).id == account.id


class TestVerifiedWins:
    @pytest.mark.parametrize("seen_before", [False, True])
    async def test_phone(self, accounts: Accounts, seen_before: bool) -> None:
        """A verified number is taken from who merely typed it, also by a user known before."""
        squatter = await accounts.sign_up("eve@example.com", PASSWORD, "Eve", PHONE)
        session = await accounts.open_session(squatter)
        if seen_before:
            await accounts.find_or_create_by_firebase("uid-A")
        owner = await accounts.find_or_create_by_firebase("uid-A", verified_phone=PHONE)
        assert (owner.phone, owner.public_id) == (PHONE, "uid-A")
        assert await accounts.find_by_phone(PHONE) == owner
        left = await accounts.get(squatter.id)
        assert (left.email, left.name, left.phone) == ("eve@example.com", "Eve", None)
        assert not await accounts.sessions.is_active(session.id, squatter.id)
        assert (await accounts.log_in("eve@example.com", PASSWORD)).id == squatter.id

    async def test_phone_of_a_development_account(self, accounts: Accounts) -> None:
        """An account that is known by an unproved number is known by its id when it loses it."""
        squatter = await accounts.find_or_create_by_phone(PHONE)
        owner = await accounts.find_or_create_by_firebase("uid-A", verified_phone=PHONE)
        assert (await accounts.get(squatter.id)).public_id == squatter.id
        assert await accounts.find_by_phone(PHONE) == owner
        assert await accounts.find_by_public_id(PHONE) is None

    async def test_email_of_a_known_user(self, accounts: Accounts) -> None:
        """A user who verifies an e-mail later takes the address, not the account, of who has it."""
        squatter = await accounts.sign_up("ann@example.com", PASSWORD)
        await accounts.find_or_create_by_firebase("uid-A")
        owner = await accounts.find_or_create_by_firebase("uid-A", verified_email="ann@example.com")
        assert (owner.id == squatter.id, owner.email) == (False, "ann@example.com")
        assert (await accounts.get(squatter.id)).email is None
        assert await accounts.find_by_email("ann@example.com") == owner

    async def test_verified_stays(self, accounts: Accounts) -> None:
        """What another account has verified stays with it, and a sign-up cannot take it."""
        first = await accounts.find_or_create_by_firebase(
            "uid-A", verified_email="ann@example.com", verified_phone=PHONE
        )
        other = await accounts.find_or_create_by_firebase(
            "uid-B", verified_email="ann@example.com", verified_phone=PHONE
        )
        assert (other.email, other.phone, other.public_id) == (None, None, "uid-B")
        assert await accounts.get(first.id) == first

    async def test_many_claim_one_number(self, accounts: Accounts) -> None:
        """Of several users who bring one verified number at once, one has it in the end."""
        await accounts.sign_up("eve@example.com", PASSWORD, phone=PHONE)
        users = await asyncio.gather(
            *(
                accounts.find_or_create_by_firebase(f"uid-{n}", verified_phone=PHONE)
                for n in range(5)
            )
        )
        holder = await accounts.find_by_phone(PHONE)
        assert [user.id for user in users if user.phone] == [holder and holder.id]


class TestUids:
    @pytest.mark.parametrize(
        "uid",
        [
            "1",
            "77",
            "42",
            PHONE,
            "vic@example.com",
            "٤٢",
            "\uff14\uff12",
            "vic\uff20example.com",
            "84 912",
            "-1",
        ],
    )
    async def test_misleading(self, accounts: Accounts, uid: str) -> None:
        """A uid that could be read as an id, a phone number or an e-mail is no public id, and finds
        its account as a uid only."""
        ann = await accounts.sign_up("vic@example.com", PASSWORD)
        account = await accounts.find_or_create_by_firebase(uid)
        assert account.public_id == account.id == "2"
        assert await accounts.resolve(Kind.FIREBASE_UID, uid) == account
        for kind in (Kind.ID, Kind.PHONE, Kind.EMAIL, Kind.PUBLIC_ID):
            assert await accounts.resolve(kind, uid) in (None, ann)
        assert await accounts.resolve_participant(uid) in (None, ann)

    @pytest.mark.parametrize("uid", ["", "x" * 129, "a\ud800", "a\0", "a\nb", "a\u202eb"])
    async def test_none(self, accounts: Accounts, uid: str) -> None:
        """What no database can hold or no log show is no uid."""
        with pytest.raises(Invalid):
            await accounts.find_or_create_by_firebase(uid)
        assert await accounts.list_after() == []


class TestClaims:
    @pytest.mark.parametrize(
        ("claim", "value"),
        [
            ("verified_email", "a" * 3000 + "@example.com"),
            ("verified_email", "no address"),
            ("verified_email", "ann\u200b@example.com"),
            ("verified_email", "ann\ud800@example.com"),
            ("verified_email", 7),
            ("verified_phone", "not a phone"),
            ("verified_phone", "+0123456789"),
            ("verified_phone", ["+441632960961"]),
            ("name", "half \ud800"),
            ("name", "bell \x07"),
            ("name", "ann\u202egpj"),
            ("name", "  "),
            ("name", {"first": "Ann"}),
        ],
    )
    async def test_unusable(self, accounts: Accounts, claim: str, value: object) -> None:
        """A claim that sign-up would refuse is left out, and the rest is taken."""
        good = {"verified_email": "ann@example.com", "verified_phone": PHONE, "name": "Ann"}
        account = await accounts.find_or_create_by_firebase("uid-A", **good | {claim: value})
        expected = (good | {claim: None}).values()
        assert (account.email, account.phone, account.name) == tuple(expected)

    async def test_cut(self, accounts: Accounts) -> None:
        """A name that is too long is cut, and spaces around it are dropped."""
        account = await accounts.find_or_create_by_firebase("uid-A", name=" " + "é" * 3000)
        assert account.name == "é" * (NAME_MAX - 1)


class TestFormerReleases:
    async def test_what_was_verified(self, accounts: Accounts, database: Database) -> None:
        """Accounts that Firebase users began count as verified, linked ones with their next token,
        and a public id that could mislead becomes the account id."""
        from models.accounts.upgrades import declare_names

        began = await accounts.find_or_create_by_firebase(
            "uid-A", verified_email="ann@example.com", verified_phone=PHONE
        )
        linked = await accounts.sign_up("straße@example.com", PASSWORD)
        await accounts.find_or_create_by_firebase("uid-B", verified_email="straße@example.com")
        misled = await accounts.find_or_create_by_firebase("vic@example.com")
        unproved = await accounts.sign_up("bob@münchen.de", PASSWORD)
        await database["accounts"].update_many(
            {}, {"$unset": {"email_verified_at": "", "phone_verified_at": ""}}
        )
        await database["accounts"].update_one(
            {"_id": misled.id}, {"$set": {"public_id": "vic@example.com"}}
        )
        await database["account_keys"].delete_many({"account_id": {"$in": [unproved.id]}})
        for _ in range(2):
            await declare_names(database)
        assert await accounts.get(began.id) == began
        assert (await accounts.get(linked.id)).email_verified_at is None
        assert (await accounts.get(unproved.id)).email_verified_at is None
        assert (await accounts.get(misled.id)).public_id == misled.id
        assert await accounts.find_by_email("bob@xn--mnchen-3ya.de") == unproved
        again = await accounts.find_or_create_by_firebase(
            "uid-B", verified_email="straße@example.com"
        )
        assert again.email_verified_at is not None

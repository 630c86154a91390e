"""Accounts: sign-up, login, finding, disabling."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from marshmallow import ValidationError

from models.accounts import Accounts, LogIn, Passwords, Profile, SignUp
from models.database import Database
from models.errors import Conflict, Forbidden, NotFound, Unauthorized
from tests.stories_world import HandClock

PASSWORD = "correct horse"


class CountingHasher(PasswordHasher):
    """Counts the work done: every hash made or verified."""

    def __init__(self, **parameters: int) -> None:
        super().__init__(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1} | parameters)
        self.hashes = 0
        self.verifications = 0

    def hash(self, *args: Any, **kwargs: Any) -> str:
        self.hashes += 1
        return super().hash(*args, **kwargs)

    def verify(self, *args: Any) -> bool:
        self.verifications += 1
        return super().verify(*args)

    def take(self) -> tuple[int, int]:
        taken = self.hashes, self.verifications
        self.hashes = self.verifications = 0
        return taken


class TestSignUp:
    async def test_account(self, accounts: Accounts, clock: HandClock) -> None:
        """A new account keeps what was typed, has proved nothing and is known by its id."""
        await accounts.sign_up("first@example.com", PASSWORD)
        account = await accounts.sign_up("Ann@Example.COM", PASSWORD, "Ann", "+441632960961")
        assert account.data() == {
            "id": "2",
            "email": "Ann@Example.COM",
            "name": "Ann",
            "phone": "+441632960961",
            "public_id": "2",
            "created_at": "2026-03-01T12:00:00.000Z",
            "time_zone": "UTC",
            "language": "en",
            "email_verified_at": None,
            "phone_verified_at": None,
        }
        assert await accounts.get("2") == account

    @pytest.mark.parametrize(
        "spelling",
        ["ann@example.com", "ANN@EXAMPLE.COM", "\uff21nn@example.com", " ann@example.com "],
    )
    async def test_email_taken(self, accounts: Accounts, spelling: str) -> None:
        """An e-mail that people would take for a taken one is refused."""
        await accounts.sign_up("Ann@example.com", PASSWORD)
        with pytest.raises(Conflict) as refusal:
            await accounts.sign_up(spelling, PASSWORD)
        assert refusal.value.code == "email_taken"

    async def test_phone_taken_gives_email_back(self, accounts: Accounts) -> None:
        """A sign-up refused for its phone leaves its e-mail free."""
        await accounts.sign_up("ann@example.com", PASSWORD, phone="+441632960961")
        with pytest.raises(Conflict) as refusal:
            await accounts.sign_up("bob@example.com", PASSWORD, phone="+441632960961")
        assert refusal.value.code == "phone_taken"
        assert (await accounts.sign_up("bob@example.com", PASSWORD)).email == "bob@example.com"

    async def test_race(self, accounts: Accounts) -> None:
        """Of twenty sign-ups at once with one e-mail, one is accepted."""

        async def sign_up() -> str | None:
            try:
                return (await accounts.sign_up("ann@example.com", PASSWORD)).id
            except Conflict:
                return None

        created = [
            found for found in await asyncio.gather(*(sign_up() for _ in range(20))) if found
        ]
        found = await accounts.find_by_email("ann@example.com")
        assert found is not None
        assert created == [found.id]
        assert len(await accounts.list_after()) == 1

    async def test_many_at_once(self, accounts: Accounts) -> None:
        """Different people who sign up at the same time get different ids."""
        created = await asyncio.gather(
            *(accounts.sign_up(f"user{n}@example.com", PASSWORD) for n in range(20))
        )
        assert len({account.id for account in created}) == 20
        for n, account in enumerate(created):
            assert await accounts.find_by_email(f"user{n}@example.com") == account

    async def test_id_taken(self, database: Database, passwords: Passwords) -> None:
        """An id that comes up a second time is passed over, and its account keeps its e-mail."""
        ids = iter([10**15, 10**15, 10**15 + 1])
        accounts = Accounts(database, passwords, new_id=lambda: next(ids))
        first = await accounts.sign_up("ann@example.com", PASSWORD)
        second = await accounts.sign_up("bob@example.com", PASSWORD)
        assert (first.id, second.id) == ("1000000000000000", "1000000000000001")
        assert await accounts.find_by_email("bob@example.com") == second
        assert await accounts.get(first.id) == first

    async def test_ids_cannot_be_counted(self, database: Database, passwords: Passwords) -> None:
        """Ids are random numbers of 16 digits below 2^53, also after the database was emptied."""
        accounts = Accounts(database, passwords)
        before = [await accounts.find_or_create_by_email(f"{n}@example.com") for n in range(8)]
        for name in ("accounts", "account_keys", "counters"):
            await database[name].delete_many({})
        after = [await accounts.find_or_create_by_email(f"{n}@example.com") for n in range(8)]
        numbers = [int(account.id) for account in before + after]
        assert len(set(numbers)) == 16
        assert all(10**15 <= number < 2**53 for number in numbers)
        assert max(numbers) - min(numbers) > 10**12
        listed = [account.id for account in await accounts.list_after()]
        assert listed == sorted(account.id for account in after)
        assert [account.id for account in await accounts.list_after(listed[3])] == listed[4:]


class TestLogIn:
    async def test_right(self, accounts: Accounts) -> None:
        """The right password opens the account under any spelling of the e-mail."""
        account = await accounts.sign_up("Ann@example.com", PASSWORD)
        assert await accounts.log_in("aNN@EXAMPLE.com", PASSWORD) == account

    async def test_alike(self, database: Database) -> None:
        """Unknown e-mail, wrong password and no password get one answer after the same work."""
        hasher = CountingHasher()
        passwords = Passwords(hasher)
        passwords.prepare()
        accounts = Accounts(database, passwords)
        await accounts.sign_up("ann@example.com", PASSWORD)
        await accounts.find_or_create_by_email("bob@example.com")
        disabled = await accounts.sign_up("cid@example.com", PASSWORD)
        await accounts.disable(disabled.id)
        hasher.take()
        answers = set()
        for email in ("ann@example.com", "bob@example.com", "cid@example.com", "x@example.com"):
            with pytest.raises(Unauthorized) as refusal:
                await accounts.log_in(email, "wrong horse")
            answers.add((refusal.value.code, refusal.value.message))
            assert hasher.take() == (0, 1), email
        assert len(answers) == 1
        passwords.close()

    async def test_disabled(self, accounts: Accounts) -> None:
        """A disabled account is told so with the right password only, and enabled again."""
        account = await accounts.sign_up("ann@example.com", PASSWORD)
        assert (await accounts.disable(account.id)).disabled
        with pytest.raises(Forbidden) as refusal:
            await accounts.log_in("ann@example.com", PASSWORD)
        assert refusal.value.code == "account_disabled"
        assert not (await accounts.enable(account.id)).disabled
        assert (await accounts.log_in("ann@example.com", PASSWORD)).id == account.id

    async def test_rehash(self, database: Database) -> None:
        """A login with the right password brings an old hash to today's parameters, once."""
        before = Passwords(CountingHasher())
        await Accounts(database, before).sign_up("ann@example.com", PASSWORD)
        before.close()
        hasher = CountingHasher(time_cost=2)
        after = Passwords(hasher)
        after.prepare()
        accounts = Accounts(database, after)
        hasher.take()
        await accounts.log_in("ann@example.com", PASSWORD)
        assert hasher.take() == (1, 1)
        await accounts.log_in("ann@example.com", PASSWORD)
        assert hasher.take() == (0, 1)
        with pytest.raises(Unauthorized):
            await accounts.log_in("ann@example.com", "wrong horse")
        after.close()

    async def test_keyboards(self, accounts: Accounts) -> None:
        """A password typed with a composed or a combining accent is the same password."""
        await accounts.sign_up("ann@example.com", "caf\u00e9 caf\u00e9")
        assert await accounts.log_in("ann@example.com", "cafe\u0301 cafe\u0301")

    async def test_stored(self, accounts: Accounts, database: Database) -> None:
        """The database holds an argon2id hash, never the password."""
        await accounts.sign_up("ann@example.com", PASSWORD)
        stored = await database["accounts"].find_one({"_id": "1"})
        assert stored is not None
        assert stored["password_hash"].startswith("$argon2id$")
        assert PASSWORD not in str(stored)


class TestFinding:
    async def test_by_everything(self, accounts: Accounts) -> None:
        """An account is found by each of its keys and by nothing else."""
        account = await accounts.sign_up("ann@example.com", PASSWORD, phone="+441632960961")
        assert await accounts.find("1") == account
        assert await accounts.find_by_email("ANN@Example.com") == account
        assert await accounts.find_by_phone("+441632960961") == account
        assert await accounts.find_by_public_id("1") == account
        assert await accounts.find_by_public_id("+441632960961") is None
        assert await accounts.find("2") is None
        assert await accounts.find_by_email("bob@example.com") is None
        assert await accounts.find_by_phone("+441632960962") is None
        assert await accounts.find_by_firebase_uid("uid") is None

    async def test_list(self, accounts: Accounts) -> None:
        """Accounts are listed in the order of their numbers, page by page."""
        for n in range(12):
            await accounts.find_or_create_by_email(f"user{n}@example.com")
        first = await accounts.list_after(limit=10)
        assert [account.id for account in first] == [str(n) for n in range(1, 11)]
        assert [account.id for account in await accounts.list_after("10")] == ["11", "12"]

    async def test_missing(self, accounts: Accounts) -> None:
        """Reading or changing an account that does not exist says so."""
        for attempt in (
            accounts.get("9"),
            accounts.disable("9"),
            accounts.enable("9"),
            accounts.change("9", name="x"),
        ):
            with pytest.raises(NotFound) as refusal:
                await attempt
            assert refusal.value.code == "account_not_found"

    async def test_change(self, accounts: Accounts) -> None:
        """Name, time zone and language are changed one by one, and the others stay."""
        made = await accounts.sign_up("ann@example.com", PASSWORD, "Ann")
        assert (made.name, made.time_zone, made.language) == ("Ann", "UTC", "en")
        assert (await accounts.change("1", name="Anna")).name == "Anna"
        assert (await accounts.change("1", name=None)).name is None
        await accounts.change("1", time_zone="Asia/Ho_Chi_Minh")
        changed = await accounts.change("1", language="vi")
        assert (changed.name, changed.time_zone, changed.language) == (
            None,
            "Asia/Ho_Chi_Minh",
            "vi",
        )

    async def test_moving(self, accounts: Accounts) -> None:
        """Who asked for it is told of each change of a time zone, when it is written."""
        await accounts.sign_up("ann@example.com", PASSWORD, "Ann")
        told = []

        async def listen(account_id: str) -> None:
            told.append((account_id, (await accounts.get(account_id)).time_zone))

        accounts.when_moved(listen)
        await accounts.change("1", name="Anna", language="vi")
        await accounts.change("1", time_zone="Asia/Ho_Chi_Minh")
        assert told == [("1", "Asia/Ho_Chi_Minh")]

    async def test_written_before_settings(self, accounts: Accounts, database: Database) -> None:
        """An account from before there were settings has the first ones."""
        await accounts.sign_up("ann@example.com", PASSWORD)
        await database["accounts"].update_one(
            {"_id": "1"}, {"$unset": {"time_zone": "", "language": ""}}
        )
        account = await accounts.get("1")
        assert (account.time_zone, account.language) == ("UTC", "en")


class TestProvision:
    async def test_phone(self, accounts: Accounts) -> None:
        """A phone number seen first makes an account known by it, the same one every time."""
        account = await accounts.find_or_create_by_phone("+441632960961")
        assert (account.id, account.public_id) == ("1", "+441632960961")
        assert await accounts.find_or_create_by_phone("+441632960961") == account
        assert await accounts.find_by_public_id("+441632960961") == account

    async def test_email_at_once(self, accounts: Accounts) -> None:
        """Ten first sights of an e-mail at the same time find one account."""
        found = await asyncio.gather(
            *(accounts.find_or_create_by_email("ann@example.com") for _ in range(10))
        )
        assert len({account.id for account in found}) == 1
        assert len(await accounts.list_after()) == 1

    async def test_no_password(self, accounts: Accounts) -> None:
        """An account without a password lets nobody in by password."""
        await accounts.find_or_create_by_email("ann@example.com")
        with pytest.raises(Unauthorized):
            await accounts.log_in("ann@example.com", "no account has this password")


class ProcessDied(BaseException):
    """What a test raises where a process is killed."""


class DyingCollection:
    """A collection in which the next insert kills the process, before or after it is written."""

    def __init__(self, collection: Any, *, written: bool) -> None:
        self._collection = collection
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def insert_one(self, document: dict[str, Any]) -> None:
        if self._written:
            await self._collection.insert_one(document)
        raise ProcessDied


class DyingDatabase:
    """A database that kills the process when an account is inserted."""

    def __init__(self, database: Database, *, written: bool) -> None:
        self._database = database
        self._written = written

    def __getitem__(self, name: str) -> Any:
        collection = self._database[name]
        if name == "accounts":
            return DyingCollection(collection, written=self._written)
        return collection


class TestCrash:
    async def crash(
        self, database: Database, passwords: Passwords, clock: HandClock, *, written: bool
    ) -> None:
        dying = Accounts(
            DyingDatabase(database, written=written), passwords, clock=clock, new_id=lambda: 7
        )
        with pytest.raises(ProcessDied):
            await dying.sign_up("ann@example.com", PASSWORD)

    async def test_claim_expires(
        self, accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock
    ) -> None:
        """An e-mail claimed by a process that died is free again after a minute, not before."""
        await self.crash(database, passwords, clock, written=False)
        clock.move(timedelta(seconds=59))
        with pytest.raises(Conflict):
            await accounts.sign_up("ann@example.com", PASSWORD)
        clock.move(timedelta(seconds=2))
        account = await accounts.sign_up("ann@example.com", PASSWORD)
        assert await accounts.log_in("ann@example.com", PASSWORD) == account

    async def test_one_takes_over(
        self, accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock
    ) -> None:
        """Of several that find an abandoned claim at once, one gets the e-mail."""
        await self.crash(database, passwords, clock, written=False)
        clock.move(timedelta(minutes=2))
        attempts = await asyncio.gather(
            *(accounts.sign_up("ann@example.com", PASSWORD) for _ in range(8)),
            return_exceptions=True,
        )
        assert sum(isinstance(attempt, Conflict) for attempt in attempts) == 7
        assert len(await accounts.list_after()) == 1

    async def test_written_account_stays(
        self, accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock
    ) -> None:
        """An account written just before the process died keeps its e-mail for good."""
        await self.crash(database, passwords, clock, written=True)
        clock.move(timedelta(hours=1))
        with pytest.raises(Conflict):
            await accounts.sign_up("ann@example.com", "another password")
        assert (await accounts.log_in("ann@example.com", PASSWORD)).id == "7"

    async def test_sleeper_loses(
        self, accounts: Accounts, database: Database, passwords: Passwords, clock: HandClock
    ) -> None:
        """A process that wakes up after its claim was taken over leaves no second account."""

        class Sleeping(DyingCollection):
            async def insert_one(self, document: dict[str, Any]) -> None:
                clock.move(timedelta(minutes=2))
                await accounts.sign_up("ann@example.com", "the one that stays")
                await self._collection.insert_one(document)

        class SleepingDatabase(DyingDatabase):
            def __getitem__(self, name: str) -> Any:
                found = super().__getitem__(name)
                return (
                    Sleeping(self._database[name], written=False) if name == "accounts" else found
                )

        sleeper = Accounts(SleepingDatabase(database, written=False), passwords, clock=clock)
        with pytest.raises(Conflict):
            await sleeper.sign_up("ann@example.com", PASSWORD)
        assert [account.id for account in await accounts.list_after()] == ["1"]
        assert (await accounts.log_in("ann@example.com", "the one that stays")).id == "1"


class TestSchemas:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no address"),
            ("email", "a@" + "b" * 250 + ".com"),
            ("email", None),
            ("email", 7),
            ("email", "a\x00@example.com"),
            ("email", "a\u200b@example.com"),
            ("password", "short12"),
            ("password", "x" * 257),
            ("password", None),
            ("name", ""),
            ("name", "x" * 101),
            ("name", "two\nlines"),
            ("name", "ann\u202egpj.exe"),
            ("name", "\u2067ann"),
            ("name", "\u200b\u3164"),
            ("name", "half \ud800"),
            ("phone", "01632960961"),
            ("phone", "+0441632960961"),
            ("phone", "+44"),
            ("phone", "+441632960961\n+1"),
            ("admin", True),
        ],
    )
    def test_refused(self, field: str, value: object) -> None:
        """A sign-up with a value that cannot be is refused by the name of the field."""
        values = {"email": "ann@example.com", "password": PASSWORD} | {field: value}
        with pytest.raises(ValidationError) as refusal:
            SignUp().load(values)
        assert list(refusal.value.messages_dict) == [field]

    def test_accepted(self) -> None:
        """Spaces around values are dropped, those of the password count."""
        loaded = SignUp().load(
            {"email": " ann@example.com ", "password": "  8 chars", "name": " Ann ", "phone": None}
        )
        assert loaded == {
            "email": "ann@example.com",
            "password": "  8 chars",
            "name": "Ann",
            "phone": None,
        }

    @pytest.mark.parametrize("name", ["👩‍👩‍👧‍👦", "نرگس‌خاتون", "José 山田", "Ann\u200f"])
    def test_names_of_all_scripts(self, name: str) -> None:
        """Joiners and marks that scripts and emoji need are part of a name."""
        assert Profile().load({"name": name}) == {"name": name}

    def test_login_takes_any_password(self) -> None:
        """A login does not say what a right password looks like."""
        assert LogIn().load({"email": "ann", "password": "x"}) == {"email": "ann", "password": "x"}


async def test_the_counter_passes_over_accounts_made_under_their_number(accounts):
    """Such an account is made once, also by many at the same time, and nobody else gets its id."""
    made = await asyncio.gather(*(accounts.find_or_create_by_id("3") for _ in range(5)))
    assert {account.id for account in made} == {"3"}
    others = [await accounts.sign_up(f"{name}@example.com", "password123") for name in "abcd"]
    assert [account.id for account in others] == ["1", "2", "4", "5"]
    for account in others:
        assert await accounts.find_by_email(account.email) == account
    assert await accounts.find_or_create_by_id("3") == made[0]
    assert [account.id for account in await accounts.list_after()] == ["1", "2", "3", "4", "5"]

"""What tests of the diary share: people with their zones."""

from datetime import UTC, datetime

from models.accounts import Account
from models.accounts.lookups import Lookups
from models.diary.goals.members import FindByPublicId
from models.diary.goals.members import People as NamedPeople
from tests.stories_world import person

ANN = person("1")
BEN = person("2")
EVE = person("9")

SIGNED_UP = datetime(2026, 1, 1, tzinfo=UTC)


def account(account_id: str, *, time_zone: str = "UTC", language: str = "en") -> Account:
    """Return an account that is known by its id."""
    return Account(
        id=account_id,
        email=f"user{account_id}@example.com",
        name=None,
        phone=None,
        firebase_uid=None,
        public_id=account_id,
        disabled=False,
        created_at=SIGNED_UP,
        time_zone=time_zone,
        language=language,
    )


async def always(owner_id: str, member_id: str) -> bool:
    """Say yes of any two accounts: all have accepted one another."""
    return True


def friends(find: FindByPublicId) -> NamedPeople:
    """Return people who are members of a goal as soon as its owner has named them."""
    return NamedPeople(find, may_add_at_once=always, lookups=Lookups(10_000))


class People:
    """Accounts whose settings a test changes; every account id from 1 to 99 is somebody."""

    def __init__(self) -> None:
        self._changed: dict[str, Account] = {}

    def settle(self, account_id: str, *, time_zone: str = "UTC", language: str = "en") -> None:
        """Let an account have these settings from now on."""
        self._changed[account_id] = account(account_id, time_zone=time_zone, language=language)

    async def find(self, account_id: str) -> Account | None:
        """Return the account with this id, by which others know it, too."""
        if account_id.isdecimal() and 1 <= int(account_id) <= 99:
            return self._changed.get(account_id) or account(account_id)
        return None

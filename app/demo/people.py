"""Who is in the examples."""

from dataclasses import dataclass

from models.accounts import Account, Accounts
from models.errors import Conflict
from models.identity import Identity

PASSWORD = "password123"  # noqa: S105 printed in the documents, for examples only


@dataclass(frozen=True, slots=True)
class Person:
    """One of the examples' people."""

    number: int
    """The id of the account, as the documents print it; another one where that is taken."""

    email: str
    name: str
    phone: str | None = None


PEOPLE = (
    Person(1, "test@example.com", "Test"),
    Person(2, "alice@example.com", "Alice", "+84912345678"),
    Person(3, "bob@example.com", "Bob", "+84987654321"),
)
"""`test@example.com` is the account that the documents log in with."""

NAMES = tuple(person.name for person in PEOPLE)

People = dict[str, Identity]
"""By name."""


async def load_account(accounts: Accounts, person: Person) -> tuple[Account, bool]:
    """Return the account of a person, and whether this call has made it.

    Raises:
        Conflict: another person has the phone number.
    """
    found = await accounts.find_by_email(person.email)
    if found is not None:
        return found, False
    try:
        made = await accounts.sign_up(
            person.email, PASSWORD, person.name, person.phone, number=person.number
        )
    except Conflict:
        found = await accounts.find_by_email(person.email)
        if found is None:
            raise
        return found, False
    return made, True


def identity_of(account: Account) -> Identity:
    """Return the identity under which a person acts."""
    return Identity(account.id, account.email, account.public_id, account.name)

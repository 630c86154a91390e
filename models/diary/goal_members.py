"""With whom a goal is shared: people, as others know them, to members of a goal."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from models.accounts import Account
from models.database import Document
from models.diary.goal_records import Person, with_members
from models.diary.goals_schema import MAX_MEMBERS
from models.errors import Invalid

FindByPublicId = Callable[[str], Awaitable[Account | None]]
"""Gives the account that others know by an id, or None."""


async def found_people(
    public_ids: Sequence[str], owner_id: str, find: FindByPublicId
) -> list[Person]:
    """Find those who are to be members of a goal, each once.

    Raises:
        Invalid: there is no such account, or it is the owner's.
    """
    wanted = list(dict.fromkeys(public_ids))
    accounts = await asyncio.gather(*map(find, wanted))
    problems = {
        str(position): [problem]
        for position, public_id in enumerate(public_ids)
        if (problem := _problem(accounts[wanted.index(public_id)], owner_id))
    }
    if problems:
        raise Invalid("Some members are not valid.", fields={"members": problems})
    return [
        {"account_id": account.id, "public_id": account.public_id}
        for account in accounts
        if account is not None
    ]


def joined_by(goal: Document, people: Sequence[Person]) -> Document:
    """Give what further members set.

    Raises:
        Invalid: too many.
    """
    present = [*goal["members"]]
    known = set(goal["readers"])
    present += [person for person in people if person["account_id"] not in known]
    if len(present) > MAX_MEMBERS:
        problem = f"A goal has {MAX_MEMBERS} members at most."
        raise Invalid(problem, fields={"members": [problem]})
    return with_members(goal["account_id"], present)


def left_by(goal: Document, gone: Callable[[Person], bool]) -> Document:
    """Give what is set when some are members no more."""
    staying = [person for person in goal["members"] if not gone(person)]
    return with_members(goal["account_id"], staying)


def _problem(account: Account | None, owner_id: str) -> str | None:
    if account is None:
        return "There is no such account."
    return "The owner is no member." if account.id == owner_id else None

"""With whom a goal is shared: its members, and the people who are invited and have not answered.

The owner names people by public ids and learns nothing about them from the answer: a public id that
no one has, someone who has blocked the owner and someone who declined all stay `pending`. Only
people who have accepted the owner elsewhere become members at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.accounts import Account
from models.accounts.lookups import Lookups
from models.database import Document
from models.diary.goals.records import (
    StoredGoal,
    StoredInvited,
    StoredMember,
    invited_in,
    with_invited,
    with_members,
)
from models.diary.goals.schema import MAX_MEMBERS
from models.errors import Invalid

FindByPublicId = Callable[[str], Awaitable[Account | None]]
"""Returns the account that others know by an id, or None."""

Between = Callable[[str, str], Awaitable[bool]]
"""Says something of two accounts by their ids: of an owner, and of who is to be a member."""


async def never(owner_id: str, member_id: str) -> bool:
    """Say no of any two accounts."""
    return False


@dataclass(frozen=True, slots=True)
class Named:
    """The people whom an owner has named: members at once, and those who are asked."""

    members: Sequence[StoredMember]
    invited: Sequence[StoredInvited]


class People:
    """Finds the people whom owners of goals name."""

    def __init__(
        self,
        find: FindByPublicId,
        *,
        may_add_at_once: Between = never,
        is_blocked: Between = never,
        lookups: Lookups,
    ) -> None:
        """Use `find`; `is_blocked` says whether one account has blocked the other."""
        self._find = find
        self._may_add_at_once = may_add_at_once
        self.is_blocked = is_blocked
        self._lookups = lookups

    async def named(self, public_ids: Sequence[str], owner_id: str, at: datetime) -> Named:
        """Find the people to share a goal with.

        Raises:
            Invalid: the owner is among them.
            TooManyRequests: code `too_many_lookups`.
        """
        wanted = list(dict.fromkeys(public_ids))
        self._lookups.count(owner_id, len(wanted))
        accounts = dict(zip(wanted, await asyncio.gather(*map(self._find, wanted)), strict=True))
        own = {name for name, account in accounts.items() if account and account.id == owner_id}
        if own:
            problems = {
                str(position): ["The owner is no member."]
                for position, public_id in enumerate(public_ids)
                if public_id in own
            }
            raise Invalid("Some members are not valid.", fields={"members": problems})
        members: list[StoredMember] = []
        invited: list[StoredInvited] = []
        for public_id, account in accounts.items():
            reached = account
            if account and await self.is_blocked(owner_id, account.id):
                reached = None
            if reached and await self._may_add_at_once(owner_id, reached.id):
                members.append({"account_id": reached.id, "public_id": reached.public_id})
                continue
            account_id = reached.id if reached else None
            invited.append({"public_id": public_id, "account_id": account_id, "at": at})
        return Named(members, invited)


def joined_by(goal: StoredGoal, named: Named) -> Document:
    """Return what is set when further people are named.

    Raises:
        Invalid: too many.
    """
    readers, waiting = set(goal["readers"]), invited_in(goal)
    new = [person for person in named.members if person["account_id"] not in readers]
    joined = readers | {person["account_id"] for person in new}
    named_before = {person["public_id"] for person in waiting}
    present = [*goal["members"], *new]
    # Who was asked before, and can be added at once now, has no need to answer any more.
    waiting = [person for person in waiting if person["account_id"] not in joined]
    waiting += [
        person
        for person in named.invited
        if person["account_id"] not in joined and person["public_id"] not in named_before
    ]
    if len(present) + len(waiting) > MAX_MEMBERS:
        problem = f"A goal has {MAX_MEMBERS} members at most, counting who has not answered."
        raise Invalid(problem, fields={"members": [problem]})
    return {**with_members(goal["account_id"], present), **with_invited(waiting)}


def accepted_by(goal: StoredGoal, person: StoredMember) -> Document:
    """Return what is set when an invited account becomes a member."""
    account_id = person["account_id"]
    waiting = [other for other in invited_in(goal) if other["account_id"] != account_id]
    members = with_members(goal["account_id"], [*goal["members"], person])
    return {**members, **with_invited(waiting)}


def declined_by(goal: StoredGoal, account_id: str) -> Document:
    """Return what is set when an invited account declines: the owner still sees it as pending."""
    waiting: list[StoredInvited] = [
        {**person, "account_id": None} if person["account_id"] == account_id else person
        for person in invited_in(goal)
    ]
    return {**with_invited(waiting), "declines": (goal.get("declines") or 0) + 1}


def left_by(goal: StoredGoal, gone: Callable[[Mapping[str, object]], bool]) -> Document:
    """Return what is set when members or invitations end."""
    staying = [person for person in goal["members"] if not gone(person)]
    waiting = [person for person in invited_in(goal) if not gone(person)]
    return {**with_members(goal["account_id"], staying), **with_invited(waiting)}

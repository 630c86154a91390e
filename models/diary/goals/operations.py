"""The rules of goals, one's own and shared ones: check, write, then publish once.

Whatever changes a goal is one write, on the condition that the goal still has the version that
was looked at; when it has another, it is looked at again. So each change is made to the goal that
all changes before have led to, and one of them is the one that reaches it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.accounts import Account
from models.collections import retention_of
from models.database import Database, Document, typed
from models.diary.goals import moves, records
from models.diary.goals.events import GoalProgress, GoalUpdated
from models.diary.goals.members import People, accepted_by, declined_by, joined_by, left_by
from models.diary.goals.records import StoredGoal, StoredMember, goal_view, invitation_view
from models.diary.goals.writing import ChangeEvent, GoalWriting
from models.diary.ids import id_of, is_id
from models.diary.motivation.port import Progress
from models.diary.views import GoalView, InvitationView
from models.errors import Conflict, Forbidden, NotFound
from models.events import Json, Publisher, as_json
from models.idempotency import KEPT, Idempotency, Operation
from models.identity import Identity
from models.keyed_locks import KeyedLocks
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.quotas import Quota
from models.retention import expire
from models.times import Clock, now
from models.versions import check_version
from models.whole import documents

Decide = Callable[[StoredGoal], Document]
"""Returns what to set in a goal as it is now."""

MAX_GOALS = 1_000
"""That an account owns: two a week for ten years. The page lists all, and each may have members,
who hear of all that becomes of it."""

GOALS = "/api/v1/diary/goals"
"""The operation of making one, as keys of clients are kept."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Goals:
    """Everyone's goals. Members see a goal and come further with it; the rest is its owner's.

    Those whom the owner names are invited, and are members once they have accepted; for them the
    goal does not exist before. People who have accepted the owner elsewhere are members at once.

    `diary_goals`: see `goal_records.new_goal`. A goal that the caller has nothing to do with is
    `NotFound`, code `goal_not_found`; a member who does what is the owner's is `Forbidden`, code
    `not_the_owner`. All methods that change a goal answer as `get` does.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        people: People,
        find_account: Callable[[str], Awaitable[Account | None]],
        clock: Clock = now,
    ) -> None:
        self._answers = Idempotency(database, clock=clock)
        self._goals = typed(database["diary_goals"], StoredGoal)
        self._quota = Quota(
            self._goals,
            MAX_GOALS,
            code="too_many_goals",
            message=f"You may own up to {MAX_GOALS:,} goals; delete some.",
        )
        self._writing = GoalWriting(database, publisher, clock)
        self._people = people
        self._find_account = find_account
        self._clock = clock
        self._locks = KeyedLocks()

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._goals.create_index([("readers", 1), ("created_at", 1), ("_id", 1)])
        await self._goals.create_index([("invitees", 1), ("invited_at", 1), ("_id", 1)])
        for field in ("account_id", "deleted_by", "forget_at"):
            await self._goals.create_index([(field, 1)])

    async def sweep(self) -> None:
        """Forget that there were goals which are deleted."""
        await expire(self._goals, retention_of("diary_goals"), self._clock())

    async def create(
        self,
        identity: Identity,
        *,
        title: str,
        kind: str,
        steps: Sequence[Mapping[str, str]] = (),
        target: float | None = None,
        unit: str = "",
        due_date: date | None = None,
        members: Sequence[str] = (),
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> GoalView:
        """Add a goal, values as `CreateGoal` loads them.

        Raises:
            Invalid: the owner is among the members; code `key_reused`.
            TooManyRequests: code `too_many_lookups`.
            Conflict: code `goal_deleted`: the goal of this `client_id` is gone; code
                `too_many_goals`.
        """
        content: dict[str, Any] = {
            "title": title,
            "kind": kind,
            "steps": steps,
            "target": target,
            "unit": unit,
            "due_date": due_date,
            "members": members,
        }
        async with self._answers.once(
            identity.account_id,
            GOALS,
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            return await self._create(identity, operation, **content)

    async def _create(
        self,
        identity: Identity,
        operation: Operation,
        *,
        title: str,
        kind: str,
        steps: Sequence[Mapping[str, str]],
        target: float | None,
        unit: str,
        due_date: date | None,
        members: Sequence[str],
    ) -> GoalView:
        goal_id = id_of(operation.id)
        if operation.is_done:
            return await self._made_before(identity, goal_id)
        await self._quota.use(identity.account_id)
        at = self._clock()
        named = await self._people.named(members, identity.account_id, at)
        goal = records.new_goal(
            goal_id,
            identity,
            title=title,
            kind=kind,
            steps=steps,
            target=None if target is None else moves.thousandths("target", target),
            unit=unit,
            due_date=due_date,
            members=named.members,
            invited=named.invited,
            created_at=at,
        )
        try:
            await self._goals.insert_one(goal)
        except DuplicateKeyError:
            return await self._made_before(identity, goal_id)
        await self._writing.publish_created(goal, identity.name)
        return goal_view(goal, identity.account_id)

    async def _made_before(self, identity: Identity, goal_id: str) -> GoalView:
        made = await self._goals.find_one({"_id": goal_id})
        if made is None or made["account_id"] is None:
            raise Conflict("This goal was deleted.", code="goal_deleted")
        return goal_view(made, identity.account_id)

    async def get(self, identity: Identity, goal_id: str) -> GoalView:
        """Return a goal.

        `id`, `title`, `kind`, `steps` (of `id`, `title`, `done`), `target` and `current` (numbers
        or null), `unit`, `due_date`, `progress` (0 to 1), `done`, `completed_at`, `owner` (account
        id), `members` (public ids), `pending` (public ids of those who have not answered; empty for
        all but the owner), `created_at`, `updated_at`, `version`.
        """
        goal = await self._readable(identity, goal_id)
        return goal_view(goal, identity.account_id)

    async def list(
        self, identity: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[GoalView]:
        """Return a page of the caller's goals and those shared with the caller, newest first."""
        query: Document = {"readers": identity.account_id}
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._goals.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {
            "items": [goal_view(goal, identity.account_id) for goal in shown],
            "next": following,
        }

    async def update(
        self, identity: Identity, goal_id: str, *, if_version: int | None = None, **changed: Any
    ) -> GoalView:
        """Change a goal of the caller's, values as `ChangeGoal` loads them.

        Raises:
            Invalid: steps or a target that goals of this kind do not have, an unknown step id.
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """

        def decide(goal: StoredGoal) -> Document:
            _check_owner(identity, goal)
            check_version(goal["version"], if_version)
            return moves.updated(goal, changed)

        return await self._changed(identity, goal_id, decide)

    async def set_step(
        self, identity: Identity, goal_id: str, *, step_id: str, done: bool
    ) -> GoalView:
        """Say whether a step is done.

        Raises:
            Conflict: code `not_of_steps`.
            NotFound: code `step_not_found`.
        """

        def decide(goal: StoredGoal) -> Document:
            return moves.with_step(goal, step_id, done)

        return await self._changed(identity, goal_id, decide, GoalProgress)

    async def add_progress(
        self,
        identity: Identity,
        goal_id: str,
        *,
        amount: float,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> GoalView:
        """Come further by an amount with three decimals at most, or back; never below zero.

        Sent again under its key it counts once, and answers with the goal as it is by then.

        Raises:
            Conflict: code `not_of_number`.
            Invalid: no such number; code `key_reused`.
        """
        more = moves.thousandths("amount", amount)
        async with self._answers.once(
            identity.account_id,
            f"{GOALS}/{goal_id}/progress",
            client_id=client_id,
            operation_id=operation_id,
            content={"amount": more},
        ) as operation:

            def decide(goal: StoredGoal) -> Document:
                moves.check_number(goal)
                if operation.is_done or operation.id in moves.counted_in(goal):
                    return {}
                keyed = client_id is not None or operation_id is not None
                return moves.with_more(goal, more, operation.id if keyed else None)

            return await self._changed(identity, goal_id, decide, GoalProgress)

    async def set_progress(self, identity: Identity, goal_id: str, *, value: float) -> GoalView:
        """Say how far one has come; raises as `add_progress`."""
        current = moves.thousandths("value", value)

        def decide(goal: StoredGoal) -> Document:
            moves.check_number(goal)
            return moves.with_current(goal, current)

        return await self._changed(identity, goal_id, decide, GoalProgress)

    async def share(self, identity: Identity, goal_id: str, *, members: Sequence[str]) -> GoalView:
        """Ask these people to share a goal of the caller's.

        Raises:
            Invalid: the owner is among them; too many of them.
            TooManyRequests: code `too_many_lookups`.
        """
        # Before anyone is looked for: who has nothing to do with the goal learns nothing.
        _check_owner(identity, await self._readable(identity, goal_id))
        named = await self._people.named(members, identity.account_id, self._clock())

        def decide(goal: StoredGoal) -> Document:
            _check_owner(identity, goal)
            return joined_by(goal, named)

        return await self._changed(identity, goal_id, decide)

    async def unshare(
        self, identity: Identity, goal_id: str, *, members: Sequence[str]
    ) -> GoalView:
        """Stop sharing a goal of the caller with these people; others are passed over.

        That ends memberships and withdraws invitations.
        """

        def decide(goal: StoredGoal) -> Document:
            _check_owner(identity, goal)
            return left_by(goal, lambda person: person["public_id"] in members)

        return await self._changed(identity, goal_id, decide)

    async def leave(self, identity: Identity, goal_id: str) -> None:
        """Have nothing to do any more with a goal that someone shared with the caller.

        Raises:
            Conflict: code `own_goal`: the owner deletes it instead.
        """

        def decide(goal: StoredGoal) -> Document:
            if goal["account_id"] == identity.account_id:
                raise Conflict("The owner does not leave a goal.", code="own_goal")
            return left_by(goal, lambda person: person["account_id"] == identity.account_id)

        await self._change(identity, goal_id, decide)

    async def invitations(
        self, identity: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[InvitationView]:
        """Return a page of the invitations that the caller has not answered, the latest first.

        Each has `goal_id`, `title`, `owner` (`public_id`, `name`) and `invited_at`.
        """
        query: Document = {"invitees": identity.account_id}
        if after:
            query["$or"] = after.following("invited_at")
        order = newest_first("invited_at")
        found = await self._goals.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "invited_at")
        items = await asyncio.gather(*(self._invitation(identity, goal) for goal in shown))
        return {"items": [item for item in items if item is not None], "next": following}

    async def accept(self, identity: Identity, goal_id: str) -> GoalView:
        """Become a member of a goal that the caller is invited to; a member stays one."""
        person: StoredMember = {"account_id": identity.account_id, "public_id": identity.public_id}

        def decide(goal: StoredGoal) -> Document:
            return {} if identity.account_id in goal["readers"] else accepted_by(goal, person)

        goal = await self._change(identity, goal_id, decide, invited_too=True)
        return goal_view(goal, identity.account_id)

    async def decline(self, identity: Identity, goal_id: str) -> None:
        """Decline an invitation; the owner still sees it as not answered.

        Raises:
            Conflict: code `goal_accepted`: a member leaves instead.
        """

        account_id = identity.account_id
        while True:
            goal = await self._readable(identity, goal_id, invited_too=True)
            if account_id in goal["readers"]:
                raise Conflict("Leave a goal that you share.", code="goal_accepted")
            declined = declined_by(goal, account_id)
            if await self._writing.write_silently(goal, declined, account_id):
                return

    async def delete(
        self, identity: Identity, goal_id: str, *, if_version: int | None = None
    ) -> None:
        """Remove a goal of the caller's, for its members as well.

        Raises:
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """

        def decide(goal: StoredGoal) -> Document:
            _check_owner(identity, goal)
            check_version(goal["version"], if_version)
            return records.deleted(identity.account_id, self._clock() + KEPT)

        await self._change(identity, goal_id, decide)

    async def line_for_motivation(self, account_id: str) -> Progress | None:
        """Return how far the account has come with the goal it last came further with, if any.

        Only goals of its own, unfinished: the title of a shared one is another account's words.
        """
        query = {"account_id": account_id, "done": False, "moved_at": {"$gt": _BEGINNING}}
        found = await self._goals.find(query).sort(newest_first("moved_at")).limit(1).to_list(None)
        return records.progress_of(found[0]) if found else None

    async def export(self, account_id: str, *, owned: bool) -> AsyncIterator[dict[str, Json]]:
        """Yield all goals of an account, or those shared with it, newest first, each as `get`."""
        async for goal in documents(
            self._goals,
            {"readers": account_id},
            newest_first("created_at"),
            lambda goal: account_id in goal["readers"],
        ):
            if (goal["account_id"] == account_id) is owned:
                yield as_json(goal_view(goal, account_id))

    async def export_invitations(self, identity: Identity) -> AsyncIterator[dict[str, Json]]:
        """Yield all invitations that the caller has not answered, each as `invitations` does."""
        account_id = identity.account_id
        async for goal in documents(
            self._goals,
            {"invitees": account_id},
            newest_first("invited_at"),
            lambda goal: account_id in goal["invitees"],
        ):
            invitation = await self._invitation(identity, goal)
            if invitation is not None:
                yield as_json(invitation)

    async def delete_all(self, account_id: str) -> None:
        """Remove all goals of an account, for their members as well; leave all others."""
        while found := await self._goals.find({"readers": account_id}).limit(100).to_list(None):
            for goal in found:
                if goal["account_id"] == account_id:
                    await self._writing.remove(goal)
                else:
                    remaining = left_by(goal, lambda person: person["account_id"] == account_id)
                    await self._writing.write(goal, remaining, GoalUpdated)
        await self._forget_invitations(account_id)
        await self._goals.delete_many({"deleted_by": account_id})

    async def end_sharing(self, account_id: str) -> None:
        """End what an account shares: others' goals with it, its own with others, and invitations.

        For an account that is handed over to another person; its own goals stay, with the account
        alone. Those who shared them are told.
        """
        while shared := await self._shared_by(account_id):
            for goal in shared:
                if goal["account_id"] == account_id:
                    alone = left_by(goal, lambda person: True)
                else:
                    alone = left_by(goal, lambda person: person["account_id"] == account_id)
                await self._writing.write(goal, alone, GoalUpdated)
        await self._forget_invitations(account_id)

    async def _shared_by(self, account_id: str) -> Sequence[StoredGoal]:
        found = await self._goals.find({"readers": account_id}).to_list(None)
        return [
            goal
            for goal in found
            if goal["account_id"] != account_id or goal["members"] or goal.get("invited")
        ]

    async def _forget_invitations(self, account_id: str) -> None:
        while asking := await self._goals.find({"invitees": account_id}).limit(100).to_list(None):
            for goal in asking:
                declined = declined_by(goal, account_id)
                await self._writing.write_silently(goal, declined, account_id)

    async def _readable(
        self, identity: Identity, goal_id: str, *, invited_too: bool = False
    ) -> StoredGoal:
        goal = await self._goals.find_one({"_id": goal_id}) if is_id(goal_id) else None
        allowed = [] if goal is None else [*goal["readers"]]
        if goal is not None and invited_too:
            allowed += goal.get("invitees", ())
        if goal is None or identity.account_id not in allowed:
            raise NotFound("There is no such goal.", code="goal_not_found")
        return goal

    async def _invitation(self, identity: Identity, goal: StoredGoal) -> InvitationView | None:
        """Return an invitation as its receiver sees it, None where it has blocked the owner."""
        owner_id, account_id = goal["account_id"], identity.account_id
        if await self._people.is_blocked(owner_id, account_id):
            return None
        owner = await self._find_account(owner_id)
        return invitation_view(goal, account_id, owner.name if owner else None)

    async def _changed(
        self,
        identity: Identity,
        goal_id: str,
        decide: Decide,
        event_type: ChangeEvent = GoalUpdated,
    ) -> GoalView:
        goal = await self._change(identity, goal_id, decide, event_type)
        return goal_view(goal, identity.account_id)

    async def _change(
        self,
        identity: Identity,
        goal_id: str,
        decide: Decide,
        event_type: ChangeEvent = GoalUpdated,
        *,
        invited_too: bool = False,
    ) -> StoredGoal:
        async with self._locks.lock(goal_id):
            while True:
                goal = await self._readable(identity, goal_id, invited_too=invited_too)
                values = decide(goal)
                changed = await self._writing.write(goal, values, event_type, identity)
                if changed is not None:
                    return changed


def _check_owner(identity: Identity, goal: StoredGoal) -> None:
    if goal["account_id"] != identity.account_id:
        raise Forbidden("Only the owner of a goal may do this.", code="not_the_owner")

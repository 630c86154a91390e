"""The rules of goals, one's own and shared ones: check, write, then tell once.

Whatever changes a goal is one write, on the condition that the goal still has the version that
was looked at; when it has another, it is looked at again. So each change is made to the goal that
all changes before have led to, and one of them is the one that reaches it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.chat.turns import Turns
from models.database import Database, Document
from models.diary import goal_moves as moves
from models.diary import goal_records as records
from models.diary.goal_members import FindByPublicId, found_people, joined_by, left_by
from models.diary.goal_records import goal_json
from models.diary.goal_writing import GoalWriting, Told
from models.diary.goals_events import GoalCreated, GoalProgress, GoalUpdated
from models.diary.ids import is_id, new_id
from models.diary.motivation.port import Progress
from models.errors import Conflict, Forbidden, NotFound
from models.events import Json, Publisher
from models.idempotency import KEPT
from models.identity import Identity
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock, now

Decide = Callable[[Document], Document]
"""Gives what to set in a goal as it is now."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Goals:
    """Everybody's goals. Members see a goal and come further with it; the rest is its owner's.

    `diary_goals`: see `goal_records.new_goal`. A goal that the caller has nothing to do with is
    `NotFound`, code `goal_not_found`; a member who does what is the owner's is `Forbidden`, code
    `not_the_owner`. All methods that change a goal answer as `get` does.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        find_by_public_id: FindByPublicId,
        clock: Clock = now,
    ) -> None:
        self._goals = database["diary_goals"]
        self._writing = GoalWriting(database, publisher, clock)
        self._find_by_public_id = find_by_public_id
        self._clock = clock
        self._turns = Turns()

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._goals.create_index([("readers", 1), ("created_at", 1), ("_id", 1)])
        for field in ("account_id", "deleted_by", "forget_at"):
            await self._goals.create_index([(field, 1)])

    async def sweep(self) -> None:
        """Forget that there were goals which are deleted."""
        await self._goals.delete_many({"forget_at": {"$lte": self._clock()}})

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
    ) -> dict[str, Json]:
        """Add a goal, values as `CreateGoal` loads them.

        Raises:
            Invalid: a member that there is not.
            Conflict: code `goal_deleted`: the goal of this `client_id` is there no more.
        """
        people = await found_people(members, identity.account_id, self._find_by_public_id)
        goal = records.new_goal(
            new_id("goal", identity.account_id, client_id),
            identity,
            title=title,
            kind=kind,
            steps=steps,
            target=None if target is None else moves.thousandths("target", target),
            unit=unit,
            due_date=due_date,
            members=people,
            created_at=self._clock(),
        )
        try:
            await self._goals.insert_one(goal)
        except DuplicateKeyError:
            made = await self._goals.find_one({"_id": goal["_id"]})
            if made is None or made["account_id"] is None:
                raise Conflict("This goal was deleted.", code="goal_deleted") from None
            return goal_json(made)
        await self._writing.tell(GoalCreated(goal_json(goal)), goal["readers"])
        return goal_json(goal)

    async def get(self, identity: Identity, goal_id: str) -> dict[str, Json]:
        """Give a goal.

        `id`, `title`, `kind`, `steps` (of `id`, `title`, `done`), `target` and `current` (numbers
        or null), `unit`, `due_date`, `progress` (0 to 1), `done`, `completed_at`, `owner` and
        `members` (public ids), `created_at`, `updated_at`, `version`.
        """
        return goal_json(await self._readable(identity, goal_id))

    async def list(
        self, identity: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> dict[str, Json]:
        """Give a page of the caller's goals and those shared with the caller, newest first."""
        query: Document = {"readers": identity.account_id}
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._goals.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [goal_json(goal) for goal in shown], "next": following}

    async def update(self, identity: Identity, goal_id: str, **changed: Any) -> dict[str, Json]:
        """Change a goal of the caller's, values as `ChangeGoal` loads them.

        Raises:
            Invalid: steps or a target that goals of this kind do not have, an unknown step id.
        """

        def decide(goal: Document) -> Document:
            _check_owner(identity, goal)
            return moves.updated(goal, changed)

        return goal_json(await self._change(identity, goal_id, decide))

    async def set_step(
        self, identity: Identity, goal_id: str, *, step_id: str, done: bool
    ) -> dict[str, Json]:
        """Say whether a step is done.

        Raises:
            Conflict: code `not_of_steps`.
            NotFound: code `step_not_found`.
        """

        def decide(goal: Document) -> Document:
            return moves.with_step(goal, step_id, done)

        return goal_json(await self._change(identity, goal_id, decide, GoalProgress))

    async def add_progress(
        self, identity: Identity, goal_id: str, *, amount: float
    ) -> dict[str, Json]:
        """Come further by an amount with three decimals at most, or back; never below zero.

        Raises:
            Conflict: code `not_of_number`.
            Invalid: no such number.
        """
        more = moves.thousandths("amount", amount)

        def decide(goal: Document) -> Document:
            moves.check_number(goal)
            return moves.with_current(goal, goal["current"] + more)

        return goal_json(await self._change(identity, goal_id, decide, GoalProgress))

    async def set_progress(
        self, identity: Identity, goal_id: str, *, value: float
    ) -> dict[str, Json]:
        """Say how far one has come; raises as `add_progress`."""
        current = moves.thousandths("value", value)

        def decide(goal: Document) -> Document:
            moves.check_number(goal)
            return moves.with_current(goal, current)

        return goal_json(await self._change(identity, goal_id, decide, GoalProgress))

    async def share(
        self, identity: Identity, goal_id: str, *, members: Sequence[str]
    ) -> dict[str, Json]:
        """Let these accounts see a goal of the caller's and come further with it, too.

        Raises:
            Invalid: a member that there is not, or that is the owner; too many of them.
        """
        # Before anybody is looked for: who has nothing to do with the goal learns nothing.
        _check_owner(identity, await self._readable(identity, goal_id))
        people = await found_people(members, identity.account_id, self._find_by_public_id)

        def decide(goal: Document) -> Document:
            _check_owner(identity, goal)
            return joined_by(goal, people)

        return goal_json(await self._change(identity, goal_id, decide))

    async def unshare(
        self, identity: Identity, goal_id: str, *, members: Sequence[str]
    ) -> dict[str, Json]:
        """Hide a goal of the caller's from these of its members; others are passed over."""

        def decide(goal: Document) -> Document:
            _check_owner(identity, goal)
            return left_by(goal, lambda person: person["public_id"] in members)

        return goal_json(await self._change(identity, goal_id, decide))

    async def leave(self, identity: Identity, goal_id: str) -> None:
        """Have nothing to do any more with a goal that somebody shared with the caller.

        Raises:
            Conflict: code `own_goal`: the owner deletes it instead.
        """

        def decide(goal: Document) -> Document:
            if goal["account_id"] == identity.account_id:
                raise Conflict("The owner does not leave a goal.", code="own_goal")
            return left_by(goal, lambda person: person["account_id"] == identity.account_id)

        await self._change(identity, goal_id, decide)

    async def delete(self, identity: Identity, goal_id: str) -> None:
        """Remove a goal of the caller's, for its members as well."""

        def decide(goal: Document) -> Document:
            _check_owner(identity, goal)
            return records.deleted(identity.account_id, self._clock() + KEPT)

        await self._change(identity, goal_id, decide)

    async def line_for_motivation(self, account_id: str) -> Progress | None:
        """Give how far the account has come with the goal it last came further with, if any.

        Only goals of its own, unfinished: the title of a shared one is somebody else's words.
        """
        query = {"account_id": account_id, "done": False, "moved_at": {"$gt": _BEGINNING}}
        found = await self._goals.find(query).sort(newest_first("moved_at")).limit(1).to_list(None)
        return records.progress_of(found[0]) if found else None

    async def export(self, account_id: str) -> Sequence[dict[str, Json]]:
        """Give all goals that an account sees, newest first, each as `get` does."""
        found = self._goals.find({"readers": account_id}).sort(newest_first("created_at"))
        return [goal_json(goal) async for goal in found]

    async def delete_all(self, account_id: str) -> None:
        """Remove all goals of an account, for their members as well; leave all others."""
        while found := await self._goals.find({"readers": account_id}).limit(100).to_list(None):
            for goal in found:
                if goal["account_id"] == account_id:
                    await self._writing.remove(goal)
                else:
                    remaining = left_by(goal, lambda person: person["account_id"] == account_id)
                    await self._writing.write(goal, remaining, GoalUpdated)
        await self._goals.delete_many({"deleted_by": account_id})

    async def _readable(self, identity: Identity, goal_id: str) -> Document:
        goal = await self._goals.find_one({"_id": goal_id}) if is_id(goal_id) else None
        if goal is None or identity.account_id not in goal["readers"]:
            raise NotFound("There is no such goal.", code="goal_not_found")
        return goal

    async def _change(
        self, identity: Identity, goal_id: str, decide: Decide, told_as: Told = GoalUpdated
    ) -> Document:
        async with self._turns.of(goal_id):
            while True:
                goal = await self._readable(identity, goal_id)
                changed = await self._writing.write(goal, decide(goal), told_as)
                if changed is not None:
                    return changed


def _check_owner(identity: Identity, goal: Document) -> None:
    if goal["account_id"] != identity.account_id:
        raise Forbidden("Only the owner of a goal may do this.", code="not_the_owner")

"""All that the diary knows of somebody: to take away, or to be gone."""

import datetime
from collections.abc import Awaitable, Callable

from models.accounts.schema import Account, existing
from models.diary.entries import Entries
from models.diary.entries_events import DiaryCleared
from models.diary.goals import Goals
from models.diary.motivation.operations import Motivation
from models.diary.tasks import Tasks
from models.events import Json, Publisher
from models.idempotency import Idempotency
from models.identity import Identity
from models.rooms import user_room
from models.times import Clock, to_text

ANSWERS_BELOW = "/api/v1/diary/"
"""The paths whose kept answers hold parts of diaries."""


class Export:
    """Reads and removes whole diaries."""

    def __init__(
        self,
        entries: Entries,
        tasks: Tasks,
        goals: Goals,
        motivation: Motivation,
        *,
        answers: Idempotency,
        publisher: Publisher,
        find_account: Callable[[str], Awaitable[Account | None]],
        clock: Clock,
    ) -> None:
        self._entries = entries
        self._tasks = tasks
        self._goals = goals
        self._motivation = motivation
        self._answers = answers
        self._publisher = publisher
        self._find_account = find_account
        self._clock = clock

    async def read(self, identity: Identity) -> dict[str, Json]:
        """Give everything: see `Diary.export`.

        Raises:
            NotFound: code `account_not_found`.
        """
        account_id = identity.account_id
        account = existing(await self._find_account(account_id))
        goals = await self._goals.export(account_id)
        owned = [goal for goal in goals if goal["owner"] == account.public_id]
        ever = (datetime.date.min, datetime.date.max)
        return {
            "exported_at": to_text(self._clock()),
            "settings": {"time_zone": account.time_zone, "language": account.language},
            "entries": [*await self._entries.export(account_id)],
            "tasks": [*await self._tasks.export(account_id)],
            "completions": [*await self._tasks.completions(account_id, *ever)],
            "goals": {
                "owned": [*owned],
                "shared": [goal for goal in goals if goal not in owned],
            },
            "motivations": [*await self._motivation.export(account_id)],
        }

    async def delete(self, identity: Identity) -> None:
        """Remove everything: see `Diary.delete_everything`."""
        account_id = identity.account_id
        await self._entries.delete_all(account_id)
        await self._tasks.delete_all(account_id)
        await self._goals.delete_all(account_id)
        await self._motivation.delete_all(account_id)
        # What was sent with an Idempotency-Key was answered with what it wrote.
        await self._answers.forget(account_id, ANSWERS_BELOW)
        cleared = DiaryCleared(to_text(self._clock()))
        await self._publisher.publish(cleared, user_room(account_id))

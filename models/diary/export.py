"""All that the diary knows of someone: to take away, or to be gone."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from models.accounts.schema import Account, existing
from models.diary.entries.events import DiaryCleared
from models.diary.entries.operations import Entries
from models.diary.goals.operations import Goals
from models.diary.motivation.operations import Motivation
from models.diary.tasks.operations import Tasks
from models.diary.views import DiaryView
from models.errors import Conflict
from models.events import Publisher
from models.exports import Slots, Streamed
from models.idempotency import Idempotency
from models.identity import Identity
from models.rooms import user_room
from models.times import Clock, to_text

ANSWERS_BELOW = "/api/v1/diary/"
"""The paths whose kept answers hold parts of diaries."""


class _Room:
    """What is left of an answer's bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, value: object) -> None:
        """Take the bytes that `value` has as JSON.

        Raises:
            Conflict: code `answer_too_long`: there are not so many.
        """
        self._left -= len(json.dumps(value, ensure_ascii=False).encode())
        if self._left < 0:
            message = "This is too long for one answer: ask for fewer, or over REST."
            raise Conflict(message, code="answer_too_long")


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
        slots: Slots,
    ) -> None:
        self._entries = entries
        self._tasks = tasks
        self._goals = goals
        self._motivation = motivation
        self._answers = answers
        self._publisher = publisher
        self._find_account = find_account
        self._clock = clock
        self._slots = slots

    @asynccontextmanager
    async def reading(self, identity: Identity) -> AsyncIterator[Streamed]:
        """Open the caller's whole diary to be read once, in the order of its parts.

        Raises:
            NotFound: code `account_not_found`.
            TooManyRequests: code `export_under_way`: the caller, or too many others, read theirs.
        """
        account_id = identity.account_id
        account = existing(await self._find_account(account_id))
        with self._slots.taken(account_id):
            yield {
                "exported_at": to_text(self._clock()),
                "settings": {"time_zone": account.time_zone, "language": account.language},
                **self.lists(identity),
            }

    def lists(self, identity: Identity) -> Streamed:
        """Return the lists of an account's diary, to be read once, in their order."""
        account_id = identity.account_id
        return {
            "entries": self._entries.export(account_id),
            "tasks": self._tasks.export(account_id),
            "completions": self._tasks.export_completions(account_id),
            "goals": {
                "owned": self._goals.export(account_id, owned=True),
                "shared": self._goals.export(account_id, owned=False),
                "invitations": self._goals.export_invitations(identity),
            },
            "motivations": self._motivation.export(account_id),
        }

    async def read(self, identity: Identity, max_bytes: int) -> DiaryView:
        """Return the caller's whole diary; raises as `reading`.

        Raises:
            Conflict: code `answer_too_long`: as JSON it has more than `max_bytes`.
        """
        async with self.reading(identity) as streamed:
            whole: DiaryView = await _collected(streamed, _Room(max_bytes))
            return whole

    async def delete(self, account_id: str) -> None:
        """Remove everything: see `Diary.delete_everything`."""
        await self._entries.delete_all(account_id)
        await self._tasks.delete_all(account_id)
        await self._goals.delete_all(account_id)
        await self._motivation.delete_all(account_id)
        # What was sent with an Idempotency-Key was answered with what it wrote.
        await self._answers.forget(account_id, ANSWERS_BELOW)
        cleared = DiaryCleared(at=to_text(self._clock()))
        await self._publisher.publish(cleared, user_room(account_id))


async def _collected(value: Any, room: _Room) -> Any:
    if isinstance(value, Mapping):
        return {name: await _collected(part, room) for name, part in value.items()}
    if not isinstance(value, AsyncIterator):
        room.take(value)
        return value
    items = []
    async for item in value:
        room.take(item)
        items.append(item)
    return items

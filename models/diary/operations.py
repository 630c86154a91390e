"""The diary: its parts, built on each other, and what is done with all of them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from models.accounts import Account
from models.accounts.lookups import Lookups
from models.database import Database
from models.diary.account_data import DiaryAccountData
from models.diary.entries.operations import Entries
from models.diary.export import Export
from models.diary.goals.members import Between, People, never
from models.diary.goals.operations import Goals
from models.diary.motivation.operations import Motivation
from models.diary.motivation.port import Generator
from models.diary.summary.figures import Figures
from models.diary.summary.operations import Summary
from models.diary.tasks.operations import Tasks
from models.diary.tasks.reminders import Reminders
from models.diary.views import DiaryView
from models.diary.zones import Zones
from models.events import Publisher
from models.exports import Slots, Streamed
from models.idempotency import Idempotency
from models.identity import Identity
from models.notifications.push import Push
from models.times import Clock, now


class Diary:
    """Everyone's diaries: `entries`, `tasks`, `goals`, `motivation` and the `summary` of them.

    Motivation comes from `generator` if there is one, and from the catalogue if not or if it
    fails. `may_add_at_once` says whether an owner of a goal may make someone a member without an
    invitation, `is_blocked` whether one has blocked the other. Reminders
    of tasks go to the owner's devices, and through `push` to those subscribed.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        find_account: Callable[[str], Awaitable[Account | None]],
        find_by_public_id: Callable[[str], Awaitable[Account | None]],
        push: Push,
        generator: Generator | None,
        motivations_per_minute: int,
        lookups: Lookups,
        exports_per_account: int = 1,
        exports: int = 16,
        may_add_at_once: Between = never,
        is_blocked: Between = never,
        clock: Clock = now,
    ) -> None:
        zones = Zones(find_account, clock)
        self.entries = Entries(database, publisher, zones, clock)
        self.tasks = Tasks(database, publisher, zones, clock=clock)
        people = People(
            find_by_public_id,
            may_add_at_once=may_add_at_once,
            is_blocked=is_blocked,
            lookups=lookups,
        )
        self.goals = Goals(database, publisher, people, find_account, clock)
        self.motivation = Motivation(
            database,
            publisher,
            find_account=find_account,
            progress_of=self.goals.line_for_motivation,
            generator=generator,
            per_minute=motivations_per_minute,
            clock=clock,
        )
        self.summary = Summary(self.entries, self.tasks, Figures(database), zones, clock)
        self.reminders = Reminders(database, publisher, push, zones, clock)
        self._everything = Export(
            self.entries,
            self.tasks,
            self.goals,
            self.motivation,
            answers=Idempotency(database, clock=clock),
            publisher=publisher,
            find_account=find_account,
            clock=clock,
            slots=Slots(exports_per_account, exports),
        )
        self.account_data = DiaryAccountData(
            end_sharing=self.goals.end_sharing,
            delete=self._everything.delete,
            lists=self._everything.lists,
        )

    async def prepare(self) -> None:
        """Make the indexes; what an earlier process left is finished by the sweep."""
        for part in (self.entries, self.tasks, self.goals, self.motivation, self.reminders):
            await part.prepare()

    async def sweep(self) -> None:
        """Remind of what is due, repair what crashes interrupted, forget what is old."""
        await self.tasks.sweep()
        await self.reminders.sweep()
        await self.entries.sweep()
        await self.goals.sweep()
        await self.motivation.forget_old()

    async def moved(self, account_id: str) -> None:
        """Note that an account lives in another time zone now: reminders go by it from here on."""
        await self.tasks.rezone(account_id)

    def reading(self, identity: Identity) -> AbstractAsyncContextManager[Streamed]:
        """Open everything that the diary has of the caller, to be read once.

        As `export` returns it, with asynchronous iterators for lists; raises as that does, but for
        the length.
        """
        return self._everything.reading(identity)

    async def export(self, identity: Identity, *, max_bytes: int) -> DiaryView:
        """Return everything that the diary has of the caller.

        Raises:
            NotFound: code `account_not_found`.
            TooManyRequests: code `export_under_way`: the caller, or too many others, read theirs.
            Conflict: code `answer_too_long`: more than `max_bytes` as JSON.
        """
        return await self._everything.read(identity, max_bytes)

    async def delete_everything(self, identity: Identity) -> None:
        """Remove the caller's diary, and end the sharing of others' goals with the caller.

        Own goals are gone for their members as well. The account and its settings stay.
        """
        await self._everything.delete(identity.account_id)

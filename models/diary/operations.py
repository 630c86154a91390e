"""The diary: its parts, built on each other, and what is done with all of them."""

from collections.abc import Awaitable, Callable

from models.accounts import Account
from models.database import Database
from models.diary.entries import Entries
from models.diary.export import Export
from models.diary.figures import Figures
from models.diary.goals import Goals
from models.diary.motivation.operations import Motivation
from models.diary.motivation.port import Generator
from models.diary.reminders import Reminders
from models.diary.summary import Summary
from models.diary.tasks import Tasks
from models.diary.zones import Zones
from models.events import Json, Publisher
from models.idempotency import Idempotency
from models.identity import Identity
from models.notifications.push import Push
from models.times import Clock, now


class Diary:
    """Everybody's diaries: `entries`, `tasks`, `goals`, `motivation` and the `summary` of them.

    Motivation comes from `generator` if there is one, and from the catalogue if not or if it
    fails. Reminders of tasks go to the owner's devices, and through `push` to those subscribed.
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
        clock: Clock = now,
    ) -> None:
        zones = Zones(find_account, clock)
        self.entries = Entries(database, publisher, zones, clock)
        self.tasks = Tasks(database, publisher, zones, clock=clock)
        self.goals = Goals(database, publisher, find_by_public_id, clock)
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

    async def export(self, identity: Identity) -> dict[str, Json]:
        """Give everything that the diary has of the caller.

        `exported_at`, `settings` (`time_zone`, `language`), `entries`, `tasks`, `completions`
        (`task_id`, `date`, `due_date`; also of tasks deleted since), `goals` (`owned`, and
        `shared` by others), `motivations`; each as the listings give it.

        Raises:
            NotFound: code `account_not_found`.
        """
        return await self._everything.read(identity)

    async def delete_everything(self, identity: Identity) -> None:
        """Remove the caller's diary, and end the sharing of others' goals with the caller.

        Own goals are gone for their members as well. The account and its settings stay.
        """
        await self._everything.delete(identity)

"""Load the examples into a database that may have them in part."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date

from app.demo.chat import load_chat
from app.demo.diary import load_days, load_diary
from app.demo.market import load_market
from app.demo.people import PASSWORD, PEOPLE, identity_of, load_account
from app.demo.stories import load_stories
from app.demo.world import ChosenTime, World
from app.domains import DOMAINS, Foundation
from app.settings import Settings
from models.accounts import Account, Accounts, Passwords
from models.accounts.lookups import Lookups
from models.accounts.schema import existing
from models.chat import Chat
from models.database import Database
from models.demo import Loaded
from models.diary.operations import Diary
from models.errors import Forbidden
from models.events import Publisher
from models.market.operations import Market
from models.notifications.operations import Notifications
from models.notifications.subscriptions import Subscriptions
from models.stories.operations import Stories
from models.times import Clock, now

_LOOKUPS = 10_000
"""Whom the examples name is not counted."""

_PARTS: tuple[tuple[str, Callable[[World], Awaitable[tuple[int, str]]]], ...] = (
    ("chat", load_chat),
    ("market", load_market),
    ("diary", load_diary),
)
"""Parts that are loaded once. A part whose examples change gets another name."""


async def load_demo(
    database: Database,
    publisher: Publisher,
    settings: Settings,
    passwords: Passwords,
    clock: Clock = now,
) -> list[str]:
    """Make what is missing of the examples; return lines that say what is there."""
    # Of their own: the domains below join in the lives of accounts, as those of a server do.
    accounts = Accounts(database, passwords, clock=clock)
    lines = []
    people = {}
    for person in PEOPLE:
        account, made = await load_account(accounts, person)
        people[person.name] = identity_of(account)
        lines.append(_line(f"account {account.id}: {person.email} / {PASSWORD}", made))
    world = build_world(database, publisher, settings, accounts, clock)
    world.people = people
    loaded = Loaded(database, [person.account_id for person in people.values()])
    made_stories, what = await load_stories(world)
    lines.append(_line(what, made_stories > 0))
    for name, load in _PARTS:
        known = await loaded.of(name)
        if known is None:
            _, known = await load(world)
            await loaded.note(name, known)
        else:
            lines.append(_line(known, False))
            continue
        lines.append(_line(known, True))
    lines.append(_line("a month of Test's diary", await _load_days(world, loaded)))
    return lines


async def _load_days(world: World, loaded: Loaded) -> bool:
    through = await loaded.of("days")
    today = world.now.date().isoformat()
    if through == today:
        return False
    written = await load_days(world, date.fromisoformat(through) if through else None)
    await loaded.note("days", today)
    return written > 0


def build_world(
    database: Database,
    publisher: Publisher,
    settings: Settings,
    accounts: Accounts,
    clock: Clock = now,
) -> World:
    """Build domains next to those of a server, at a chosen time.

    They use its database as those of another process do, and push nothing to devices.
    """
    moment = clock()
    time = ChosenTime(moment)
    notifications = Notifications(
        database,
        publisher,
        find_account=accounts.find,
        subscriptions=Subscriptions(database, time, public_only=True),
        clock=time,
    )
    foundation = Foundation(
        database,
        publisher,
        replace(settings, process_name=f"{settings.process_name} examples"),
        notifications,
        accounts,
        generator=None,
        lookups=Lookups(_LOOKUPS),
        clock=time,
    )
    models = [row.model(foundation) for row in DOMAINS]
    stories, chat, _, market, diary = models
    assert isinstance(stories, Stories)
    assert isinstance(chat, Chat)
    assert isinstance(market, Market)
    assert isinstance(diary, Diary)
    return World(stories, chat, market, diary, time, moment)


class Demo:
    """The examples of a server that runs."""

    def __init__(self, accounts: Accounts, load: Callable[[], Awaitable[object]]) -> None:
        """`load` makes what is missing."""
        self._accounts = accounts
        self._load = load
        self._loading: asyncio.Future[object] | None = None

    async def enter(self, name: str) -> Account:
        """Return the account of an example person, after loading what is missing of the examples.

        However many ask, the examples are loaded once at a time.

        Raises:
            NotFound: code `account_not_found`: it was deleted meanwhile.
            Forbidden: code `account_disabled`.
        """
        if self._loading is None or self._loading.done():
            self._loading = asyncio.ensure_future(self._load())
        # Who gives up waiting does not stop it for the others.
        await asyncio.shield(self._loading)
        person = next(person for person in PEOPLE if person.name == name)
        account = existing(await self._accounts.find_by_email(person.email))
        if account.disabled:
            raise Forbidden("This account is disabled.", code="account_disabled")
        return account


def _line(what: str, made: bool) -> str:
    return f"{'added' if made else 'there already'}: {what}"

"""The table of domains. A new one is its model, its commands, its REST module and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from aiohttp import web

from app.rest.chat import ChatRest
from app.rest.diary import DiaryRest
from app.rest.market import MarketRest
from app.rest.stories import StoriesRest
from app.settings import TEST_PAYMENTS, Settings
from models.accounts import Accounts
from models.chat import Chat
from models.database import Database
from models.diary.motivation.port import Generator
from models.diary.operations import Diary
from models.events import Publisher
from models.market.operations import Market
from models.market.operators import Operators
from models.notifications.operations import Notifications
from models.stories.operations import Stories
from namespaces.base import Commands
from namespaces.chat import ChatCommands
from namespaces.diary import DiaryCommands
from namespaces.market import MarketCommands
from namespaces.stories import StoriesCommands


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every domain is built on."""

    database: Database
    publisher: Publisher
    settings: Settings
    notify: Notifications
    accounts: Accounts
    generator: Generator | None
    """Writes motivations; without one they come from the catalogues."""


class Model(Protocol):
    """What every domain's model lets the process do to it."""

    async def prepare(self) -> None:
        """Make what is needed before anything is served: indexes, repairs."""

    async def sweep(self) -> None:
        """Do the work that time brings: called every minute, by every process."""


class Routes(Protocol):
    """A domain's REST module."""

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain, built."""

    model: Model
    commands: Commands
    rest: Routes


@dataclass(frozen=True, slots=True)
class Row:
    """How a domain is built."""

    model: Callable[[Foundation], Any]
    commands: Callable[[Any], Commands]
    rest: Callable[[Any], Routes]

    def build(self, foundation: Foundation) -> Domain:
        """Build the domain on `foundation`."""
        model = self.model(foundation)
        return Domain(model, self.commands(model), self.rest(model))


def _stories(on: Foundation) -> Stories:
    lifetime = timedelta(hours=on.settings.story_lifetime_hours)
    return Stories(on.database, on.publisher, lifetime=lifetime)


def _chat(on: Foundation) -> Chat:
    limits = on.settings.limits
    return Chat(
        on.database,
        on.publisher,
        on.accounts,
        upload_bytes=limits.upload_bytes,
        channels_per_connection=limits.channels_per_connection,
        lease=timedelta(seconds=on.settings.presence_lease_s),
    )


def _market(on: Foundation) -> Market:
    settings = on.settings
    return Market(
        on.database,
        on.publisher,
        on.notify,
        operators=Operators(settings.operator_accounts, everyone_adds=settings.development),
        test_payments=settings.payment_provider == TEST_PAYMENTS,
        webhook_secrets=settings.payment_webhook_secrets,
        time_to_pay=timedelta(hours=settings.order_payment_hours),
    )


def _diary(on: Foundation) -> Diary:
    diary = Diary(
        on.database,
        on.publisher,
        find_account=on.accounts.find,
        find_by_public_id=on.accounts.find_by_public_id,
        push=on.notify.push,
        generator=on.generator,
        motivations_per_minute=on.settings.limits.motivations_per_minute,
    )
    on.accounts.when_moved(diary.moved)
    return diary


DOMAINS = (
    Row(_stories, StoriesCommands, StoriesRest),
    Row(_chat, ChatCommands, ChatRest),
    Row(_market, MarketCommands, MarketRest),
    Row(_diary, DiaryCommands, DiaryRest),
)

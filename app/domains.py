"""The table of domains. A new one is its model, its operations, its commands and a line here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar, runtime_checkable

from aiohttp import web

from app.payments.stripe_payments import StripePayments
from app.rest import chat_uploads, diary
from app.rest import market as market_rest
from app.rest import notifications as notifications_rest
from app.rest.operations import Endpoint, routes_for
from app.settings import STRIPE_PAYMENTS, TEST_PAYMENTS, Settings
from models.accounts import Accounts
from models.accounts.lookups import Lookups
from models.chat import Chat
from models.chat.api import CHAT
from models.chat.relations import Relations
from models.chat.usage import Quotas
from models.database import Database
from models.diary.api import DIARY
from models.diary.motivation.port import Generator
from models.diary.operations import Diary
from models.events import Publisher
from models.market.api import MARKET
from models.market.operations import Market
from models.market.operators import Operators
from models.market.payments import PaymentProvider, TestPayments, WebhookPayments
from models.market.steps import Times
from models.notifications.api import NOTIFICATIONS
from models.notifications.operations import Notifications
from models.signals import NoSignals, Signals
from models.stories.api import STORIES
from models.stories.operations import Stories
from models.times import Clock, now
from namespaces.base import Commands
from namespaces.chat import ChatCommands
from namespaces.diary import DiaryCommands
from namespaces.market import MarketCommands
from namespaces.notifications import NotificationsCommands
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

    lookups: Lookups
    signals: Signals = field(default_factory=NoSignals)
    clock: Clock = now


class Model(Protocol):
    """What every domain's model lets the process do to it."""

    async def prepare(self) -> None:
        """Make what is needed before anything is served: indexes, repairs."""

    async def sweep(self) -> object:
        """Do the work that time brings: called every minute, by every process.

        What it returns is the model's own, and ignored here.
        """


@runtime_checkable
class Resident(Model, Protocol):
    """A model that has more to do than once a minute, and something to say at the end."""

    async def run(self) -> None:
        """Do it until cancelled."""

    async def stop(self) -> None:
        """Note that the process stops, before its connections are closed."""


class Routes(Protocol):
    """A domain's REST module."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The routes as they are declared."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain, built."""

    model: Model
    commands: Commands
    rest: Routes


class Buildable(Protocol):
    """A row of the table, whichever its model."""

    @property
    def model(self) -> Callable[[Foundation], Model]:
        """Return what builds the model alone."""

    def build(self, foundation: Foundation) -> Domain:
        """Build the domain on `foundation`."""


BuiltModel = TypeVar("BuiltModel", bound=Model)


@dataclass(frozen=True, slots=True)
class Row(Generic[BuiltModel]):
    """How a domain is built: its commands and its REST module take the model that it has."""

    model: Callable[[Foundation], BuiltModel]
    commands: Callable[[BuiltModel], Commands]
    rest: Callable[[BuiltModel], Routes]

    def build(self, foundation: Foundation) -> Domain:
        """Build the domain on `foundation`."""
        model = self.model(foundation)
        commands = self.commands(model)
        commands.people = foundation.accounts.people
        return Domain(model, commands, self.rest(model))


def _stories(on: Foundation) -> Stories:
    lifetime = timedelta(hours=on.settings.story_lifetime_hours)
    stories = Stories(
        on.database,
        on.publisher,
        lifetime=lifetime,
        people=on.accounts.people.many,
        clock=on.clock,
    )
    on.accounts.join_lifecycle(stories.account_data)
    return stories


def _chat(on: Foundation) -> Chat:
    limits = on.settings.limits
    chat = Chat(
        on.database,
        on.publisher,
        on.accounts,
        upload_bytes=limits.upload_bytes,
        upload_quotas=Quotas(limits.upload_account_bytes, limits.upload_conversation_bytes),
        uploads_per_account=limits.uploads_per_account,
        channels_per_connection=limits.channels_per_connection,
        lease=timedelta(seconds=on.settings.presence_lease_s),
        grace=timedelta(seconds=on.settings.presence_grace_s),
        process_name=on.settings.process_name,
        signals=on.signals,
        lookups=on.lookups,
        clock=on.clock,
    )
    on.accounts.join_lifecycle(chat.account_data)
    return chat


def _notifications(on: Foundation) -> Notifications:
    on.accounts.join_lifecycle(on.notify.account_data)
    return on.notify


def payment_provider(settings: Settings) -> PaymentProvider:
    """Build the payment provider that the settings name."""
    if settings.payment_provider == TEST_PAYMENTS:
        return TestPayments()
    if settings.payment_provider == STRIPE_PAYMENTS:
        assert settings.stripe_secret_key, "the settings were checked"
        assert settings.public_url, "the settings were checked"
        return StripePayments(
            settings.stripe_secret_key,
            public_url=settings.public_url,
            api_base=settings.stripe_api_base,
        )
    return WebhookPayments()


def _market(on: Foundation) -> Market:
    settings = on.settings
    market = Market(
        on.database,
        on.publisher,
        on.notify,
        operators=Operators(settings.operator_accounts, everyone_adds=settings.development),
        provider=payment_provider(settings),
        webhook_secrets=settings.payment_webhook_secrets,
        times=Times(
            pay=timedelta(hours=settings.order_payment_hours),
            ship=timedelta(days=settings.order_shipping_days),
            complain=timedelta(days=settings.order_complaint_days),
        ),
        unpaid_orders=settings.limits.unpaid_orders,
        cancelled_orders=settings.limits.cancelled_orders,
        find_account=on.accounts.find,
        clock=on.clock,
    )
    on.accounts.join_lifecycle(market.account_data)
    return market


def _diary(on: Foundation) -> Diary:
    relations = Relations(on.database, on.clock)
    diary = Diary(
        on.database,
        on.publisher,
        find_account=on.accounts.find,
        find_by_public_id=on.accounts.find_by_public_id,
        push=on.notify.push,
        generator=on.generator,
        motivations_per_minute=on.settings.limits.motivations_per_minute,
        lookups=on.lookups,
        may_add_at_once=relations.may_add_at_once,
        is_blocked=relations.are_apart,
        exports_per_account=on.settings.limits.exports_per_account,
        exports=on.settings.limits.exports,
        clock=on.clock,
    )
    on.accounts.when_moved(diary.moved)
    on.accounts.join_lifecycle(diary.account_data)
    return diary


STORIES_ROUTES = routes_for(STORIES)
CHAT_ROUTES = routes_for(CHAT, chat_uploads.special)
NOTIFICATIONS_ROUTES = routes_for(NOTIFICATIONS, notifications_rest.special)
MARKET_ROUTES = routes_for(MARKET, market_rest.special)
DIARY_ROUTES = routes_for(DIARY, diary.special)

# Not annotated: each row keeps the type of its model, by which its parts are checked.
_TABLE = (
    Row(_stories, StoriesCommands, STORIES_ROUTES),
    Row(_chat, ChatCommands, CHAT_ROUTES),
    # Before the market, which sends some while it is prepared.
    Row(_notifications, NotificationsCommands, NOTIFICATIONS_ROUTES),
    Row(_market, MarketCommands, MARKET_ROUTES),
    Row(_diary, DiaryCommands, DIARY_ROUTES),
)

DOMAINS: tuple[Buildable, ...] = _TABLE

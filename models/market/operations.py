"""The market as one: its parts, built on each other."""

from collections.abc import Sequence
from datetime import timedelta

from models.database import Database
from models.events import Publisher
from models.market.followed import Followed
from models.market.operators import Operators
from models.market.orders import Orders
from models.market.payments import PaymentProvider, TestPayments, WebhookPayments
from models.market.products import Products
from models.market.sales import Sales
from models.market.trading import Trading
from models.market.webhooks import Webhooks
from models.notifications.operations import Notifications
from models.times import Clock, now

HEARTBEAT_S = 5.0
"""How soon a client that missed the last change of a quiet book learns of it."""

TIME_TO_PAY = timedelta(hours=24)


class Market:
    """Products, trading, orders, sales, webhooks, and the notifications they cause."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notifications: Notifications,
        *,
        operators: Operators,
        test_payments: bool = False,
        webhook_secrets: Sequence[str] = (),
        heartbeat_s: float = HEARTBEAT_S,
        time_to_pay: timedelta = TIME_TO_PAY,
        clock: Clock = now,
    ) -> None:
        provider: PaymentProvider = TestPayments() if test_payments else WebhookPayments()
        self.products = Products(database, operators, clock)
        self.notifications = notifications
        self.orders = Orders(
            database,
            publisher,
            notifications,
            provider,
            operators,
            time_to_pay=time_to_pay,
            clock=clock,
        )
        self.trading = Trading(database, publisher, self.products, self.orders, clock)
        self.sales = Sales(database, self.products, clock)
        self.webhooks = Webhooks(database, self.orders, webhook_secrets, clock)
        self.followed = Followed(self.trading, clock, interval_s=heartbeat_s)

    async def prepare(self) -> None:
        """Make the indexes and finish what a crash has left, before anything is served."""
        await self.notifications.prepare()
        await self.products.prepare()
        await self.orders.prepare()
        await self.webhooks.prepare()
        await self.trading.prepare()
        await self.orders.resume()

    async def sweep(self) -> None:
        """Expire offers, finish what was left unfinished, forget what is too old to matter."""
        await self.notifications.sweep()
        await self.trading.sweep()
        await self.orders.sweep()
        await self.webhooks.sweep()

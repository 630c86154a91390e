"""The market as one: its parts, built on each other."""

from collections.abc import Awaitable, Callable, Sequence

from models.accounts.revocations import Revocation
from models.accounts.schema import Account
from models.database import Database
from models.events import Publisher
from models.finishing import keep
from models.market.account_data import MarketAccountData
from models.market.book import BID
from models.market.followed import Followed
from models.market.operators import Operators
from models.market.orders import Orders
from models.market.payments import PaymentProvider, TestPayments, WebhookPayments
from models.market.products import Products
from models.market.reliability import CANCELLED_ORDERS, UNPAID_ORDERS, Reliability
from models.market.sales import SaleRecords, Sales
from models.market.steps import Times
from models.market.stored import StoredOrder
from models.market.trading import Trading
from models.market.webhooks import Webhooks
from models.notifications.operations import Notifications
from models.times import Clock, now

HEARTBEAT_S = 5.0
"""How soon a client that missed the last change of a quiet book learns of it."""


FindAccount = Callable[[str], Awaitable[Account | None]]
"""Returns the account with an id, or None."""


class Market:
    """Products, trading, orders, sales, webhooks, and the notifications they cause."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notifications: Notifications,
        *,
        operators: Operators,
        provider: PaymentProvider | None = None,
        test_payments: bool = False,
        webhook_secrets: Sequence[str] = (),
        heartbeat_s: float = HEARTBEAT_S,
        find_account: FindAccount | None = None,
        times: Times | None = None,
        unpaid_orders: int = UNPAID_ORDERS,
        cancelled_orders: int = CANCELLED_ORDERS,
        clock: Clock = now,
    ) -> None:
        if provider is None:
            provider = TestPayments() if test_payments else WebhookPayments()
        self._find_account = find_account
        self.products = Products(database, operators, clock)
        self.notifications = notifications
        self.orders = Orders(
            database,
            publisher,
            notifications,
            provider,
            operators,
            self.products,
            times=times or Times(),
            clock=clock,
        )
        self._reliability = Reliability(
            database, clock, unpaid_orders=unpaid_orders, cancelled_orders=cancelled_orders
        )
        self._sale_records = SaleRecords(database)
        self.trading = Trading(
            database, publisher, self.products, self.orders, self._reliability, clock
        )
        self.orders.when_cancelled(self._give_back)
        self.products.before_quotes = self.trading.expire_due
        self.sales = Sales(database, self.products, clock)
        self.webhooks = Webhooks(database, self.orders, operators, webhook_secrets, clock)
        self.account_data = MarketAccountData(database, self.trading)
        self.followed = Followed(self.trading, clock, interval_s=heartbeat_s)

    def close_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Cancel the open offers of accounts that were disabled, and are so still.

        A request may have placed one while its account was disabled.
        """
        for account_id in {entry.account_id for entry in revocations if entry.disabled}:
            keep(self._cancel_offers_of_disabled(account_id))

    async def _cancel_offers_of_disabled(self, account_id: str) -> None:
        account = await self._find_account(account_id) if self._find_account else None
        if account is not None and account.disabled:
            await self.account_data.disabled(account_id)

    async def _give_back(self, order: StoredOrder, side: str) -> bool:
        """Put an offer back into its book, unless its owner has been disabled meanwhile."""
        owner_id = order["buyer_id" if side == BID else "seller_id"]
        owner = await self._find_account(owner_id) if self._find_account else None
        if owner is not None and owner.disabled:
            return False
        return await self.trading.give_back(order, side)

    async def prepare(self) -> None:
        """Make the indexes and finish what a crash has left, before anything is served."""
        await self.products.prepare()
        await self.orders.prepare()
        await self.webhooks.prepare()
        await self._reliability.prepare()
        await self._sale_records.prepare()
        await self.trading.prepare()
        await self.orders.resume()

    async def sweep(self) -> None:
        """Expire offers, finish what was left unfinished, forget what is too old to matter."""
        await self.trading.sweep()
        await self.orders.sweep()
        await self.webhooks.sweep()

"""What the market keeps of an account."""

from collections.abc import AsyncIterator, Mapping

from models.accounts.schema import Account
from models.database import Database, typed
from models.events import Json, as_json
from models.exports import Streamed
from models.market.book import ASK, BID
from models.market.records import OPEN, list_of, offer_json, order_json
from models.market.steps import broken_by_key
from models.market.stored import JournalEntry, StoredOffer, StoredOrder, StoredProduct, StoredSku
from models.market.trading import Trading
from models.market.withdrawals import orders_under_way


class MarketAccountData:
    """Fills the port `models.accounts.lifecycle.AccountData`.

    The journal decides what happened in a book, so its entries stay, as do offers and orders: they
    are the records of the other party. They no longer say whose they were.
    """

    def __init__(self, database: Database, trading: Trading) -> None:
        self._database = database
        self._journal = typed(database["market_journal"], JournalEntry)
        self._offers = typed(database["market_offers"], StoredOffer)
        self._orders = typed(database["market_orders"], StoredOrder)
        self._products = typed(database["market_products"], StoredProduct)
        self._skus = typed(database["market_skus"], StoredSku)
        self._trading = trading

    async def hand_over(self, account_id: str) -> None:
        """Cancel what waits in books: a match would bind the owner to the former holder's price."""
        await self._cancel_open(account_id)

    async def disabled(self, account_id: str) -> None:
        """Cancel open offers of an account that was disabled; orders under way go on."""
        await self._cancel_open(account_id)

    async def bindings(self, account_id: str) -> list[str]:
        """Cancel open offers, and name the orders under way."""
        await self._cancel_open(account_id)
        under_way = await orders_under_way(self._database, account_id)
        return [f"order {order_id}" for order_id, _ in under_way]

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Put `pseudonym` where the account's id is."""
        await self._cancel_open(account_id)
        for path in ("offer.account_id", "match.account_id"):
            await self._journal.update_many({path: account_id}, {"$set": {path: pseudonym}})
        for side in (BID, ASK):
            await self._offers.update_many(
                {"owner": f"{side}:{account_id}"},
                {"$set": {"owner": f"{side}:{pseudonym}", "account_id": pseudonym}},
            )
        async for order in self._orders.find({"lists": account_id}):
            await self._orders.update_one(
                {"_id": order["_id"]}, {"$set": _renamed(order, account_id, pseudonym)}
            )
        await self._products.update_many(
            {"created_by": account_id}, {"$set": {"created_by": pseudonym}}
        )
        await self._skus.update_many(
            {"product.created_by": account_id}, {"$set": {"product.created_by": pseudonym}}
        )

    def export(self, account: Account) -> Streamed:
        """Walk through offers and orders."""
        return {"offers": self._own_offers(account.id), "orders": self._own_orders(account.id)}

    async def _own_offers(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        for side in (BID, ASK):
            async for offer in self._offers.find({"owner": f"{side}:{account_id}"}):
                yield as_json(offer_json(offer, self._trading.now()))

    async def _own_orders(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for order in self._orders.find({"lists": account_id}):
            yield as_json(order_json(order))

    async def _cancel_open(self, account_id: str) -> None:
        for side in (BID, ASK):
            waiting = self._offers.find({"owner": f"{side}:{account_id}", "status": OPEN})
            for offer in await waiting.to_list(None):
                await self._trading.withdraw(offer)


def _renamed(order: StoredOrder, account_id: str, pseudonym: str) -> Mapping[str, object]:
    """Return what changes in an order of which `account_id` was a party."""
    buyer, seller = (
        pseudonym if party == account_id else party
        for party in (order["buyer_id"], order["seller_id"])
    )
    broken: dict[str, str] = {}
    kind, _, broken_by = order.get("broken_by", "").partition(":")
    if broken_by == account_id:
        broken["broken_by"] = broken_by_key(kind, pseudonym)
    return {
        "buyer_id": buyer,
        "seller_id": seller,
        "lists": [buyer, seller, list_of(buyer, "buyer"), list_of(seller, "seller")],
        **broken,
    }

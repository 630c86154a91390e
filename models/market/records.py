"""Build the market's records, and show them as JSON; `models.market.stored` has their types."""

from datetime import datetime, timedelta

from models.market.book import ASK, BID, OPPOSITE
from models.market.money import to_decimal
from models.market.stored import (
    JournalEntry,
    JournalMatch,
    JournalOffer,
    StoredBook,
    StoredOffer,
    StoredOrder,
    StoredProduct,
    StoredSale,
)
from models.market.views import (
    LastSaleView,
    OfferView,
    OrderStepView,
    OrderView,
    ProductView,
    QuoteView,
    SaleView,
)
from models.times import to_text

CREATED = "created"

OPEN = "open"
MATCHED = "matched"
EXPIRED = "expired"
CLOSED_BY = {"cancel": "cancelled", "expire": EXPIRED}
"""How an offer stands, by the entry of the journal that takes it out."""

COMPLAINED = "complained"
SURPLUS_PAYMENT = "surplus_payment"
SURPLUS_REFUNDED = "surplus_refunded"
"""What an order's history says of a complaint and of money that did not pay it; the order's status
stays."""


def list_of(account_id: str, role: str | None = None) -> str:
    """Name the list of an account's orders: all, or those as `buyer` or `seller`."""
    return f"{role}:{account_id}" if role else account_id


def new_order(entry: JournalEntry, offer: JournalOffer, match: JournalMatch) -> StoredOrder:
    """Build the order that an entry of the journal makes, which has this offer and match."""
    at = entry["at"]
    accounts = {offer["side"]: offer["account_id"], OPPOSITE[offer["side"]]: match["account_id"]}
    offers = {offer["side"]: offer["id"], OPPOSITE[offer["side"]]: match["offer_id"]}
    buyer, seller = accounts[BID], accounts[ASK]
    return {
        "_id": match["order_id"],
        "number": int(match["order_id"]),
        "product_id": entry["product_id"],
        "product_name": match["product_name"],
        "size": entry["size"],
        "price": match["price"],
        "buyer_id": buyer,
        "seller_id": seller,
        "lists": [buyer, seller, list_of(buyer, "buyer"), list_of(seller, "seller")],
        "book": entry["book"],
        "match_seq": entry["seq"],
        "bid_id": offers[BID],
        "ask_id": offers[ASK],
        "status": CREATED,
        "history": [{"step": CREATED, "at": at, "operation_id": None}],
        "attempts": 0,
        "payment_id": None,
        "refunded": 0,
        "paid_out": False,
        "carrier": None,
        "tracking": None,
        "created_at": at,
        "updated_at": at,
        "unpaid_since": at,
        "unfinished": [CREATED],
        "untold": [CREATED],
        "telling": True,
    }


def order_view(order: StoredOrder, *, time_to_pay: timedelta | None = None) -> OrderView:
    """Return an order as its parties see it.

    `deadline` is when it goes on or ends by itself: of one that is not paid, if `time_to_pay` is
    given, when that is over.
    """
    act_at, complained_at = order.get("act_at"), order.get("complained_at")
    if time_to_pay is not None and order.get("unpaid_since"):
        act_at = order["unpaid_since"] + time_to_pay
    history: list[OrderStepView] = [
        {"status": step["step"], "at": to_text(step["at"]), "reason": step.get("why")}
        for step in order["history"]
    ]
    return {
        "id": order["_id"],
        "product_id": order["product_id"],
        "product_name": order["product_name"],
        "size": order["size"],
        "status": order["status"],
        "buyer_id": order["buyer_id"],
        "seller_id": order["seller_id"],
        "price": to_decimal(order["price"]),
        "bid_id": order["bid_id"],
        "ask_id": order["ask_id"],
        "payment_id": order["payment_id"],
        "carrier": order["carrier"],
        "tracking": order["tracking"],
        "refunded_amount": to_decimal(order.get("refunded", 0)),
        "deadline": to_text(act_at) if act_at else None,
        "complaint": order["complaint"] if complained_at else None,
        "created_at": to_text(order["created_at"]),
        "updated_at": to_text(order["updated_at"]),
        "history": history,
    }


def order_json(order: StoredOrder, *, time_to_pay: timedelta | None = None) -> OrderView:
    """Return `order_view` as a JSON object."""
    return order_view(order, time_to_pay=time_to_pay)


def offer_status(offer: StoredOffer, at: datetime) -> str:
    """Return how an offer stands at a time: one whose time is over has expired, swept or not."""
    due_at, status = offer.get("due_at"), offer["status"]
    return EXPIRED if due_at is not None and due_at <= at else status


def offer_view(offer: StoredOffer, at: datetime) -> OfferView:
    """Return a bid or an ask as its owner sees it, as it stands at a time."""
    price, expires_at = offer["matched_price"], offer["expires_at"]
    return {
        "id": offer["_id"],
        "side": offer["side"],
        "product_id": offer["product_id"],
        "size": offer["size"],
        "price": to_decimal(offer["price"]),
        "status": offer_status(offer, at),
        "created_at": to_text(offer["created_at"]),
        "expires_at": to_text(expires_at) if expires_at else None,
        "order_id": offer["order_id"],
        "matched_price": to_decimal(price) if price else None,
    }


def offer_json(offer: StoredOffer, at: datetime) -> OfferView:
    """Return `offer_view` as a JSON object."""
    return offer_view(offer, at)


def sale_view(sale: StoredSale) -> SaleView:
    """Return a sale as everyone sees it."""
    return {
        "product_id": sale["product_id"],
        "size": sale["size"],
        "price": to_decimal(sale["price"]),
        "at": to_text(sale["at"]),
    }


def product_view(product: StoredProduct) -> ProductView:
    """Return a product."""
    return {
        "id": product["_id"],
        "name": product["name"],
        "sku": product["sku"],
        "sizes": product["sizes"],
        "created_at": to_text(product["created_at"]),
    }


def quote_view(size: str, book: StoredBook | None) -> QuoteView:
    """Return the prices of one size, by the stored document of its book if there is one."""
    bid, ask = (book.get("best_bid"), book.get("best_ask")) if book else (None, None)
    sale: LastSaleView | None = None
    if book and "sold_at" in book:
        sale = {"price": to_decimal(book["sold_price"]), "at": to_text(book["sold_at"])}
    return {
        "size": size,
        "lowest_ask": None if ask is None else to_decimal(ask),
        "highest_bid": None if bid is None else to_decimal(bid),
        "last_sale": sale,
    }

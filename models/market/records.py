"""How offers, orders, products and sales stand in the database, and as JSON.

`market_orders`: `_id` (decimal counter as text), `number`, `product_id`, `product_name`, `size`,
`price` (cents), `buyer_id`, `seller_id`, `lists` (its parties' lists, see `list_of`), `bid_id`,
`ask_id`, `status`, `history` (`step`, `at`, `operation_id`), `attempts` (payments that failed),
`payment_id`, `carrier`, `tracking`, `created_at`, `updated_at`; `unfinished` (steps whose
consequences are not all done) and `telling` (whether there are such); `unpaid_since` until it is
paid or cancelled, `paying_since` from when the buyer last began to pay.
"""

from models.database import Document
from models.events import Json
from models.market.book import ASK, BID, OPPOSITE
from models.market.money import to_decimal
from models.times import to_text

CREATED = "created"


def list_of(account_id: str, role: str | None = None) -> str:
    """Name the list of an account's orders: all, or those as `buyer` or `seller`."""
    return f"{role}:{account_id}" if role else account_id


def new_order(entry: Document) -> Document:
    """Build the order that a match in the journal makes."""
    offer, match, at = entry["offer"], entry["match"], entry["at"]
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
        "bid_id": offers[BID],
        "ask_id": offers[ASK],
        "status": CREATED,
        "history": [{"step": CREATED, "at": at, "operation_id": None}],
        "attempts": 0,
        "payment_id": None,
        "carrier": None,
        "tracking": None,
        "created_at": at,
        "updated_at": at,
        "unpaid_since": at,
        "unfinished": [CREATED],
        "telling": True,
    }


def order_json(order: Document) -> dict[str, Json]:
    """Show an order to its parties."""
    shown: dict[str, Json] = {"id": order["_id"]}
    for field in ("product_id", "product_name", "size", "status", "buyer_id", "seller_id"):
        shown[field] = order[field]
    shown["price"] = to_decimal(order["price"])
    for field in ("bid_id", "ask_id", "payment_id", "carrier", "tracking"):
        shown[field] = order[field]
    shown["created_at"] = to_text(order["created_at"])
    shown["updated_at"] = to_text(order["updated_at"])
    shown["history"] = [
        {"status": step["step"], "at": to_text(step["at"])} for step in order["history"]
    ]
    return shown


def offer_json(offer: Document) -> dict[str, Json]:
    """Show a bid or an ask to its owner."""
    price, expires_at = offer["matched_price"], offer["expires_at"]
    return {
        "id": offer["_id"],
        "side": offer["side"],
        "product_id": offer["product_id"],
        "size": offer["size"],
        "price": to_decimal(offer["price"]),
        "status": offer["status"],
        "created_at": to_text(offer["created_at"]),
        "expires_at": to_text(expires_at) if expires_at else None,
        "order_id": offer["order_id"],
        "matched_price": to_decimal(price) if price else None,
    }


def sale_json(sale: Document) -> dict[str, Json]:
    """Show a sale to everyone: without its parties."""
    return {
        "product_id": sale["product_id"],
        "size": sale["size"],
        "price": to_decimal(sale["price"]),
        "at": to_text(sale["at"]),
    }


def product_json(product: Document) -> dict[str, Json]:
    """Show a product."""
    return {
        "id": product["_id"],
        "name": product["name"],
        "sku": product["sku"],
        "sizes": product["sizes"],
        "created_at": to_text(product["created_at"]),
    }

"""Texts of notifications: those of docs/older-apis/market-notifications.md, and newer ones.

Each kind goes to the parties that the document's table names, with a title, a message and the
link of its order.
"""

from dataclasses import dataclass
from datetime import datetime

from models.market.money import to_price_tag
from models.market.stored import StoredOrder

BUYER = "buyer"
SELLER = "seller"


@dataclass(frozen=True, slots=True)
class Text:
    """One notification to one party, with `{what}`, `{price}` and the like; see `message`."""

    type: str
    party: str
    title: str
    message: str


TEXTS: dict[str, tuple[Text, ...]] = {
    "created": (
        Text(
            "match_created",
            BUYER,
            "Your bid has been matched!",
            "Your bid for {what} has been matched at {price}",
        ),
        Text(
            "match_created",
            SELLER,
            "Your ask has been matched!",
            "Your ask for {what} has been matched at {price}",
        ),
        Text(
            "order_created",
            BUYER,
            "Your order has been created",
            "Pay {price} for {what} by {deadline}, and the seller will ship it",
        ),
        Text(
            "order_created",
            SELLER,
            "You have a new order",
            "{what} has been sold at {price}; ship it once the buyer has paid",
        ),
    ),
    "paid": (
        Text(
            "order_paid",
            SELLER,
            "Your order has been paid",
            "The buyer has paid {price} for {what}; it is time to ship it",
        ),
        Text(
            "payment_succeeded",
            BUYER,
            "Your payment has been received",
            "Your payment of {price} for {what} has been received",
        ),
    ),
    "payment_failed": (
        Text(
            "payment_failed",
            BUYER,
            "Your payment has failed",
            "Your payment of {price} for {what} has failed; you can try again",
        ),
    ),
    "cancelled:unpaid": (
        Text(
            "payment_failed",
            BUYER,
            "Your payment has failed",
            "Your payment of {price} for {what} has not come in time; the order is cancelled",
        ),
        Text(
            "order_cancelled",
            SELLER,
            "Your order has been cancelled",
            "The buyer has not paid {price} for {what} in time; {ask}",
        ),
    ),
    "cancelled:buyer": (
        Text(
            "order_cancelled",
            BUYER,
            "Your order has been cancelled",
            "You have cancelled your order of {what} at {price}",
        ),
        Text(
            "order_cancelled",
            SELLER,
            "Your order has been cancelled",
            "The buyer has cancelled the order of {what} at {price}; {ask}",
        ),
    ),
    "cancelled:seller": (
        Text(
            "order_cancelled",
            BUYER,
            "Your order has been cancelled",
            "The seller has cancelled the order of {what} at {price}; {bid}",
        ),
        Text(
            "order_cancelled",
            SELLER,
            "Your order has been cancelled",
            "You have cancelled the order of {what} at {price}",
        ),
    ),
    "cancelled:operator": (
        Text(
            "order_cancelled",
            BUYER,
            "Your order has been cancelled",
            "The market has cancelled the order of {what} at {price}; {bid}",
        ),
        Text(
            "order_cancelled",
            SELLER,
            "Your order has been cancelled",
            "The market has cancelled the order of {what} at {price}; {ask}",
        ),
    ),
    "refunded:unshipped": (
        Text(
            "order_refunded",
            BUYER,
            "Your order has been cancelled",
            "{what} was not shipped in time; your payment of {price} is being returned to you",
        ),
        Text(
            "order_refunded",
            SELLER,
            "Your order has been cancelled",
            "You have not shipped {what} in time; {price} is being returned to the buyer",
        ),
    ),
    "refunded": (
        Text(
            "order_refunded",
            BUYER,
            "Your order has been refunded",
            "Your payment of {price} for {what} is being returned to you",
        ),
        Text(
            "order_refunded",
            SELLER,
            "Your order has been refunded",
            "The payment of {price} for {what} is being returned to the buyer",
        ),
    ),
    "shipped": (
        Text(
            "order_shipped",
            BUYER,
            "Your order has been shipped!",
            "{what} is on its way with {carrier}, tracking number {tracking}",
        ),
    ),
    "delivered:unopposed": (
        Text(
            "order_delivered",
            BUYER,
            "Your order is closed",
            "{what} counts as delivered, as you have not complained in time",
        ),
        Text(
            "order_delivered",
            SELLER,
            "Your order is closed",
            "{what} counts as delivered, as the buyer has not complained; your money is on its way",
        ),
    ),
    "delivered": (
        Text(
            "order_delivered",
            BUYER,
            "Your order has been delivered",
            "{what} has been delivered",
        ),
        Text(
            "order_delivered",
            SELLER,
            "Your order has been delivered",
            "{what} has been delivered to the buyer; your money is on its way",
        ),
    ),
    "payout_completed": (
        Text(
            "payout_completed",
            SELLER,
            "Your payout has been completed",
            "You have received {price} for {what}",
        ),
    ),
    "complained": (
        Text(
            "order_complaint",
            SELLER,
            "The buyer has complained",
            "The buyer of {what} has complained; the market looks into it",
        ),
    ),
}
"""The notifications that each step of an order causes, by the step and why it was made; steps that
are not here cause none. Where the document has no type, it is one of this server's own."""


REMINDERS: dict[str, tuple[Text, ...]] = {
    "paid": (
        Text(
            "order_reminder",
            SELLER,
            "It is time to ship",
            "Ship {what} by {deadline}; otherwise the order is cancelled and the buyer refunded",
        ),
        Text(
            "order_reminder",
            BUYER,
            "Your order has not been shipped yet",
            "If {what} is not shipped by {deadline}, the order is cancelled and you are refunded",
        ),
    ),
    "paid:by_hand": (
        Text(
            "order_reminder",
            SELLER,
            "It is time to ship",
            "Ship {what} by {deadline}; otherwise the market may refund the buyer",
        ),
        Text(
            "order_reminder",
            BUYER,
            "Your order has not been shipped yet",
            "If {what} is not shipped by {deadline}, the market looks after your refund",
        ),
    ),
    "shipped": (
        Text(
            "order_reminder",
            BUYER,
            "Has your order come?",
            "Confirm that {what} has come, or complain, by {deadline}; then the order counts as"
            " delivered",
        ),
        Text(
            "order_reminder",
            SELLER,
            "Your order is about to close",
            "The order of {what} counts as delivered on {deadline} unless the buyer complains",
        ),
    ),
}
"""What both parties are notified of before a deadline of an order in this status."""


def describe_order(order: StoredOrder) -> str:
    """Name what an order is about: `Nike Air Jordan 1 (US 9)`."""
    return sized(order["product_name"], order["size"])


def sized(product_name: str, size: str) -> str:
    """Name a product in a size, as the product names its sizes."""
    return f"{product_name} ({size})"


def product_link(product_id: str) -> str:
    """Return the path of a product: `/products/1`."""
    return f"/products/{product_id}"


def message(
    text: Text, order: StoredOrder, *, back: bool = False, deadline: str | None = None
) -> str:
    """Fill a message in for an order; `back` says that the reader's offer is in its book again."""
    return text.message.format(
        deadline=deadline,
        bid="your bid is back in its place" if back else "bid again if you still want it",
        ask="your ask is back in its place" if back else "ask again if you still want to sell",
        what=describe_order(order),
        price=to_price_tag(order["price"]),
        carrier=order["carrier"],
        tracking=order["tracking"],
    )


def link(order: StoredOrder) -> str:
    """Return the path of an order: `/orders/1`."""
    return f"/orders/{order['_id']}"


def when(at: datetime) -> str:
    """Write a time for people: `1 March 2026, 12:00 UTC`."""
    return f"{at.day} {at:%B %Y, %H:%M} UTC"

"""What the market tells people: the eight notifications of `market-notifications.md`, all here.

Each kind goes to the parties that the document's table names, with a title, a message and the
link of its order.
"""

from dataclasses import dataclass

from models.database import Document
from models.market.money import to_price_tag

BUYER = "buyer"
SELLER = "seller"


@dataclass(frozen=True, slots=True)
class Text:
    """One notification to one party, with `{what}`, `{price}`, `{carrier}` and `{tracking}`."""

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
            "Pay {price} for {what}, and the seller will ship it",
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
    ),
    "shipped": (
        Text(
            "order_shipped",
            BUYER,
            "Your order has been shipped!",
            "{what} is on its way with {carrier}, tracking number {tracking}",
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
}
"""The notifications that each step of an order causes; steps that are not here cause none.

No documented type tells a seller of an order that is cancelled: the event `order.changed` does."""


def what(order: Document) -> str:
    """Name what an order is about: `Nike Air Jordan 1 (US 9)`; bare numbers are US sizes."""
    size: str = order["size"]
    return f"{order['product_name']} ({'US ' if size[0].isdigit() else ''}{size})"


def message(text: Text, order: Document) -> str:
    """Fill a message in for an order."""
    return text.message.format(
        what=what(order),
        price=to_price_tag(order["price"]),
        carrier=order["carrier"],
        tracking=order["tracking"],
    )


def link(order: Document) -> str:
    """Give the path of an order: `/orders/1`."""
    return f"/orders/{order['_id']}"

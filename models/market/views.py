"""The shapes in which the market shows its records: answers and events are made of them.

Prices are decimal text, times UTC text with milliseconds.
"""

from typing import NotRequired, TypedDict


class OfferView(TypedDict):
    """A bid or an ask as its owner sees it."""

    id: str
    side: str
    product_id: str
    size: str
    price: str
    status: str
    """`open`, `matched`, `cancelled` or `expired`."""

    created_at: str
    expires_at: str | None
    order_id: str | None
    matched_price: str | None


class OrderStepView(TypedDict):
    """A step that an order took."""

    status: str
    at: str
    reason: str | None


class OrderView(TypedDict):
    """An order as its parties see it."""

    id: str
    product_id: str
    product_name: str
    size: str
    status: str
    buyer_id: str
    seller_id: str
    price: str
    bid_id: str
    ask_id: str
    payment_id: str | None
    carrier: str | None
    tracking: str | None
    refunded_amount: str
    deadline: str | None
    """When it goes on or ends by itself."""

    complaint: str | None
    created_at: str
    updated_at: str
    history: list[OrderStepView]


class CheckoutView(TypedDict):
    """Where a payment is to be made, of providers that take it themselves."""

    payment_id: str
    client_secret: str
    checkout_url: str
    amount: str
    currency: str


class OrderToPayView(OrderView):
    """An order that its buyer pays."""

    payment: NotRequired[CheckoutView]
    """Unless it is paid, or was refused, already."""


class SaleView(TypedDict):
    """A sale as everyone sees it: without its parties."""

    product_id: str
    size: str
    price: str
    at: str


class LastSaleView(TypedDict):
    """For how much something was sold last, and when."""

    price: str
    at: str


class ProductView(TypedDict):
    """A product."""

    id: str
    name: str
    sku: str
    sizes: list[str]
    created_at: str


class QuoteView(TypedDict):
    """The prices of one size; null where there is none."""

    size: str
    lowest_ask: str | None
    highest_bid: str | None
    last_sale: LastSaleView | None


class QuotedProductView(ProductView):
    """A product in a list."""

    quotes: list[QuoteView]
    """One for each of its sizes."""


class LevelView(TypedDict):
    """A price in a book, and how many are offered at it."""

    price: str
    quantity: int


class LevelsView(TypedDict):
    """What is offered in a book."""

    product_id: str
    size: str
    seq: int
    """The number of the latest change."""

    bids: list[LevelView]
    """Best first, as `asks`."""

    asks: list[LevelView]
    more_bids: bool
    """Whether there are levels beyond those shown."""

    more_asks: bool
    checksum: int
    """The last of `checksums`."""

    checksums: list[int]
    """As `models.market.book.checksums` explains them."""


class BookView(LevelsView):
    """A book as it stands."""

    last_sale: LastSaleView | None


class DayView(TypedDict):
    """The prices of one day (UTC) on which something was sold."""

    day: str
    open: str
    high: str
    low: str
    close: str
    volume: int


class SalesView(TypedDict):
    """A page of sales, newest first."""

    items: list[SaleView]
    next: str | None
    """As of `Page`."""

    daily: list[DayView]
    """Oldest first."""


class StuckView(TypedDict):
    """Why an order needs an operator, and what can be done."""

    reason: str
    actions: list[str]


class StuckOrderView(OrderView):
    """An order that needs an operator."""

    stuck: StuckView


class SurplusPaymentView(TypedDict):
    """A payment that is to be returned, as operators see it."""

    payment_id: str
    order_id: str
    amount: str
    refunded_amount: str
    currency: str
    received_at: str


class EventProblemView(TypedDict):
    """What is wrong with an event of the payment provider."""

    code: str
    message: str


class UnusableEventView(TypedDict):
    """An event of the payment provider that could not be used, as operators see it."""

    id: str
    type: str
    order_id: str | None
    payment_id: str | None
    problem: EventProblemView
    received_at: str

"""How the market's records stand in the database: a type for the documents of each collection.

Prices and amounts are cents. Keys that are not required are those of records of earlier releases,
or of records in one state alone, so that an index of such a key holds these and nothing else.
"""

from datetime import datetime
from typing import NotRequired, TypedDict


class StoredProduct(TypedDict):
    """A document of `market_products`, which never changes once it is there."""

    _id: str
    """A decimal counter as text."""

    name: str
    sku: str
    sizes: list[str]
    search: str
    """Name and SKU folded."""

    created_by: str
    created_at: datetime
    operation_id: str


class StoredSku(TypedDict):
    """A document of `market_skus`: the claim of a product on its SKU."""

    _id: str
    """The SKU in capitals."""

    product: StoredProduct
    """Whole, so that anyone who finds a SKU without its product can finish the job."""


class JournalOffer(TypedDict):
    """The offer that an entry of the journal places or takes out."""

    id: str
    account_id: str
    side: str
    price: int
    expires_at: NotRequired[datetime | None]
    """Of one that is placed."""

    place: NotRequired[int]
    """Of one that returns: its place in time, as of `StoredOffer`."""


class JournalMatch(TypedDict):
    """The waiting offer that a new one has met, and what the order needs."""

    offer_id: str
    account_id: str
    price: int
    order_id: str
    product_name: str


class Decision(TypedDict):
    """What is to happen in a book: an entry of the journal that has no number yet."""

    kind: str
    """`place`, `cancel` or `expire`."""

    at: datetime
    offer: JournalOffer | None
    """None in an entry with `until`."""

    match: JournalMatch | None
    """None when no other offer was met."""

    until: NotRequired[datetime]
    """The entry takes out all offers that wait as of the entry before and whose time is over then.
    """

    span: NotRequired[int]
    """On how many levels such offers wait: the entry's changes have as many numbers."""

    quiet: NotRequired[bool]
    """True: it was written where nothing can be published, and the process that changes this to
    False publishes it."""


class JournalEntry(Decision):
    """A document of `market_journal`."""

    _id: str
    """`<book>:<seq>`."""

    book: str
    seq: int
    """The number of the first change: 1, 2, 3 … in each book."""

    product_id: str
    size: str
    token: str
    """By which a writer knows its own entry again."""


class StoredBook(TypedDict):
    """A document of `market_books`."""

    _id: str
    done: int
    """All entries of the journal up to this number have been carried out."""

    floor: NotRequired[int]
    """Entries up to this number may be gone, and none is written again."""

    best_bid: NotRequired[int | None]
    """As `best_ask`: as of the entry `quoted`."""

    best_ask: NotRequired[int | None]
    quoted: NotRequired[int]
    sold_price: NotRequired[int]
    """Of the last sale, as `sold_at`."""

    sold_at: NotRequired[datetime]


class StoredOffer(TypedDict):
    """A document of `market_offers`: a bid or an ask."""

    _id: str
    book: str
    product_id: str
    size: str
    seq: int
    """The entry of the journal that placed it."""

    place: NotRequired[int]
    """Its place in time: `seq`, or that of an offer which it replaces."""

    side: str
    account_id: str
    owner: str
    """`<side>:<account>`."""

    price: int
    created_at: datetime
    expires_at: datetime | None
    status: str
    closed_at: datetime | None
    order_id: str | None
    matched_price: int | None
    resting: NotRequired[str]
    """Its book while it waits there."""

    due_at: NotRequired[datetime]
    """When it expires, while it waits."""

    warn_at: NotRequired[datetime]
    """When its owner is to be notified that it expires, until that is done."""


class OrderStep(TypedDict):
    """An entry of an order's history."""

    step: str
    at: datetime
    operation_id: str | None
    why: NotRequired[str | None]


class StoredOrder(TypedDict):
    """A document of `market_orders`."""

    _id: str
    """`number` as text."""

    number: int
    product_id: str
    product_name: str
    size: str
    price: int
    buyer_id: str
    seller_id: str
    lists: list[str]
    """The lists of its parties, see `models.market.records.list_of`."""

    book: str
    match_seq: int
    """The entry of the journal."""

    bid_id: str
    ask_id: str
    status: str
    history: list[OrderStep]
    attempts: int
    """Failed payments."""

    payment_id: str | None
    refunded: NotRequired[int]
    """How much of that payment has been given back."""

    paid_out: NotRequired[bool]
    """Whether the provider has paid the seller, maybe before the delivery was confirmed."""

    carrier: str | None
    tracking: str | None
    created_at: datetime
    updated_at: datetime
    unpaid_since: NotRequired[datetime]
    """Until it is paid or cancelled."""

    paying_since: NotRequired[datetime]
    """When the buyer last began to pay."""

    calling_until: NotRequired[datetime]
    """While a process calls the payment provider."""

    unfinished: list[str]
    """Steps whose consequences are not all done."""

    telling: bool
    """Whether there are such."""

    untold: NotRequired[list[str]]
    """Steps whose events no process has claimed."""

    broken_by: NotRequired[str]
    """Once it was cancelled by or because of a party, see `models.market.steps.broken_by_key`."""

    broken_at: NotRequired[datetime]
    act_at: NotRequired[datetime]
    """As `remind_at`: see `models.market.deadlines`."""

    remind_at: NotRequired[datetime]
    complaint: NotRequired[str]
    """The buyer's."""

    complained_at: NotRequired[datetime]


class StoredSale(TypedDict):
    """A document of `market_sales`."""

    _id: str
    """`<book>:<seq of the match>`."""

    book: str
    product_id: str
    size: str
    price: int
    at: datetime
    """When it was paid."""


class StoredDay(TypedDict):
    """A document of `market_days`: the prices of one day (UTC) in a book."""

    _id: str
    """`<book>:<day>`."""

    book: str
    product_id: str
    size: str
    day: str
    open: int
    high: int
    low: int
    close: int
    volume: int
    opened_at: datetime
    closed_at: datetime
    counted: list[str]
    """The match of each sale in it, so that none counts twice."""


class StoredPayment(TypedDict):
    """A document of `market_payments`."""

    _id: str
    """The provider's id of the payment."""

    order_id: str
    amount: int | None
    """Received, in minor units of `currency`; both None until the payment has been reported."""

    currency: str | None
    refunded: int
    """The highest total that was reported."""

    surplus: bool
    """It did not pay the order, so it is to be given back."""

    open: bool
    """Whether something of a surplus payment is still to be given back."""

    todo: list[str]
    """What `models.market.surplus` has not carried out."""

    at: datetime
    calling_until: NotRequired[datetime]
    """While a process carries out what is to be done."""


class EventProblem(TypedDict):
    """Why an event could not be used."""

    code: str
    message: str


class StoredWebhook(TypedDict):
    """A document of `market_webhooks`: an event of the payment provider."""

    _id: str
    """The provider's id of the event."""

    at: datetime
    type: str
    state: NotRequired[str]
    """`claimed` while an attempt applies it, then `done`."""

    claimed_at: NotRequired[datetime]
    unusable: NotRequired[bool]
    """As what follows: of an event that could not be used."""

    problem: NotRequired[EventProblem]
    order_id: NotRequired[str | None]
    """As the event named it, as `payment_id`."""

    payment_id: NotRequired[str | None]

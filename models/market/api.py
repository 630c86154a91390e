"""What clients may ask about products, books, offers and orders, declared once."""

from functools import partial

from models.fields import NoFields
from models.identity import Identity
from models.market.book import ASK, BID
from models.market.operations import Market
from models.market.schema import (
    ComplainOrder,
    CreateProduct,
    MyOffers,
    OfferId,
    OffersQuery,
    OrderId,
    OrdersQuery,
    PaymentId,
    PayOrder,
    Place,
    ProductId,
    ProductQuery,
    ProductSales,
    ShipOrder,
    StepOrder,
    WhichBook,
)
from models.market.views import OfferView
from models.notifications.api import NOTIFICATIONS
from models.operation import Once, Operation, Operations, Takes, delete, get, lifted, post
from models.pages import PageQuery

PRODUCT = "/api/v1/products/{product_id}"
ORDER = "/api/v1/orders/{order_id}"


async def _get(market: Market, side: str, caller: Identity, id: str) -> OfferView:
    return await market.trading.get(caller, side, id)


async def _cancel(market: Market, side: str | None, caller: Identity, id: str) -> OfferView:
    return await market.trading.cancel(caller, side, id)


MARKET: Operations[Market] = (
    Operation(
        name="create_product",
        summary="Add a product; returns it.",
        call=lambda market: market.products.create,
        request=CreateProduct(),
        errors=(
            "not_an_operator",
            "sku_taken",
            "product_not_found",
        ),
        once=Once.KEYED,
        operators_only=True,
        command=False,
        routes=(post("/api/v1/products", 201),),
    ),
    Operation(
        name="list_products",
        summary="Return a page of products; `q` searches names and SKUs.",
        call=lambda market: market.products.search,
        request=ProductQuery(),
        takes=Takes.NOTHING,
        routes=(get("/api/v1/products"),),
    ),
    Operation(
        name="get_product",
        summary="Return a product.",
        call=lambda market: market.products.get,
        request=ProductId(),
        errors=("product_not_found",),
        takes=Takes.NOTHING,
        routes=(get(PRODUCT),),
    ),
    Operation(
        name="get_book",
        summary="Return a book as it stands.",
        call=lambda market: market.trading.book,
        request=WhichBook(),
        errors=(
            "product_not_found",
            "unknown_size",
        ),
        takes=Takes.NOTHING,
        routes=(get(f"{PRODUCT}/book"),),
    ),
    Operation(
        name="list_sales",
        summary="Return a page of a product's sales, with daily prices.",
        call=lambda market: market.sales.history,
        request=ProductSales(),
        errors=(
            "product_not_found",
            "unknown_size",
        ),
        takes=Takes.NOTHING,
        command=False,
        routes=(get(f"{PRODUCT}/sales"),),
    ),
    Operation(
        name="place_bid",
        summary="Bid; returns the bid, matched or open.",
        call=lambda market: partial(market.trading.place, side=BID),
        request=Place(),
        errors=(
            "product_not_found",
            "unknown_size",
            "crosses_own_offer",
            "too_many_open",
            "too_many_unpaid",
            "too_many_cancelled",
            "offer_not_found",
            "bid_not_found",
            "ask_not_found",
        ),
        once=Once.KEYED,
        routes=(post("/api/v1/bids", 201),),
    ),
    Operation(
        name="place_ask",
        summary="Ask; returns the ask, matched or open.",
        call=lambda market: partial(market.trading.place, side=ASK),
        request=Place(),
        errors=(
            "product_not_found",
            "unknown_size",
            "crosses_own_offer",
            "too_many_open",
            "too_many_unpaid",
            "too_many_cancelled",
            "offer_not_found",
            "bid_not_found",
            "ask_not_found",
        ),
        once=Once.KEYED,
        routes=(post("/api/v1/asks", 201),),
    ),
    Operation(
        name="list_bids",
        summary="Return a page of the caller's bids.",
        call=lambda market: partial(market.trading.mine, side=BID),
        request=OffersQuery(),
        command=False,
        routes=(get("/api/v1/bids"),),
    ),
    Operation(
        name="get_bid",
        summary="Return an own bid.",
        call=lambda market: partial(_get, market, BID),
        request=OfferId(),
        errors=(
            "offer_not_found",
            "bid_not_found",
            "ask_not_found",
        ),
        command=False,
        routes=(get("/api/v1/bids/{id}"),),
    ),
    Operation(
        name="cancel_bid",
        summary="Take an own bid back; returns it.",
        call=lambda market: partial(_cancel, market, BID),
        request=OfferId(),
        errors=(
            "offer_not_found",
            "offer_closed",
            "bid_not_found",
            "ask_not_found",
        ),
        command=False,
        routes=(delete("/api/v1/bids/{id}"),),
    ),
    Operation(
        name="list_asks",
        summary="Return a page of the caller's asks.",
        call=lambda market: partial(market.trading.mine, side=ASK),
        request=OffersQuery(),
        command=False,
        routes=(get("/api/v1/asks"),),
    ),
    Operation(
        name="get_ask",
        summary="Return an own ask.",
        call=lambda market: partial(_get, market, ASK),
        request=OfferId(),
        errors=(
            "offer_not_found",
            "bid_not_found",
            "ask_not_found",
        ),
        command=False,
        routes=(get("/api/v1/asks/{id}"),),
    ),
    Operation(
        name="cancel_ask",
        summary="Take an own ask back; returns it.",
        call=lambda market: partial(_cancel, market, ASK),
        request=OfferId(),
        errors=(
            "offer_not_found",
            "offer_closed",
            "bid_not_found",
            "ask_not_found",
        ),
        command=False,
        routes=(delete("/api/v1/asks/{id}"),),
    ),
    Operation(
        name="cancel",
        summary="Take an own bid or ask back; returns it.",
        call=lambda market: partial(_cancel, market, None),
        request=OfferId(),
        errors=(
            "offer_not_found",
            "offer_closed",
        ),
    ),
    Operation(
        name="my_offers",
        summary="Return a page of the caller's bids or asks.",
        call=lambda market: market.trading.mine,
        request=MyOffers(),
    ),
    Operation(
        name="my_orders",
        summary="Return a page of the caller's orders.",
        call=lambda market: market.orders.mine,
        request=OrdersQuery(),
        routes=(get("/api/v1/orders"),),
    ),
    Operation(
        name="list_stuck_orders",
        summary="Return a page of the orders that need an operator.",
        call=lambda market: market.orders.list_stuck,
        request=PageQuery(),
        errors=("not_an_operator",),
        operators_only=True,
        routes=(get("/api/v1/orders/stuck"),),
    ),
    Operation(
        name="get_order",
        summary="Return an order.",
        call=lambda market: market.orders.get,
        request=OrderId(),
        errors=("order_not_found",),
        routes=(get(ORDER),),
    ),
    Operation(
        name="pay",
        summary="Pay as the buyer; returns the order.",
        call=lambda market: market.orders.pay,
        request=PayOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
            "payment_overdue",
            "already_paid",
            "payment_provider_unavailable",
            "payment_under_way",
            "payment_amount",
            "payment_of_another_order",
            "too_many_unpaid",
        ),
        once=Once.ALWAYS,
        routes=(post(f"{ORDER}/pay"),),
    ),
    Operation(
        name="ship",
        summary="Ship as the seller; returns the order.",
        call=lambda market: market.orders.ship,
        request=ShipOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
        ),
        once=Once.KEYED,
        routes=(post(f"{ORDER}/ship"),),
    ),
    Operation(
        name="complain",
        summary="Report as the buyer what is wrong with a shipped order; returns it.",
        call=lambda market: market.orders.complain,
        request=ComplainOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
        ),
        once=Once.KEYED,
        routes=(post(f"{ORDER}/complain"),),
    ),
    Operation(
        name="deliver",
        summary="Confirm the delivery; returns the order.",
        call=lambda market: market.orders.deliver,
        request=StepOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
        ),
        once=Once.KEYED,
        routes=(post(f"{ORDER}/deliver", reads=NoFields()),),
    ),
    Operation(
        name="cancel_order",
        summary="Cancel an order that is not paid; returns it.",
        call=lambda market: market.orders.cancel,
        request=StepOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
            "payment_under_way",
        ),
        once=Once.KEYED,
        routes=(post(f"{ORDER}/cancel", reads=NoFields()),),
    ),
    Operation(
        name="refund",
        summary="Return the money; returns the order.",
        call=lambda market: market.orders.refund,
        request=StepOrder(),
        errors=(
            "order_not_found",
            "not_your_step",
            "illegal_step",
            "refund_at_provider",
        ),
        once=Once.KEYED,
        routes=(post(f"{ORDER}/refund", reads=NoFields()),),
    ),
    Operation(
        name="list_surplus_payments",
        summary="Return a page of the payments that are to be returned.",
        call=lambda market: market.orders.list_surplus,
        request=PageQuery(),
        errors=("not_an_operator",),
        operators_only=True,
        routes=(get("/api/v1/payments/surplus"),),
    ),
    Operation(
        name="settle_surplus_payment",
        summary="Note that a surplus payment has been returned.",
        call=lambda market: market.orders.settle_surplus,
        request=PaymentId(),
        errors=(
            "not_an_operator",
            "payment_not_found",
        ),
        operators_only=True,
        routes=(post("/api/v1/payments/surplus/{payment_id}/settle", reads=NoFields()),),
    ),
    Operation(
        name="list_unusable_events",
        summary="Return a page of the payment provider's events that could not be used.",
        call=lambda market: market.webhooks.list_unusable,
        request=PageQuery(),
        errors=("not_an_operator",),
        operators_only=True,
        routes=(get("/api/v1/payments/unusable-events"),),
    ),
    Operation(
        name="receive_payment_event",
        summary="Take an event of the payment provider.",
        call=lambda market: market.webhooks.receive,
        request=NoFields(),
        errors=(
            "no_webhook_secret",
            "webhook_signature",
            "webhook_too_old",
            "event_in_flight",
            "not_json",
            "not_an_object",
        ),
        command=False,
        routes=(post("/api/v1/payments/webhook", special=True),),
    ),
)

IN_MARKET: Operations[Market] = (
    *MARKET,
    *lifted(NOTIFICATIONS, lambda market: market.notifications),
)
"""The market, and the commands of `/notifications` for those who use them there."""

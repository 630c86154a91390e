"""Orders and payments over REST."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from app.rest.idempotency import operation_id
from app.rest.requests import body, caller, query, raw_body
from app.strict_json import parse
from models.errors import Unreadable
from models.market.operations import Market
from models.market.schema import NoFields, OrdersQuery, Pay, Ship

SIGNATURE_HEADERS = ("Stripe-Signature", "Webhook-Signature")

_ORDERS = OrdersQuery()
_PAY = Pay()
_SHIP = Ship()
_NOTHING = NoFields()


class OrdersRest:
    """The routes of orders, each step a POST that gives the order, and the provider's webhook."""

    def __init__(self, market: Market) -> None:
        self._orders = market.orders
        self._webhooks = market.webhooks

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        order = "/api/v1/orders/{order_id}"
        return [
            web.get("/api/v1/orders", self.mine),
            web.get(order, self.get),
            web.post(f"{order}/pay", self.pay),
            web.post(f"{order}/ship", self.ship),
            web.post(f"{order}/deliver", self._plain_step(self._orders.deliver)),
            web.post(f"{order}/cancel", self._plain_step(self._orders.cancel)),
            web.post(f"{order}/refund", self._plain_step(self._orders.refund)),
            web.post("/api/v1/payments/webhook", self.webhook),
        ]

    async def mine(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`; `?role=` buyer or seller."""
        identity = await caller(request)
        wanted = await query(request, _ORDERS)
        return web.json_response(await self._orders.mine(identity, **wanted))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the order."""
        identity = await caller(request)
        return web.json_response(await self._orders.get(identity, _order_id(request)))

    async def pay(self, request: web.Request) -> web.Response:
        """200 with the order: `paid` or `payment_failed`, or as it was until the provider tells."""
        identity = await caller(request)
        wanted = await body(request, _PAY)
        order = await self._orders.pay(
            identity, _order_id(request), **wanted, operation_id=operation_id(request)
        )
        return web.json_response(order)

    async def ship(self, request: web.Request) -> web.Response:
        """200 with the order."""
        identity = await caller(request)
        wanted = await body(request, _SHIP)
        order = await self._orders.ship(
            identity, _order_id(request), **wanted, operation_id=operation_id(request)
        )
        return web.json_response(order)

    def _plain_step(
        self, make: Callable[..., Awaitable[object]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def step(request: web.Request) -> web.Response:
            """200 with the order."""
            identity = await caller(request)
            await body(request, _NOTHING)
            order = await make(identity, _order_id(request), operation_id=operation_id(request))
            return web.json_response(order)

        return step

    async def webhook(self, request: web.Request) -> web.Response:
        """200 with `{"received": true, "applied"}`; 404 when no secret is set."""
        raw = await raw_body(request)
        given = (request.headers.get(name) for name in SIGNATURE_HEADERS)
        self._webhooks.verify(next(filter(None, given), None), raw)
        event = parse(raw)
        if not isinstance(event, dict):
            raise Unreadable("The body must be a JSON object.")
        return web.json_response({"received": True, "applied": await self._webhooks.receive(event)})


def _order_id(request: web.Request) -> str:
    return request.match_info["order_id"]

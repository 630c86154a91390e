"""Products, their books and sales, bids and asks over REST."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from app.rest.idempotency import operation_id
from app.rest.market_orders import OrdersRest
from app.rest.notifications import NotificationsRest
from app.rest.requests import body, caller, query
from models.market.book import ASK, BID
from models.market.operations import Market
from models.market.schema import (
    BookQuery,
    CreateProduct,
    OffersQuery,
    Place,
    ProductQuery,
    SalesQuery,
)

_CREATE = CreateProduct()
_PRODUCTS = ProductQuery()
_BOOK = BookQuery()
_SALES = SalesQuery()
_PLACE = Place()
_OFFERS = OffersQuery()

Handler = Callable[[web.Request], Awaitable[web.Response]]


class MarketRest:
    """The routes of the market, its orders and its inbox."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._orders = OrdersRest(market)
        self._notifications = NotificationsRest(market.notifications)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        products = [
            web.post("/api/v1/products", self.create_product),
            web.get("/api/v1/products", self.products),
            web.get("/api/v1/products/{product_id}", self.product),
            web.get("/api/v1/products/{product_id}/book", self.book),
            web.get("/api/v1/products/{product_id}/sales", self.sales),
        ]
        offers = [
            route
            for path, side in (("/api/v1/bids", BID), ("/api/v1/asks", ASK))
            for route in (
                web.post(path, self._place(side)),
                web.get(path, self._mine(side)),
                web.get(f"{path}/{{id}}", self._get(side)),
                web.delete(f"{path}/{{id}}", self._cancel(side)),
            )
        ]
        orders = self._orders.routes()
        return [*products, *offers, *orders, *self._notifications.routes()]

    async def create_product(self, request: web.Request) -> web.Response:
        """201 with the product, for operators."""
        identity = await caller(request)
        wanted = await body(request, _CREATE)
        product = await self._market.products.create(
            identity, **wanted, operation_id=operation_id(request)
        )
        return web.json_response(product, status=201)

    async def products(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`; `?q=` searches names and SKUs."""
        await caller(request)
        wanted = await query(request, _PRODUCTS)
        return web.json_response(await self._market.products.search(**wanted))

    async def product(self, request: web.Request) -> web.Response:
        """200 with the product."""
        await caller(request)
        return web.json_response(await self._market.products.get(_product_id(request)))

    async def book(self, request: web.Request) -> web.Response:
        """200 with the book of `?size=`."""
        await caller(request)
        wanted = await query(request, _BOOK)
        return web.json_response(await self._market.trading.book(_product_id(request), **wanted))

    async def sales(self, request: web.Request) -> web.Response:
        """200 with `items`, `next` and `daily`."""
        await caller(request)
        wanted = await query(request, _SALES)
        return web.json_response(await self._market.sales.history(_product_id(request), **wanted))

    def _place(self, side: str) -> Handler:
        async def place(request: web.Request) -> web.Response:
            """201 with the bid or ask, matched or open."""
            identity = await caller(request)
            wanted = await body(request, _PLACE)
            offer = await self._market.trading.place(
                identity, side, **wanted, operation_id=operation_id(request)
            )
            return web.json_response(offer, status=201)

        return place

    def _mine(self, side: str) -> Handler:
        async def mine(request: web.Request) -> web.Response:
            """200 with `items` and `next`: the caller's own."""
            identity = await caller(request)
            wanted = await query(request, _OFFERS)
            return web.json_response(await self._market.trading.mine(identity, side, **wanted))

        return mine

    def _get(self, side: str) -> Handler:
        async def get(request: web.Request) -> web.Response:
            """200 with the caller's bid or ask."""
            identity = await caller(request)
            offer_id = request.match_info["id"]
            return web.json_response(await self._market.trading.get(identity, side, offer_id))

        return get

    def _cancel(self, side: str) -> Handler:
        async def cancel(request: web.Request) -> web.Response:
            """200 with the bid or ask, cancelled."""
            identity = await caller(request)
            offer_id = request.match_info["id"]
            return web.json_response(await self._market.trading.cancel(identity, side, offer_id))

        return cancel


def _product_id(request: web.Request) -> str:
    return request.match_info["product_id"]

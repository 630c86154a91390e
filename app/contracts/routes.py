"""Serves the contracts: made once when they are first asked for, and the same for every caller."""

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from app.contracts.asyncapi import asyncapi
from app.contracts.catalogue import Catalogue, HandwrittenRoute, first_line
from app.contracts.openapi import openapi
from app.contracts.page import page
from app.contracts.typescript import events_d_ts
from app.http.assets import Asset, make_asset, serve_unless_known
from app.rest.contract import Content, Credential, contract, contract_of
from app.rest.requests import no_query
from app.web import WEB

CATALOGUE: web.AppKey[Callable[[], Catalogue]] = web.AppKey("catalogue")
"""Collects what the application offers, once it is whole."""

ASSETS = Path(__file__).parent / "assets"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}

NO_API = frozenset(
    {
        "/",
        "/orders/{order_id}",
        "/products/{product_id}",
        "/assets/{hash}/{name}",
        "/socket.io/",
        "/socket.io/socket.io.js",
        "/service-worker.js",
        "/admin",
        "/admin/{name}",
        "/docs",
        "/docs/{name}",
    }
)
"""Pages and files for browsers, and the transport of Socket.IO."""


class ContractRoutes:
    """`/docs`, and the documents that it shows."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = cache(catalogue)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        make = self._document
        json_type, html = "application/json; charset=utf-8", "text/html; charset=utf-8"
        # Colours and sizes are those of the web client.
        style = (WEB / "style" / "tokens.css").read_bytes() + (ASSETS / "style.css").read_bytes()
        css, script = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
        return [
            web.get("/api/openapi.json", make(json_type, lambda whole: _json(openapi(whole)))),
            web.get("/api/asyncapi.json", make(json_type, lambda whole: _json(asyncapi(whole)))),
            web.get("/api/events.d.ts", make("text/plain; charset=utf-8", events_d_ts)),
            web.get("/docs", make(html, page)),
            web.get("/docs/{name:style\\.css}", _file(style, css)),
            web.get("/docs/{name:search\\.js}", _file((ASSETS / "search.js").read_bytes(), script)),
        ]

    def _document(self, content_type: str, write: Callable[[Catalogue], str]) -> Handler:
        @cache
        def made() -> Asset:
            return make_asset(write(self._catalogue()).encode(), content_type)

        @contract(
            "server",
            {200: Content(content_type.partition(";")[0]), 304: None},
            credential=Credential.NONE,
            headers=("If-None-Match",),
        )
        async def handle(request: web.Request) -> web.Response:
            """The contract of this API."""
            await no_query(request)
            return serve_unless_known(request, made(), HEADERS)

        return handle


def handwritten(app: web.Application, declared: set[tuple[str, str]]) -> list[HandwrittenRoute]:
    """Return the routes of the application that no operation declares."""
    found = {}
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        key = (route.method, path)
        if route.method in ("HEAD", "*") or path in NO_API or key in declared:
            continue
        declared_by_hand = contract_of(route.handler)
        assert declared_by_hand is not None, f"{route.method} {path} has no contract"
        summary = first_line(inspect.getdoc(route.handler))
        found[key] = HandwrittenRoute(route.method, path, summary, declared_by_hand)
    return [found[key] for key in sorted(found, key=lambda key: (key[1], key[0]))]


def _file(content: bytes, content_type: str) -> Handler:
    asset = make_asset(content, content_type)

    async def handle(request: web.Request) -> web.Response:
        """A file of the page."""
        return serve_unless_known(request, asset, HEADERS)

    return handle


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"

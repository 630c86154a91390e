"""What is special about the market over REST: its callers that are no accounts."""

from collections.abc import Mapping
from typing import TypedDict

from aiohttp import web
from aiohttp.typedefs import Handler

from app.rest.contract import Content, Credential, contract
from app.rest.requests import raw_body
from app.strict_json import parse
from models.errors import Unreadable
from models.market.operations import Market


class ReceivedView(TypedDict):
    """A payment event that was taken in."""

    received: bool
    applied: bool
    """Whether it changed something."""


SIGNATURE_HEADERS = ("Stripe-Signature", "Webhook-Signature")


def special(market: Market) -> Mapping[str, Handler]:
    """Return the handlers that are written by hand, by operation."""

    @contract(
        "market",
        {200: ReceivedView},
        credential=Credential.NONE,
        body=Content("application/json"),
        headers=SIGNATURE_HEADERS,
    )
    async def receive(request: web.Request) -> web.StreamResponse:
        """200 with `{"received": true, "applied"}`, also for a genuine event that cannot be used.

        404 when no secret is set; 4xx for what is forged or unreadable.
        """
        raw = await raw_body(request)
        given = (request.headers.get(name) for name in SIGNATURE_HEADERS)
        market.webhooks.verify(next(filter(None, given), None), raw)
        event = parse(raw)
        if not isinstance(event, dict):
            raise Unreadable("The body must be a JSON object.")
        applied = await market.webhooks.receive(event)
        answer: ReceivedView = {"received": True, "applied": applied}
        return web.json_response(answer)

    return {"receive_payment_event": receive}

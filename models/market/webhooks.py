"""What a payment provider reports: signed webhooks in the form that Stripe made common.

The header is `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, each `v1` an HMAC-SHA256 with a shared
secret over `<t>.<body>`; several are sent while a secret is replaced. The order is named by
`data.object.metadata.order_id`.

What happened counts, not what was planned: `amount_received` of a payment, `amount_refunded` of a
charge (the provider's running total, so partial refunds add up). A genuine event that can never be
used is accepted, because the provider would only deliver it again for days, and listed for
operators.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Sequence
from typing import Any

from marshmallow import EXCLUDE, ValidationError, validate

from models.database import Database
from models.errors import Conflict, Invalid, NotFound, Unreadable
from models.fields import ID_MAX, SCALAR_MAX, Input, Part, Text, WholeNumber, is_text, load
from models.identity import Identity
from models.market.deliveries import Deliveries
from models.market.money import CURRENCY
from models.market.operators import Operators
from models.market.orders import Orders
from models.market.receipts import Received
from models.market.schema import Number
from models.market.views import UnusableEventView
from models.pages import DEFAULT_PAGE, Page, Position
from models.times import Clock

logger = logging.getLogger(__name__)

TOLERANCE_S = 300
"""How old a delivery may be, either way of the clock: the provider's own recommendation."""

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"
WAS_REFUNDED = "charge.refunded"
PAYOUT_PAID = "payout.paid"

MAX_AMOUNT = 2**53
"""Minor units of any currency: what JSON numbers hold exactly."""

MAX_EVENT_ID = 255
"""Characters: what the provider promises its ids to stay under."""

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_MAX_HEADER = 4_096


class _Metadata(Input):
    class Meta:
        unknown = EXCLUDE

    order_id = Number(required=True)


def _cents(**options: Any) -> WholeNumber:
    return WholeNumber(text=False, validate=validate.Range(0, MAX_AMOUNT), **options)


def _provider_id(**options: Any) -> Text:
    return Text(MAX_EVENT_ID, validate=validate.Regexp(r"[!-~]+\Z"), **options)


class _Object(Input):
    class Meta:
        unknown = EXCLUDE

    id = _provider_id(required=True)
    metadata = Part(_Metadata, required=True)


class _Money(_Object):
    amount = _cents(required=True)
    currency = Text(SCALAR_MAX, required=True)


class _Payment(_Money):
    amount_received = _cents()


class _Charge(_Money):
    amount_refunded = _cents()
    payment_intent = _provider_id(load_default=None, allow_none=True)


_OBJECTS: dict[str, type[_Object]] = {
    SUCCEEDED: _Payment,
    FAILED: _Object,
    WAS_REFUNDED: _Charge,
    PAYOUT_PAID: _Money,
}
"""By type of event, what is read of its object. A failed payment has moved no money."""


class _Kind(Input):
    class Meta:
        unknown = EXCLUDE

    id = _provider_id(required=True)
    type = Text(ID_MAX, required=True)


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """Return the `v1` signature of a body."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def verify(header: str, body: bytes, secrets: Sequence[str], at: float) -> None:
    """Check that one of the header's signatures is by one of the secrets, and recent.

    Raises:
        Unreadable: code `webhook_signature` or `webhook_too_old`.
    """
    parts = [part.strip().partition("=") for part in header[:_MAX_HEADER].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1" and _SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0]):
        raise Unreadable("The signature header has no time.", code="webhook_signature")
    timestamp = int(times[0])
    expected = [sign(body, secret, timestamp) for secret in secrets]
    matches = [hmac.compare_digest(given, own) for given in signatures for own in expected]
    if not any(matches):
        raise Unreadable("The signature does not match the body.", code="webhook_signature")
    if abs(at - timestamp) > TOLERANCE_S:
        raise Unreadable("The delivery is too old.", code="webhook_too_old")


class Webhooks:
    """Applies the provider's events, each once."""

    def __init__(
        self,
        database: Database,
        orders: Orders,
        operators: Operators,
        secrets: Sequence[str],
        clock: Clock,
    ) -> None:
        self.deliveries = Deliveries(database, clock)
        self._orders = orders
        self._operators = operators
        self._secrets = secrets
        self._clock = clock

    def verify(self, header: str | None, body: bytes) -> None:
        """Check a delivery.

        Raises:
            NotFound: no secret is set, so there is no such endpoint.
            Unreadable: forged, broken or too old.
        """
        if not self._secrets:
            raise NotFound("No payment provider is connected.", code="no_webhook_secret")
        if header is None:
            raise Unreadable("The signature header is missing.", code="webhook_signature")
        verify(header, body, self._secrets, self._clock().timestamp())

    async def receive(self, event: dict[str, Any]) -> bool:
        """Apply an event of a verified delivery, once, however often and at once it is delivered.

        Return False for repeats, for types without meaning here, and for what cannot be used.

        Raises:
            Invalid: it has no id or type.
            Unavailable: another delivery of it has been at work for long; to be delivered again.
        """
        kind = load(_Kind(), event)
        event_id = kind["id"]
        if kind["type"] not in _OBJECTS or not await self.deliveries.claim(event_id, kind["type"]):
            return False
        try:
            await self._apply(kind["type"], event_id, event)
        except (Invalid, NotFound, Conflict) as error:
            order_id, payment_id = _named(event)
            logger.warning(
                "payment event %s (%s, order %s, payment %s) cannot be used: %s",
                *(ascii(text) for text in (event_id, kind["type"], order_id, payment_id)),
                error.code,
            )
            await self.deliveries.finish_unused(
                event_id, error, order_id=order_id, payment_id=payment_id
            )
            return False
        except Exception:
            await self.deliveries.release(event_id)
            raise
        # Written last: after a crash before this the event is delivered again, and what has been
        # done under its id already is not done twice.
        await self.deliveries.finish(event_id)
        return True

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.deliveries.prepare()

    async def sweep(self) -> None:
        """Forget events that will not come again."""
        await self.deliveries.sweep()

    async def list_unusable(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[UnusableEventView]:
        """Return a page of the events that could not be used, newest first, to operators.

        Raises:
            Forbidden: code `not_an_operator`.
        """
        self._operators.check(caller)
        return await self.deliveries.list_unusable(after=after, limit=limit)

    async def _apply(self, kind: str, event_id: str, event: dict[str, Any]) -> None:
        data = event.get("data")
        about = load(_OBJECTS[kind](), data.get("object") if isinstance(data, dict) else None)
        order_id = about["metadata"]["order_id"]
        if kind == FAILED:
            await self._orders.payment_failed(order_id, operation_id=f"event:{event_id}")
        elif kind == SUCCEEDED:
            # Providers that report no `amount_received` take the whole amount or nothing.
            amount = about.get("amount_received", about["amount"])
            if not amount:
                raise Invalid("Nothing was received.", code="payment_amount")
            received = Received(about["id"], amount, about["currency"])
            await self._orders.paid(order_id, received)
            if (amount, received.currency) != (await self._orders.price_of(order_id), CURRENCY):
                raise Invalid("This is not the order's price.", code="payment_amount")
        elif kind == WAS_REFUNDED:
            await self._refund(order_id, about)
        else:
            await self._orders.paid_out(order_id, about["amount"], about["currency"])

    async def _refund(self, order_id: str, about: dict[str, Any]) -> None:
        if about["currency"] != CURRENCY:
            raise Invalid("Refunded in another currency.", code="refund_currency")
        total = about.get("amount_refunded", about["amount"])
        payment_id = about["payment_intent"]
        if payment_id is None:
            # A charge that names no payment may be the payment itself, or the only one there is.
            payment_id = about["id"]
            if not await self._orders.receipts.get(payment_id):
                payment_id = await self._orders.payment_of(order_id) or payment_id
        if not await self._orders.payment_refunded(order_id, payment_id, total):
            raise Conflict("The order is delivered.", code="refund_after_delivery")


def _named(event: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the order and the payment that an event names, whatever shape it has."""
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(about, dict):
        return None, None
    metadata = about.get("metadata")
    order_id = metadata.get("order_id") if isinstance(metadata, dict) else None
    return _short(order_id), _short(about.get("payment_intent")) or _short(about.get("id"))


def _short(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**SCALAR_MAX else ""
    try:
        is_text(text[:MAX_EVENT_ID])
    except ValidationError:
        return None
    return text[:MAX_EVENT_ID] or None

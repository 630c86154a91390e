"""What a payment provider tells: signed webhooks in the form that Stripe made common.

The header is `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, each `v1` an HMAC-SHA256 with a shared
secret over `<t>.<body>`; several are sent while a secret is replaced. The order is named by
`data.object.metadata.order_id`. `market_webhooks`: `_id` (the event), `at`.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from pymongo.errors import DuplicateKeyError

from models.database import Database
from models.errors import Invalid, NotFound, Unreadable
from models.market.money import CURRENCY
from models.market.orders import Orders
from models.market.schema import Number
from models.market.steps import PAYOUT_COMPLETED, REFUNDED
from models.times import Clock

TOLERANCE_S = 300
"""How old a delivery may be, either way of the clock: the provider's own recommendation."""

KEPT = timedelta(days=30)
"""How long events are remembered; the provider gives up after three days."""

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"
WAS_REFUNDED = "charge.refunded"
PAYOUT_PAID = "payout.paid"

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_MAX_HEADER = 4_096


class _Metadata(Schema):
    class Meta:
        unknown = EXCLUDE

    order_id = Number(required=True)


class _Object(Schema):
    class Meta:
        unknown = EXCLUDE

    id = fields.String(required=True, validate=validate.Length(1, 255))
    amount = fields.Integer(required=True, strict=True)
    currency = fields.String(required=True)
    metadata = fields.Nested(_Metadata, required=True)


class _Data(Schema):
    class Meta:
        unknown = EXCLUDE

    object = fields.Nested(_Object, required=True)


class _Kind(Schema):
    class Meta:
        unknown = EXCLUDE

    id = fields.String(required=True, validate=validate.Length(1, 255))
    type = fields.String(required=True)


class _About(Schema):
    class Meta:
        unknown = EXCLUDE

    data = fields.Nested(_Data, required=True)


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """Give the `v1` signature of a body."""
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
        self, database: Database, orders: Orders, secrets: Sequence[str], clock: Clock
    ) -> None:
        self._events = database["market_webhooks"]
        self._orders = orders
        self._secrets = secrets
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index by which old events are forgotten."""
        await self._events.create_index([("at", 1)])

    async def sweep(self) -> None:
        """Forget events that will not come again."""
        await self._events.delete_many({"at": {"$lte": self._clock() - KEPT}})

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
        """Apply an event of a verified delivery; False for repeats and kinds without meaning here.

        Raises:
            Invalid: it lacks what its kind needs, or names another amount than the order's.
            NotFound: no such order.
            Conflict: it came before what it follows; the provider delivers it again.
        """
        kind = _load(_Kind(), event)
        if await self._events.find_one({"_id": kind["id"]}):
            return False
        if kind["type"] not in (SUCCEEDED, FAILED, WAS_REFUNDED, PAYOUT_PAID):
            return False
        about = _load(_About(), event)["data"]["object"]
        await self._apply(kind["type"], about)
        # Noted last: a crash before this makes the provider deliver again, and every step above
        # does nothing the second time.
        try:
            await self._events.insert_one({"_id": kind["id"], "at": self._clock()})
        except DuplicateKeyError:
            return False
        return True

    async def _apply(self, kind: str, about: dict[str, Any]) -> None:
        order_id = about["metadata"]["order_id"]
        price = await self._orders.price_of(order_id)
        if kind == FAILED:
            await self._orders.payment_failed(order_id)
            return
        if (about["amount"], about["currency"]) != (price, CURRENCY):
            raise Invalid(
                "This is not the order's price.",
                code="payment_amount",
                fields={"amount": [f"{price} {CURRENCY} expected."]},
            )
        if kind == SUCCEEDED:
            await self._orders.paid(order_id, about["id"])
        else:
            await self._orders.told(
                order_id, REFUNDED if kind == WAS_REFUNDED else PAYOUT_COMPLETED
            )


def _load(schema: Schema, event: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(event)
    except ValidationError as error:
        raise Invalid("Some fields are not valid.", fields=dict(error.messages_dict)) from None
    return loaded

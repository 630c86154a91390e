"""What a caller may send to the market, and within which bounds."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, post_load, validate

from models.fields import (
    SCALAR_MAX,
    BoundedList,
    Input,
    Scalar,
    Text,
    WholeNumber,
    client_id_field,
    id_field,
    one_line,
)
from models.market.money import Price
from models.market.steps import STATUSES
from models.pages import PageQuery

MAX_NAME = 120
"""Characters of a product's name: notifications' titles and messages repeat it."""

MAX_SIZES = 60
MAX_SIZE = 16
MAX_DEPTH = 200
DEFAULT_DEPTH = 50

# No colon: sizes stand in keys and room names between colons.
_SIZE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ./-]{0,14}[A-Za-z0-9.])?")
_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
_SKU_ERROR = "Letters, digits and . _ / - only, 40 at most."
_SIZE_ERROR = "Letters, digits, blanks and . / - only, 16 at most."
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def _line(limit: int, **options: Any) -> Text:
    return Text(limit, min_length=1, validate=one_line, **options)


class Number(Scalar[str]):
    """A decimal id; clients that keep ids as numbers may send them so."""

    takes: ClassVar[Mapping[str, Any]] = {"type": ["string", "integer"]}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18:
            value = str(value)
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise ValidationError("Not an id.")
        return value


_NO_TIME = "Write a time with its zone: 2026-03-01T12:00:00Z."


class Moment(Scalar[datetime], fields.AwareDateTime):
    """A time in RFC 3339 with its zone; loads as UTC in whole milliseconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise ValidationError(_NO_TIME)
        try:
            moment = super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except ValidationError:
            raise ValidationError(_NO_TIME) from None
        except OverflowError:
            raise ValidationError("A time beyond the calendar.") from None
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class CreateProduct(Input):
    """A new product: `name`, `sku` (unique, whatever its case), `sizes` such as "US 9"."""

    name = _line(MAX_NAME, required=True)
    sku = Text(
        SCALAR_MAX, required=True, validate=validate.Regexp(_SKU.pattern + r"\Z", error=_SKU_ERROR)
    )
    sizes = BoundedList(
        Text(
            MAX_SIZE,
            min_length=1,
            validate=validate.Regexp(_SIZE.pattern + r"\Z", error=_SIZE_ERROR),
        ),
        min_length=1,
        max_length=MAX_SIZES,
        required=True,
    )
    client_id = client_id_field()

    @post_load
    def _each_once(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "sizes": list(dict.fromkeys(data["sizes"]))}


class ProductQuery(PageQuery):
    """Which products: `q` has words of a name or SKU, in any order and spelling."""

    q = Text(MAX_NAME, min_length=1, load_default=None)


class ProductId(Input):
    """Which product: `product_id`."""

    product_id = Number(required=True)


class Place(ProductId):
    """A bid or an ask: `product_id`, `size`, `price`, `expires_at` if it ends by itself,
    and `client_id`, under which it is placed once."""

    size = Text(MAX_SIZE, required=True)
    price = Price(required=True)
    expires_at = Moment(load_default=None, allow_none=True)
    client_id = client_id_field()


class BookQuery(Input):
    """Which part of a book: `size`, and `depth`, the levels of each side (1 to 200)."""

    size = Text(MAX_SIZE, required=True)
    depth = WholeNumber(load_default=DEFAULT_DEPTH, validate=validate.Range(1, MAX_DEPTH))


class WhichBook(ProductId, BookQuery):
    """Which book: `product_id`, `size`, `depth`."""


class SalesQuery(PageQuery):
    """Which sales: of one `size` or all; `days` of daily prices (0 to 366)."""

    size = Text(MAX_SIZE, load_default=None)
    days = WholeNumber(load_default=30, validate=validate.Range(0, 366))


class ProductSales(ProductId, SalesQuery):
    """Which sales of which product."""


class OffersQuery(PageQuery):
    """Which of the caller's bids or asks: `status`, all if absent."""

    status = Text(
        SCALAR_MAX,
        load_default=None,
        validate=validate.OneOf(("open", "matched", "cancelled", "expired")),
    )


class MyOffers(OffersQuery):
    """Which of the caller's offers: `side` bid or ask."""

    side = Text(SCALAR_MAX, required=True, validate=validate.OneOf(("bid", "ask")))


class OfferId(Input):
    """Which bid or ask: `id`."""

    id = id_field(required=True)


class OrdersQuery(PageQuery):
    """Which of the caller's orders: `role` buyer or seller, `status`; all if absent."""

    role = Text(SCALAR_MAX, load_default=None, validate=validate.OneOf(("buyer", "seller")))
    status = Text(SCALAR_MAX, load_default=None, validate=validate.OneOf(STATUSES))


class OrderId(Input):
    """Which order: `order_id`."""

    order_id = Number(required=True)


class PaymentId(Input):
    """Which payment: `payment_id`, as the provider names it."""

    payment_id = Text(255, required=True, min_length=1)


_is_card_number = validate.Regexp(r"[0-9]{12,19}\Z", error="Write 12 to 19 digits, without spaces.")


class Pay(Input):
    """How to pay: `card_number`, which the development provider asks for and never keeps."""

    card_number = Text(SCALAR_MAX, load_default=None, validate=_is_card_number)


class Ship(Input):
    """What was sent: `carrier` and `tracking`."""

    carrier = _line(60, required=True)
    tracking = _line(100, required=True)


class Complaint(Input):
    """What is wrong with an order: `text`."""

    text = Text(1_000, required=True, min_length=1)


class StepOrder(OrderId):
    """Which order takes the step, and `client_id`, under which it takes it once."""

    client_id = client_id_field()


class ComplainOrder(StepOrder, Complaint):
    """What is wrong with which order."""


class PayOrder(OrderId, Pay):
    """How to pay which order."""


class ShipOrder(StepOrder, Ship):
    """What was sent for which order."""

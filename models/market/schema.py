"""What a caller may send to the market, and within which bounds."""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from models.fields import WholeNumber, one_line
from models.market.money import Price
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
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def _line(limit: int, **options: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, limit), one_line], **options)


class Number(fields.Field[str]):
    """A decimal id; clients that keep ids as numbers may send them so."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18:
            value = str(value)
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise ValidationError("Not an id.")
        return value


class Moment(fields.AwareDateTime):
    """A time in RFC 3339 with its zone; loads as UTC in whole milliseconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        try:
            moment = super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError:
            raise ValidationError("A time beyond the calendar.") from None
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class CreateProduct(Schema):
    """A new product: `name`, `sku` (unique, whatever its case), `sizes` such as "US 9"."""

    name = _line(MAX_NAME, required=True)
    sku = fields.String(required=True, validate=validate.Regexp(_SKU.pattern + r"\Z"))
    sizes = fields.List(
        fields.String(
            validate=[validate.Length(1, MAX_SIZE), validate.Regexp(_SIZE.pattern + r"\Z")]
        ),
        required=True,
        validate=validate.Length(1, MAX_SIZES),
    )

    @post_load
    def _each_once(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "sizes": list(dict.fromkeys(data["sizes"]))}


class ProductQuery(PageQuery):
    """Which products: `q` is part of a name or SKU."""

    q = fields.String(load_default=None, validate=validate.Length(1, MAX_NAME))


class ProductId(Schema):
    """Which product: `product_id`."""

    product_id = Number(required=True)


class Place(ProductId):
    """A bid or an ask: `product_id`, `size`, `price`, and `expires_at` if it ends by itself."""

    size = fields.String(required=True)
    price = Price(required=True)
    expires_at = Moment(load_default=None, allow_none=True)


class BookQuery(Schema):
    """Which part of a book: `size`, and `depth`, the levels of each side (1 to 200)."""

    size = fields.String(required=True)
    depth = WholeNumber(load_default=DEFAULT_DEPTH, validate=validate.Range(1, MAX_DEPTH))


class WhichBook(ProductId, BookQuery):
    """Which book: `product_id`, `size`, `depth`."""


class SalesQuery(PageQuery):
    """Which sales: of one `size` or all; `days` of daily prices (0 to 366)."""

    size = fields.String(load_default=None)
    days = WholeNumber(load_default=30, validate=validate.Range(0, 366))


class OffersQuery(PageQuery):
    """Which of the caller's bids or asks: `status`, all if absent."""

    status = fields.String(
        load_default=None, validate=validate.OneOf(("open", "matched", "cancelled", "expired"))
    )


class MyOffers(OffersQuery):
    """Which of the caller's offers: `side` bid or ask."""

    side = fields.String(required=True, validate=validate.OneOf(("bid", "ask")))


class OfferId(Schema):
    """Which bid or ask: `id`."""

    id = fields.String(required=True, validate=validate.Length(1, 64))


class OrdersQuery(PageQuery):
    """Which of the caller's orders: `role` buyer or seller, both if absent."""

    role = fields.String(load_default=None, validate=validate.OneOf(("buyer", "seller")))


class OrderId(Schema):
    """Which order: `order_id`."""

    order_id = Number(required=True)


class Pay(Schema):
    """How to pay: `card_number`, which the development provider asks for and never keeps."""

    card_number = fields.String(load_default=None, validate=validate.Regexp(r"[0-9]{12,19}\Z"))


class Ship(Schema):
    """What was sent: `carrier` and `tracking`."""

    carrier = _line(60, required=True)
    tracking = _line(100, required=True)


class PayOrder(OrderId, Pay):
    """How to pay which order."""


class ShipOrder(OrderId, Ship):
    """What was sent for which order."""


class NoFields(Schema):
    """Nothing: the route or command says it all."""

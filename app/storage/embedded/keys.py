"""Values as bytes that sort as MongoDB sorts values, and that are equal when the values are.

One byte for the type, in MongoDB's order of types, then the value. A key is never the beginning of
another value's key, so the keys of several fields can stand one after the other, and nothing that
may follow a key starts with `AFTER`: all that has a key in front lies between `key` and
`key + AFTER`.

https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Binary, ObjectId
from bson.errors import InvalidDocument

AFTER = b"\xff"
"""Above every key and whatever follows it."""

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
"""Stands for the value of a field that a document does not have."""

UNDEFINED_KEY = b"\x05"
"""What an empty array is sorted by, and is found under in an index: below null."""

NULL_KEY = b"\x0a"
"""Also of a missing field: MongoDB sorts and indexes both alike."""

_NUMBER, _TEXT, _DOCUMENT, _ARRAY = b"\x14", b"\x1e", b"\x28", b"\x32"
_BINARY, _OBJECT_ID, _BOOLEAN, _DATE = b"\x3c", b"\x46", b"\x50", b"\x5a"
_FALSE_KEY, _TRUE_KEY = _BOOLEAN + b"\x00", _BOOLEAN + b"\x01"

_NAN = _NUMBER + bytes(10)
_END = b"\x00"
_EXACT = 1 << 53
"""All integers up to this one are doubles."""

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SIGN = 1 << 63

_to_double = struct.Struct(">d").pack
_from_bits = struct.Struct(">Q").unpack
_number = struct.Struct(">cQH").pack
_date = struct.Struct(">cQ").pack


def key_of(value: Any) -> bytes:
    """Return the key of one value; of an array as a whole, not of its elements.

    Raises:
        OverflowError: an integer of more than 64 bits.
        InvalidDocument: a type that the embedded store does not keep.
    """
    make = _KEYS.get(type(value))
    if make is None:
        make = _inherited(value)
    made: bytes = make(value)
    return made


def owner_key(number: int) -> bytes:
    """Return the beginning of all keys of one collection's documents, or of one index."""
    return number.to_bytes(4, "big")


def type_range(key: bytes) -> tuple[bytes, bytes]:
    """Return the keys that all values of a key's type lie between: from (with), to (without)."""
    return key[:1], bytes([key[0] + 1])


def _of_integer(value: int) -> bytes:
    nearest = float(value)
    rest = 0
    if not -_EXACT <= value <= _EXACT:
        # Not `in range(…)`, which walks through all numbers for a subclass such as bson's Int64.
        if not _INT64_MIN <= value <= _INT64_MAX:
            raise OverflowError("MongoDB keeps integers of up to 64 bits")
        # Rounding keeps the order; what it took away decides between equals.
        rest = value - int(nearest)
    return _number(_NUMBER, _ordered_bits(nearest), 0x8000 + rest)


def _of_float(value: float) -> bytes:
    if value != value:
        return _NAN
    return _number(_NUMBER, _ordered_bits(value + 0.0), 0x8000)


def _ordered_bits(value: float) -> int:
    bits: int = _from_bits(_to_double(value))[0]
    return bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN


def _of_text(value: str) -> bytes:
    return _TEXT + _escaped(value)


def _escaped(text: str) -> bytes:
    # A byte of 255 follows no other zero: it is in no UTF-8 and starts nothing that may follow.
    return text.encode().replace(b"\x00", b"\x00\xff") + _END


def _of_document(value: Mapping[str, Any]) -> bytes:
    parts = [_DOCUMENT]
    for name, item in value.items():
        item_key = key_of(item)
        parts += (item_key[:1], _escaped(name), item_key)
    parts.append(_END)
    return b"".join(parts)


def _of_array(value: list[Any]) -> bytes:
    return b"".join((_ARRAY, *map(key_of, value), _END))


def _of_bytes(value: bytes) -> bytes:
    subtype = value.subtype if isinstance(value, Binary) else 0
    return _BINARY + struct.pack(">IB", len(value), subtype) + value


def _of_date(value: datetime) -> bytes:
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return _date(_DATE, (value - _EPOCH) // _MILLISECOND + _SIGN)


def _of_boolean(value: bool) -> bytes:
    return _TRUE_KEY if value else _FALSE_KEY


_KEYS: dict[type, Any] = {
    type(None): lambda _: NULL_KEY,
    type(MISSING): lambda _: NULL_KEY,
    bool: _of_boolean,
    int: _of_integer,
    float: _of_float,
    str: _of_text,
    dict: _of_document,
    list: _of_array,
    bytes: _of_bytes,
    Binary: _of_bytes,
    ObjectId: lambda value: _OBJECT_ID + value.binary,
    datetime: _of_date,
}


def _inherited(value: Any) -> Any:
    for kind in (int, float, str, datetime, Mapping, list):
        if isinstance(value, kind):
            return _KEYS[dict if kind is Mapping else kind]
    raise InvalidDocument(f"the embedded store keeps no values of type {type(value).__name__}")

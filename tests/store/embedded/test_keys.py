"""Keys sort as MongoDB sorts values, and are equal when the values are."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import bson
import pytest
from bson import Binary, Int64, ObjectId
from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument
from hypothesis import given
from hypothesis import strategies as st

from app.storage.embedded.keys import AFTER, MISSING, key_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

ASCENDING: list[Any] = [
    None,
    math.nan,
    -math.inf,
    -1e300,
    -(2**63),
    -(2**63) + 1,
    -(2**53) - 1,
    -(2**53),
    -1.5,
    -1,
    -5e-324,
    0,
    5e-324,
    0.1,
    1,
    1.5,
    2**53 - 1,
    2**53,
    2**53 + 1,
    2**53 + 2,
    2**62,
    2**63 - 513,
    2**63 - 512,
    2**63 - 1,
    2.0**63,
    1e300,
    math.inf,
    "",
    "\0",
    "\0\0",
    "\0a",
    "\x01",
    "A",
    "a",
    "a\0",
    "a\0\0",
    "a\0b",
    "aa",
    "z",
    "é",
    "\uffff",
    "🎉",
    {},
    {"a": None},
    {"b": None},
    {"a": 1},
    {"a": 1, "b": None},
    {"a": 2},
    {"a": "x"},
    {"a": "x", "b": 1},
    {"a": "x\0"},
    {"a": []},
    [],
    [None],
    [1],
    [1, 1],
    [2],
    ["a"],
    ["a", 1],
    ["a\0"],
    [[]],
    b"",
    b"\xff",
    b"\0\0",
    Binary(b"\0\0", 5),
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, tzinfo=UTC),
    NOON,
    NOON + timedelta(milliseconds=1),
    datetime(9999, 12, 31, tzinfo=UTC),
]


def test_order() -> None:
    """MongoDB's order of types; numbers by what they are, whatever their type; texts by bytes."""
    for lower, higher in pairwise(ASCENDING):
        assert key_of(lower) < key_of(higher), (lower, higher)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        (Int64(7), 7),
        (Int64(2**62 + 1), 2**62 + 1),
        (2**53, float(2**53)),
        (-(2**63), float(-(2**63))),
        (math.nan, -math.nan),
        (None, MISSING),
        ({"a": 1}, {"a": 1.0}),
        ([1, [2]], [1.0, [2.0]]),
        (b"x", Binary(b"x", 0)),
        (NOON, NOON + timedelta(microseconds=999)),
        (NOON, NOON.astimezone()),
    ],
)
def test_equal(one: Any, other: Any) -> None:
    """What MongoDB takes for equal has one key."""
    assert key_of(one) == key_of(other)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES, VALUES, VALUES)
def test_one_key_after_another(first: Any, second: Any, behind: Any) -> None:
    """In front of other keys a key decides alone, and `AFTER` comes behind all that follow it."""
    one, other, rest = key_of(first), key_of(second), key_of(behind)
    if one < other:
        assert one + rest < other
        assert one + rest < one + AFTER
        assert one + AFTER < other + rest or other[: len(one)] == one
    assert not (one != other and other.startswith(one))


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)))
def test_numbers(numbers: list[Any]) -> None:
    """Integers and doubles sort by their exact values, which Python compares as well."""
    assert [*map(key_of, sorted(numbers))] == sorted(map(key_of, numbers))


@given(VALUES)
def test_through_bson(value: Any) -> None:
    """A value has the key of what BSON makes of it."""
    through = bson.decode(bson.encode({"v": value}), CodecOptions(tz_aware=True))["v"]
    assert key_of(through) == key_of(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_too_large(value: int) -> None:
    """Integers of more than 64 bits are refused, as the driver does."""
    with pytest.raises(OverflowError):
        key_of(value)


def test_unknown_type() -> None:
    """A type that is not kept is named."""
    with pytest.raises(InvalidDocument, match="complex"):
        key_of(1j)

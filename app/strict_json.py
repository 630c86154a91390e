"""Read JSON as RFC 8259 has it, and within bounds: no NaN, no broken Unicode, no endless nesting.

Of a name that stands twice in an object the last value counts, as in every browser. Numbers beyond
a double, which RFC 8259 allows, are read as infinities; no field accepts one.
"""

import json
import re
from array import array
from itertools import accumulate
from typing import NoReturn

import msgspec

from models.errors import Unreadable
from models.events import Json

NESTING_MAX = 64
"""Levels of objects and lists: a payment provider's events have about ten, clients' messages five.
All that walks through JSON later, or writes it again, can rely on this."""

# Takes a string that never ends up to the end of the text: trying again from each of its quotes
# would take time that grows with the square of their number.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")
"""To the number of levels that a bracket leads down, as a signed byte."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(raw: bytes | str) -> Json:
    """Parse one JSON text.

    Raises:
        Unreadable: the message says what is wrong with it.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("The JSON is not valid UTF-8.") from None
    # Looked at first: how deep the parser itself can go depends on the interpreter.
    if text.count("[") + text.count("{") > NESTING_MAX and _nesting(text) > NESTING_MAX:
        raise Unreadable("The JSON is nested too deeply.")
    try:
        quick: Json = _QUICK.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return _thorough(text)
    return quick


def _thorough(text: str) -> Json:
    """Parse what the quick parser does not take: it says less of what is wrong, and knows no
    numbers beyond a double."""
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"This is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except ValueError:
        # The interpreter refuses integers of thousands of digits.
        raise Unreadable("The JSON has a number that is too long.") from None
    # An escape may name half a surrogate pair, which no UTF-8 and no database can hold.
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Unreadable("The JSON has half of a surrogate pair.") from None
    return value


def _nesting(text: str) -> int:
    """Return how deep a text is nested, which need not be JSON."""
    brackets = _STRING.sub("", text).encode(errors="replace").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", brackets)), default=0)


def _refuse(constant: str) -> NoReturn:
    raise Unreadable(f"{constant} is not valid JSON.")


_QUICK = msgspec.json.Decoder()
"""A tenth of the time. What it takes is JSON as RFC 8259 has it, and read as the other reads it."""

_DECODER = json.JSONDecoder(parse_constant=_refuse)

"""JSON as it travels over sockets: short, characters as they are, nothing that is not JSON.

Has the two functions that python-socketio wants of a JSON module.
"""

import json
from dataclasses import dataclass
from typing import Any

from app import strict_json
from models.errors import Unreadable
from models.events import Json


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A payload that is an array or an object, as its first character says, but cannot be read."""

    kind: type[list[object]] | type[dict[str, object]]
    error: Unreadable


def loads(text: str) -> Json | Undecodable:
    """Read the payload of a packet.

    One that cannot be read is returned as `Undecodable` and not raised, so that what stands before
    it is known, and the packet can be answered.

    Raises:
        ValueError: neither JSON nor the beginning of an array or object; the message says why.
    """
    try:
        return strict_json.parse(text)
    except Unreadable as error:
        kind = _KINDS.get(text[:1])
        if kind is None:
            raise ValueError(error.message) from None
        return Undecodable(kind, error)


_KINDS: dict[str, type[list[object]] | type[dict[str, object]]] = {"[": list, "{": dict}


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# Made once: the encoder makes one for each text, which takes longer than to write a short one.
_make: Any = getattr(json.encoder, "c_make_encoder", None)
_write: Any = _make and _make(
    None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
)


def dumps(value: object, **_: Any) -> str:
    """Write JSON, whatever style is asked for.

    Raises:
        ValueError, TypeError: not a JSON value.
    """
    return _ENCODER.encode(value) if _write is None else "".join(_write(value, 0))

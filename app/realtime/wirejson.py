"""JSON as it travels over sockets: short, characters as they are, nothing that is not JSON.

Has the two functions that python-socketio wants of a JSON module.
"""

import json
from typing import Any

from app import strict_json
from models.errors import Unreadable
from models.events import Json


def loads(text: str | bytes) -> Json:
    """Read JSON.

    Raises:
        ValueError: not JSON; the message says why.
    """
    try:
        return strict_json.parse(text)
    except Unreadable as error:
        raise ValueError(error.message) from None


# Made once: `json.dumps` makes one for each call that does not take the defaults.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dumps(value: object, **_: Any) -> str:
    """Write JSON, whatever style is asked for.

    Raises:
        ValueError, TypeError: not a JSON value.
    """
    return _ENCODER.encode(value)

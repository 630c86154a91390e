"""JSON as it travels over sockets: short, characters as they are, nothing that is not JSON.

Has the two functions that python-socketio wants of a JSON module.
"""

import json
from functools import partial

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


dumps = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
"""Write JSON; a value that is not JSON is a ValueError or TypeError."""

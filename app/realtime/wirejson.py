"""JSON as it travels: short, characters as they are, and nothing that is not JSON."""

import json
from functools import partial
from typing import Any


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def loads(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: not JSON (NaN and Infinity are not), or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


dumps = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
"""Write JSON; a value that is not JSON is a ValueError or TypeError."""

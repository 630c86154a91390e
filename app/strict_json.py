"""Read JSON as RFC 8259 has it: no NaN, no broken Unicode, no crash on what is built to crash."""

import json
from typing import NoReturn

from models.errors import Unreadable
from models.events import Json


def parse(raw: bytes | str) -> Json:
    """Parse one JSON text.

    Raises:
        Unreadable: the message says what is wrong with it.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("The JSON is not valid UTF-8.") from None
    try:
        value: Json = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"This is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise Unreadable("The JSON is nested too deeply.") from None
    except ValueError:
        # The interpreter refuses integers of thousands of digits.
        raise Unreadable("The JSON has a number that is too long.") from None
    # An escape may name half a surrogate pair, which no UTF-8 and no database can hold.
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Unreadable("The JSON has half of a surrogate pair.") from None
    return value


def _refuse(constant: str) -> NoReturn:
    raise Unreadable(f"{constant} is not valid JSON.")

"""What the schemas of several domains check in the same way."""

import unicodedata
from typing import Any

from marshmallow import ValidationError, fields

_LINE_ENDS_AND_CONTROLS = ("Cc", "Zl", "Zp")


def is_text(text: str) -> None:
    """Refuse NUL and halves of surrogate pairs: JSON can spell them, databases and UTF-8 cannot.

    Raises:
        ValidationError: there is one.
    """
    if "\0" in text:
        raise ValidationError("NUL is not text.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("Not valid Unicode text.") from error


def not_blank(text: str) -> None:
    """Refuse what shows nothing.

    Raises:
        ValidationError: it does.
    """
    if not text.strip():
        raise ValidationError("Write something.")


def one_line(text: str) -> None:
    """Refuse line breaks, control characters and blanks alone; emoji sequences pass.

    Raises:
        ValidationError: it is no line of text.
    """
    is_text(text)
    if any(unicodedata.category(character) in _LINE_ENDS_AND_CONTROLS for character in text):
        raise ValidationError("Line breaks and control characters are not allowed.")
    not_blank(text)


class WholeNumber(fields.Integer):
    """A whole number, as JSON or as the text of a query string; neither 1.5 nor true is one."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, (float, bool)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)

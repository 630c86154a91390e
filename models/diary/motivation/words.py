"""The user's words as data: put on one line, quoted, searched, filled into sentences."""

import re
import unicodedata
from collections.abc import Mapping

from models.text import fold

QUOTE_MAX = 80
"""Characters of a challenge that a sentence can carry and still be read as one."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[\w']+")
_JOINERS = "\u200c\u200d"
"""Invisible, and part of how emoji and some scripts are spelled."""

_MIN_CUT = QUOTE_MAX // 2
_ENDS = " .,;:…"
_INNER_QUOTES = str.maketrans(dict.fromkeys('"“”„«»', "'"))
_ACCENTS = str.maketrans(dict.fromkeys("\u00b4`", "'"))
"""What some keyboards write for an apostrophe, besides those that `fold` knows."""

_PLAIN_D = str.maketrans({"đ": "d"})


def on_one_line(text: str) -> str:
    """Fold control characters and breaks into blanks, and drop what is invisible or half."""
    kept = (_folded(character) for character in text)
    return " ".join("".join(kept).split())


def quote(text: str, max_length: int = QUOTE_MAX) -> str:
    """Cut words to be put between quotation marks; empty when nothing is left to quote."""
    line = on_one_line(text).translate(_INNER_QUOTES).rstrip(_ENDS)
    if len(line) <= max_length:
        return line
    end = max_length - 1
    while end > 1 and _continues(line[end], line[end - 1]):
        end -= 1
    blank = line.rfind(" ", 0, end + 1)
    return line[: blank if blank >= _MIN_CUT else end].rstrip(_ENDS) + "…"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in place of `{names}`; what the values themselves contain stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def placeholders(template: str) -> list[str]:
    """Return the names that `fill` would replace, in order."""
    return _PLACEHOLDER.findall(template)


def searchable(text: str) -> str:
    """Write a text as its words in small letters with blanks between and around: " like this "."""
    return f" {' '.join(_WORD.findall(fold(text.translate(_ACCENTS))))} "


def plain(text: str) -> str:
    """Take the marks off letters: how people type on a keyboard without them."""
    parts = unicodedata.normalize("NFD", text.translate(_PLAIN_D))
    return "".join(part for part in parts if not unicodedata.combining(part))


def _folded(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cs":
        return ""
    if category == "Cf":
        # Tags spell flags; all others, such as those that turn the direction of a text, go.
        is_tag = "\U000e0020" <= character <= "\U000e007f"
        return character if is_tag or character in _JOINERS else ""
    return character


def _continues(character: str, before: str) -> bool:
    """Whether a character belongs to the one before it and must not be cut off."""
    category = unicodedata.category(character)
    return (
        category.startswith("M")
        or category == "Cf"
        or character in "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
        or before == "\u200d"
    )

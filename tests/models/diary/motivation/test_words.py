"""The user's words, put into sentences."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diary.motivation.words import QUOTE_MAX, fill, on_one_line, plain, quote, searchable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\n\tc", "a b c"),
        ("a\x00b\x1b[31mc\x7f", "a b [31mc"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("  a  ", "a"),
        ("\u202eevil\u2066 \ufeff\u200bx", "evil x"),
        ("\ud800half", "half"),
        (
            "👩\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e007f",
            "👩\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e007f",
        ),
        ("{challenge} %s $x \\n", "{challenge} %s $x \\n"),
    ],
)
def test_one_line(text, line):
    """Breaks and control characters become blanks; what is invisible goes, emoji stay whole."""
    assert on_one_line(text) == line


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Working on it.", "Working on it"),
        ("Why me?", "Why me?"),
        (".env is broken", ".env is broken"),
        ('they said "no" and “never”', "they said 'no' and 'never'"),
        ("...", ""),
        (" \n ", ""),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 30, " ".join(["word"] * 16)[:79].rstrip() + "…"),
        ("x" * 78 + "e\u0301" * 9, "x" * 78 + "…"),
        ("x" * 77 + "👩\u200d👧" * 9, "x" * 77 + "…"),
        ("x" * 78 + "👍🏽" * 9, "x" * 78 + "…"),
    ],
)
def test_quote(text, quoted):
    """A long challenge is cut between words if it can be, and never inside a character."""
    assert quote(text) == quoted


@given(st.text(max_size=300))
def test_quotes_fit(text):
    """Whatever was written, its quotation is one short line that closes no quotation mark."""
    quoted = quote(text)
    assert len(quoted) <= QUOTE_MAX
    assert quoted == " ".join(quoted.split())
    assert not set(quoted) & set('"“”')
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in quoted)


@given(st.text(alphabet="{}challengeprogress\\%$", max_size=40))
def test_what_is_filled_in_stays_as_it_is(text):
    """Placeholders inside the user's words are words."""
    filled = fill("<{challenge}|{progress}>", {"challenge": text, "progress": "p"})
    assert filled == f"<{text}|p>"


def test_searching():
    """Words are compared in small letters, whatever stands between them."""
    assert searchable("I CAN\u2019T—sleep…well") == " i can't sleep well "
    assert searchable("Ôn thi") == " ôn thi "
    assert searchable("O\u0302n") == " ôn "
    assert plain(" đường dây hỗ trợ ") == " duong day ho tro "

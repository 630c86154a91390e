"""What the schemas of several domains check in the same way."""

import pytest
from marshmallow import ValidationError

from models.fields import WholeNumber, is_text, not_blank, one_line

FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize("text", ["", " ", "a\tb\nc", "é" + FAMILY, "\u200fאב", "x" * 100_000])
def test_text(text):
    """Any characters that a database and UTF-8 can hold are text."""
    is_text(text)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x\udfff"])
def test_no_text(text):
    """NUL and halves of surrogate pairs are in no text, and so in no line."""
    for check in (is_text, one_line):
        with pytest.raises(ValidationError):
            check(text)


@pytest.mark.parametrize("line", ["a", "a b", FAMILY, "\u200fאב", "日本"])
def test_line(line):
    """A line is text that shows something, emoji sequences and marks of direction included."""
    one_line(line)
    not_blank(line)


@pytest.mark.parametrize("text", [f"a{end}b" for end in "\n\r\t\x85\u2028\u2029\x7f"])
def test_no_line(text):
    """Line ends of any kind and control characters do not stand in a line."""
    with pytest.raises(ValidationError, match="Line breaks"):
        one_line(text)


@pytest.mark.parametrize("text", ["", " ", "\u3000\u2003"])
def test_blank(text):
    """Blanks of any script show nothing."""
    for check in (not_blank, one_line):
        with pytest.raises(ValidationError, match="Write something"):
            check(text)


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), ("-7", -7), (0, 0)])
def test_whole_number(value, number):
    """Numbers come as JSON, and as text in query strings."""
    assert WholeNumber().deserialize(value) == number


@pytest.mark.parametrize("value", [1.5, 1.0, "1.5", True, "x", "", [1], {}])
def test_no_whole_number(value):
    """Nothing is cut or guessed."""
    with pytest.raises(ValidationError):
        WholeNumber().deserialize(value)

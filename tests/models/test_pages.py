"""Cursors: what is written is read back, and nothing else is read."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from models.pages import PageQuery, Position

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 10**13).map(lambda ms: EPOCH + timedelta(milliseconds=ms))


@given(MOMENTS, st.text("0123456789abcdef:-", min_size=1, max_size=100))
def test_positions_survive_their_text(moment, item_id):
    """A position is read back from its cursor, which is safe in a URL."""
    position = Position(moment, item_id)
    text = position.to_text()
    assert Position.from_text(text) == position
    assert all(character.isalnum() or character in "-_" for character in text)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_anything_else_is_refused_as_a_value(text):
    """Any text either is a position or raises ValueError, never something else."""
    try:
        position = Position.from_text(text)
    except ValueError:
        return
    assert Position.from_text(position.to_text()) == position


def encoded(plain):
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"after": ""}, "after"),
        ({"after": "!"}, "after"),
        ({"after": "é"}, "after"),
        ({"after": 5}, "after"),
        ({"after": "A" * 5}, "after"),
        ({"after": "A" * 300}, "after"),
        ({"after": encoded("1")}, "after"),
        ({"after": encoded("1:")}, "after"),
        ({"after": encoded(":x")}, "after"),
        ({"after": encoded("-1:x")}, "after"),
        ({"after": encoded("²:x")}, "after"),
        ({"after": encoded("9" * 30 + ":x")}, "after"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": None}, "limit"),
        ({"limit": float("inf")}, "limit"),
    ],
    ids=repr,
)
def test_bad_pages_are_refused_by_field(sent, field):
    """A cursor that was never given out and a limit out of bounds are refused by name."""
    with pytest.raises(ValidationError) as refused:
        PageQuery().load(sent)
    assert list(refused.value.messages_dict) == [field]


def test_defaults_are_the_first_page():
    """Without parameters it is the first page of 20."""
    assert PageQuery().load({}) == {"after": None, "limit": 20}
    assert PageQuery().load({"limit": "100"})["limit"] == 100

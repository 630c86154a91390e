"""Errors are small whatever caused them."""

import json

import pytest

from models.errors import MESSAGE_MAX, PROBLEMS_MAX, Invalid


@pytest.mark.parametrize(
    "fields",
    [
        {str(number): ["Unknown field."] for number in range(95_000)},
        {"x" * 500_000: ["Unknown field."]},
        {"steps": {number: {"title": ["Too short."]} for number in range(190_000)}},
        {"text": ["Wrong."] * 100_000},
        {"text": ["\U0001f389" * 500_000]},
        {"text": "no list" * 100_000},
        {"\ud800": ["\udfff"]},
        {"a": {"b": {"c": {"d": {"e": {"f": ["Deep."]}}}}}},
    ],
    ids=lambda fields: next(iter(fields))[:10],
)
def test_fields_are_cut(fields):
    """At most a handful of problems, names and messages cut, in valid JSON of a few kilobytes."""
    error = Invalid("Some fields are not valid.", fields=fields)
    encoded = json.dumps(error.fields, ensure_ascii=False).encode()
    assert 0 < encoded.count(b"[") <= PROBLEMS_MAX
    assert len(encoded) < 12_000
    assert error.message.startswith("Some fields are not valid.")
    assert len(error.message) <= 80


def test_what_fits_is_kept_as_it_is():
    """Up to the bound nothing is left out, and the shape of nested fields stays."""
    fields = {"steps": {0: {"title": ["a", "b"]}, 3: ["c"]}, "members": ["d"]}
    error = Invalid("m", fields=fields)
    assert error.fields == {"steps": {"0": {"title": ["a", "b"]}, "3": ["c"]}, "members": ["d"]}
    assert error.message == "m"


def test_messages_are_cut():
    """A message that repeats what a client sent does not grow with it."""
    assert len(Invalid("x" * 100_000).message) == MESSAGE_MAX
    assert str(Invalid("a \ud800")) == "a ?"

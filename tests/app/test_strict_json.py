"""JSON from clients."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.strict_json import NESTING_MAX, parse
from models.errors import Unreadable

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_valid(value: object, ascii_only: bool) -> None:
    """Whatever JSON can say is read as it is, from text and from UTF-8."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse(text) == parse(text.encode()) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1} x', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'"\xff"', "not valid UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not valid UTF-8"),
        (b"[NaN]", "NaN is not"),
        (b"[-Infinity]", "-Infinity is not"),
        (b'{"a": "\\ud83c"}', "surrogate"),
        (b'{"\\udf89": 1}', "surrogate"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "number that is too long"),
        (b'{"a":' * (NESTING_MAX + 1) + b"0" + b"}" * (NESTING_MAX + 1), "nested too deeply"),
        (b'{"a":[' * NESTING_MAX, "nested too deeply"),
        (b'["' + b'\\"' * 300_000, "not valid JSON"),
        (b'["' + b'\\"[' * 300_000 + b"\\", "not valid JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_refused(raw: bytes, reason: str) -> None:
    """What is not JSON, or only just, is refused with the reason."""
    with pytest.raises(Unreadable, match=reason):
        parse(raw)


def test_nesting_is_counted_outside_of_texts() -> None:
    """Brackets within texts nest nothing, brackets beside each other only once."""
    text = "[{" * 5000 + '\\"' + "]" * 5000
    assert parse(json.dumps({"text": text, "list": [[]] * 5000})) == {
        "text": text,
        "list": [[]] * 5000,
    }
    deepest = "[" * NESTING_MAX + "]" * NESTING_MAX
    assert json.dumps(parse(deepest)) == deepest


def test_whole_pair() -> None:
    """An escaped surrogate pair is one character."""
    assert parse(b'"\\ud83c\\udf89"') == "🎉"


@given(st.binary(max_size=200))
def test_garbage(raw: bytes) -> None:
    """Any bytes are either JSON or refused, and nothing else happens."""
    try:
        value = parse(raw)
    except Unreadable:
        return
    assert json.loads(raw) == value

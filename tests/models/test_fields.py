"""What the schemas of several domains check in the same way."""

import pytest
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, ValidationError, fields

from models.errors import PROBLEMS_MAX, Invalid
from models.fields import (
    ID_MAX,
    KEYS_MAX,
    MARKS_MAX,
    BoundedList,
    Flag,
    Input,
    Part,
    Scalar,
    Text,
    WholeNumber,
    id_field,
    is_text,
    load,
    not_blank,
    one_line,
)

FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\tb\nc", "é" + FAMILY, "\u200fאב", "x" * 100_000, "e" + "\u0301" * MARKS_MAX],
)
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


@pytest.mark.parametrize("text", ["", " ", "\u3000\u2003", "\u200b", "\u3164\u2800"])
def test_blank(text):
    """Blanks of any script show nothing."""
    for check in (not_blank, one_line):
        with pytest.raises(ValidationError, match="Write something"):
            check(text)


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), ("-7", -7), (0, 0)])
def test_whole_number(value, number):
    """Numbers come as JSON, and as text in query strings."""
    assert WholeNumber().deserialize(value) == number


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1.0,
        "1.5",
        True,
        "x",
        "",
        [1],
        {},
        "1_0",
        " 1",
        "1 ",
        "+1",
        "\uff11",
        "0x1",
        "1e1",
        "-",
        "--1",
    ],
)
def test_no_whole_number(value):
    """Nothing is cut or guessed."""
    with pytest.raises(ValidationError):
        WholeNumber().deserialize(value)


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0f73", "\uff9e\u0301", "\u0344"])
def test_piles_of_marks(marks):
    """What normalisation would sort for seconds is not text, between letters and at the start."""
    for pile in (
        marks * 10_000,
        "e" + marks * (MARKS_MAX + 1),
        "ab" * 100 + marks * (MARKS_MAX + 1),
    ):
        with pytest.raises(ValidationError, match="combining marks"):
            is_text(pile)
    is_text(f"e{marks}" * 1000)


class Counting(Scalar):
    """Counts the values that reach it, and accepts those that are true."""

    def __init__(self, counted):
        super().__init__()
        self._counted = counted

    def _deserialize(self, value, attr, data, **kwargs):
        self._counted.append(value)
        if not value:
            raise ValidationError("Not true.")
        return value


def test_the_length_of_a_list_is_looked_at_first():
    """No element of a list that is too long is validated, and few of one that is full of errors."""
    counted = []
    field = BoundedList(Counting(counted), min_length=1, max_length=100)
    for value in ([0] * 101, [1] * 190_000, [], {"a": 1}, "text", None, 7):
        with pytest.raises(ValidationError):
            field.deserialize(value)
    assert counted == []
    with pytest.raises(ValidationError) as refused:
        field.deserialize([1, *[0] * 99])
    assert len(counted) == 1 + len(refused.value.messages) == 2 + PROBLEMS_MAX
    assert field.deserialize([1] * 100) == [1] * 100


@pytest.mark.parametrize(
    "field",
    [Text(10), id_field(), WholeNumber(), Flag(), Flag(text=True), Counting([])],
    ids=lambda field: type(field).__name__,
)
@pytest.mark.parametrize(
    "value", ["1" * (ID_MAX + 1), "é" * 500_000, [0] * 100_000, {str(n): n for n in range(1000)}]
)
def test_no_field_takes_long_values(field, value):
    """Whatever a field is for, a long value is refused for its length."""
    with pytest.raises(ValidationError, match=r"at most"):
        field.deserialize(value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (Text(10), "x" * 11, "Must have at most 10 characters."),
        (Text(10, min_length=8), "x", "Must have at least 8 characters."),
        (Text(10, min_length=1), "", "Must not be empty."),
        (BoundedList(Text(5), max_length=2), ["a"] * 3, "Must have at most 2 entries."),
    ],
)
def test_a_length_error_names_the_bound_that_was_passed(field, value, message):
    """Of the two bounds of a length the message has the one that does not hold."""
    with pytest.raises(ValidationError) as refused:
        field.deserialize(value)
    assert refused.value.messages == [message]


@pytest.mark.parametrize(("text", "valid"), [(True, [True, "true"]), (False, [True])])
def test_flag(text, valid):
    """Booleans come as JSON, not as the numbers that equal them, and as text in queries only."""
    for value in (True, 1, 0, 1.0, "true", "yes", "1", "", [], {}):
        if any(value == each and type(value) is type(each) for each in valid):
            assert Flag(text=text).deserialize(value) is True
        else:
            with pytest.raises(ValidationError):
                Flag(text=text).deserialize(value)


class Inner(Input):
    """One text."""

    text = Text(10, required=True)


class Outer(Input):
    """A text and a list of objects."""

    name = Text(10)
    inner = Part(Inner)


def test_an_object_has_a_bounded_number_of_fields():
    """An object with too many is refused as a whole, one with some unknown ones by their names."""
    many = {f"unknown {number}": 1 for number in range(95_000)}
    for data in (many, {"inner": many}):
        with pytest.raises(Invalid) as refused:
            load(Outer(), data)
        assert "95000" not in str(refused.value.fields)
        assert len(str(refused.value.fields)) < 200
    with pytest.raises(Invalid) as refused:
        load(Outer(), dict.fromkeys([*many][:KEYS_MAX], 1))
    assert len(refused.value.fields) == PROBLEMS_MAX
    assert "first" in refused.value.message


@pytest.mark.parametrize(
    "field",
    [
        fields.String(),
        fields.Raw(),
        fields.Dict(),
        fields.Integer(),
        fields.List(Text(10)),
        fields.Nested(Inner),
        fields.Nested(Inner, many=True),
        BoundedList(fields.String(), max_length=10),
    ],
    ids=lambda field: type(field).__name__,
)
def test_a_schema_takes_no_field_without_a_bound(field):
    """A field that would look at a value before its size makes its schema unusable."""
    schema = Input.from_dict({"field": field})
    with pytest.raises(TypeError, match="has no bound"):
        schema()


class Everything(Input):
    name = Text(10, required=True)
    count = WholeNumber(load_default=3)
    until = id_field(data_key="to", load_default=None, allow_none=True)
    made = Text(10, load_default=lambda: "made")
    left_out = Text(10)


@pytest.mark.parametrize("unknown", [RAISE, EXCLUDE, INCLUDE])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "x"},
        {"name": "x", "count": 1, "to": "y", "made": "z", "left_out": "w"},
        {"name": "x", "to": None},
        {"name": "x", "until": "not by this name"},
        {"name": None},
        {"name": "x" * 11, "count": "no number", "more": 1},
        {"name": "x", "more": 1},
        [],
        "text",
        None,
    ],
)
def test_fields_are_loaded_as_the_library_loads_them(data, unknown):
    """In one go or by the library: the same values, or the same messages."""

    def outcome(schema):
        try:
            return schema.load(data, unknown=unknown)
        except ValidationError as error:
            return error.messages

    class Slow(Everything):
        _deserialize = Schema._deserialize

    assert outcome(Everything()) == outcome(Slow())

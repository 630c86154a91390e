"""Schemas and fields of everything that clients send.

Sizes come first: an object's number of keys, a list's number of elements and a text's number of
characters are checked before anything is done with them, so that refusing an input costs no more
than accepting one. `Input` takes no field that could skip this.
"""

import re
import unicodedata
from collections.abc import Mapping, Sized
from typing import Any, ClassVar, TypeVar

import marshmallow
from marshmallow import EXCLUDE, ValidationError, fields, missing, validate
from marshmallow.exceptions import SCHEMA

from models.errors import PROBLEMS_MAX, Invalid
from models.text import MAX_EMOJI, has_invisible, is_visible, one_emoji

Loaded = TypeVar("Loaded")

KEYS_MAX = 200
"""Keys of one object: clients' commands have up to ten, a payment provider's events about fifty."""

SCALAR_MAX = 64
"""Characters of a number, date, boolean or id written as text: the longest id has as many."""

ID_MAX = 128
"""Characters of an id that is looked up: those of this server have 64 at most, Firebase's 128."""

MARKS_MAX = 30
"""Combining marks in a row (UAX #15, 13: Stream-Safe Text Format). No script needs more, and the
time that normalisation takes grows with the square of their number."""

_DIGITS = re.compile(r"-?[0-9]+")
_LINE_ENDS_AND_CONTROLS = ("Cc", "Zl", "Zp")
_SIZED = (str, bytes, list, tuple, dict)
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: they reorder what stands around the text (UAX 9)."""


def is_text(text: str) -> None:
    """Check that a database and UTF-8 can hold the text, and that normalising it is cheap.

    Raises:
        ValidationError: it has NUL, half of a surrogate pair, or a pile of combining marks.
    """
    if text.isascii():
        if "\0" in text:
            raise ValidationError("NUL is not text.")
        return
    characters = set(text)
    if "\0" in characters:
        raise ValidationError("NUL is not text.")
    if any("\ud800" <= character <= "\udfff" for character in characters):
        raise ValidationError("Not valid Unicode text.")
    # Some characters are no marks themselves, and are normalised into one.
    marks = {
        character
        for character in characters
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    }
    in_a_row = 0
    for character in text if marks else ():
        in_a_row = in_a_row + 1 if character in marks else 0
        if in_a_row > MARKS_MAX:
            raise ValidationError(f"More than {MARKS_MAX} combining marks in a row.")


def not_blank(text: str) -> None:
    """Check that the text shows something.

    Raises:
        ValidationError: it is empty, or has only blanks and characters that no font shows.
    """
    if not is_visible(text):
        raise ValidationError("Write something.")


def one_line(text: str) -> None:
    """Check that the text is a line: no line breaks or control characters, and not blank.

    Raises:
        ValidationError: it is not a line of text.
    """
    is_text(text)
    if any(unicodedata.category(character) in _LINE_ENDS_AND_CONTROLS for character in set(text)):
        raise ValidationError("Line breaks and control characters are not allowed.")
    not_blank(text)


def person_name(text: str) -> None:
    """Check that the text is a line that does not reorder the text around it.

    Joiners between letters and emoji, and the marks of scripts written from the right, pass.

    Raises:
        ValidationError: it cannot be a name.
    """
    one_line(text)
    if not _DIRECTIONS.isdisjoint(text):
        raise ValidationError("Characters that change the direction of text are not allowed.")


class _Length(validate.Length):
    """A length, with messages that name the one bound that does not hold."""

    def _format_error(self, value: Sized, message: str) -> str:
        if self.error:
            return self.error
        unit = "characters" if isinstance(value, str | bytes) else "entries"
        assert self.max is not None
        if len(value) > self.max:
            return f"Must have at most {self.max} {unit}."
        if self.min == 1:
            return "Must not be empty."
        return f"Must have at least {self.min} {unit}."


class Bounded(fields.Field[Loaded]):
    """A field that checks the size of a value before anything else.

    Subclasses combine it with a field of marshmallow; this class comes first.
    """

    takes: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema of the values that it takes, where marshmallow's field does not say it."""

    def __init__(
        self,
        *args: Any,
        max_length: int,
        min_length: int | None = None,
        length_error: str | None = None,
        **options: Any,
    ) -> None:
        """`length_error` replaces the message for a value that is too short or too long."""
        super().__init__(*args, **options)
        self.length = _Length(min_length, max_length, error=length_error)

    def deserialize(
        self,
        value: Any,
        attr: str | None = None,
        data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Check the size, then load the value."""
        if isinstance(value, _SIZED):
            self.length(value)
        return super().deserialize(value, attr, data, **kwargs)


class Scalar(Bounded[Loaded]):
    """A single short value; the base of fields for ids, numbers, dates and the like."""

    def __init__(self, *args: Any, max_length: int = SCALAR_MAX, **options: Any) -> None:
        super().__init__(*args, max_length=max_length, **options)


class Text(Bounded[str], fields.String):
    """Text of at most `max_length` code points that passes `is_text` and shows something.

    Without a `min_length` it may be empty. Text that shows nothing is refused, unless the field may
    be `blank`: then spaces load as they are, and other text that shows nothing as empty.
    """

    def __init__(self, max_length: int, *, blank: bool = False, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)
        self._blank = blank

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        is_text(text)
        if not text or is_visible(text):
            return text
        if self._blank:
            return text if text.isspace() else ""
        raise ValidationError("Write something.")


class Secret(Bounded[str], fields.String):
    """A password or a token: every character of it counts, and none need show anything."""

    def __init__(self, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        is_text(text)
        return text


class Emoji(Text):
    """Exactly one emoji; loads as its normal form, so that all spellings of it are one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MAX_EMOJI, min_length=1, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        emoji = one_emoji(super()._deserialize(value, attr, data, **kwargs))
        if emoji is None:
            raise ValidationError("Not an emoji.")
        return emoji


class BoundedList(Bounded[list[Any]], fields.List[Any]):
    """A list of at most `max_length` elements.

    Elements after the first few that are not valid are not looked at.
    """

    def __init__(self, inner: Bounded[Any], *, max_length: int, **options: Any) -> None:
        super().__init__(inner, max_length=max_length, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise self.make_error("invalid")
        loaded = []
        problems: dict[int, Any] = {}
        for position, element in enumerate(value):
            try:
                loaded.append(self.inner.deserialize(element, **kwargs))
            except ValidationError as error:
                problems[position] = error.messages
                if len(problems) > PROBLEMS_MAX:
                    break
        if problems:
            raise ValidationError(problems)
        return loaded


class WholeNumber(Scalar[int], fields.Integer):
    """A whole number: JSON, and with `text` the text that query strings have.

    Neither 1.5 nor true is one.
    """

    def __init__(self, *, text: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._refused = (float, bool) if text else (float, bool, str)

    def _validated(self, value: Any) -> int:
        # `int` would take `1_0`, ` 7` and digits of all scripts.
        unlike = isinstance(value, str) and not _DIGITS.fullmatch(value)
        if unlike or isinstance(value, self._refused):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(Scalar[bool], fields.Boolean):
    """A boolean: JSON, and with `text` also `"true"` and `"false"`, as query strings have them."""

    def __init__(self, *, text: bool = False, **options: Any) -> None:
        super().__init__(
            truthy={True, "true"} if text else {True},
            falsy={False, "false"} if text else {False},
            **options,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        # 0 and 1 are equal to false and true, and so in the sets of what is taken.
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Part(Bounded[Any], fields.Nested):
    """An object in a field of another one."""

    def __init__(self, schema: "type[Input]", **options: Any) -> None:
        super().__init__(schema, max_length=KEYS_MAX, **options)


def id_field(**options: Any) -> Text:
    """Return the field of an id that is looked up."""
    return Text(ID_MAX, min_length=1, **options)


def client_id_field() -> Text:
    """Return the field by which a client names what it creates, so that it is made once."""

    def visible(text: str) -> None:
        is_text(text)
        if has_invisible(text):
            raise ValidationError("Visible characters only.")

    return Text(ID_MAX, min_length=1, load_default=None, allow_none=True, validate=visible)


class Input(marshmallow.Schema):
    """Base of the schemas of what clients send: one object, whose fields are `Bounded`."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Refuse fields that look at a value before its size, when a schema is made.

        Raises:
            TypeError: it is one.
        """
        inner = field_obj.inner if isinstance(field_obj, fields.List) else field_obj
        if not isinstance(field_obj, Bounded) or not isinstance(inner, Bounded):
            raise TypeError(f"{type(self).__name__}.{field_name} has no bound: use models.fields")

    def load(
        self, data: Any, *, many: bool | None = None, partial: Any = None, unknown: Any = None
    ) -> Any:
        """Load one object; `many` is ignored.

        Raises:
            ValidationError: some fields are not valid, or there are far too many.
        """
        if isinstance(data, Mapping) and len(data) > KEYS_MAX:
            raise ValidationError({SCHEMA: [f"More than {KEYS_MAX} fields."]})
        return super().load(data, many=False, partial=partial, unknown=unknown)

    _plan: tuple[dict[str, Any], tuple[tuple[str, str, fields.Field[Any]], ...]] | None = None
    """`load_fields`, and for each of them: the key, the name that it is loaded as, and itself."""

    def _deserialize(self, data: Any, **options: Any) -> Any:
        """Load the fields in one go; what is not valid is left to the library, which says why."""
        if type(data) is dict and not options.get("many") and options.get("partial") is None:
            loaded = self._valid(data, ignores_unknown=options.get("unknown") == EXCLUDE)
            if loaded is not None:
                return loaded
        return super()._deserialize(data, **options)

    def _valid(self, data: dict[str, Any], *, ignores_unknown: bool) -> dict[str, Any] | None:
        if self._plan is None or self._plan[0] is not self.load_fields:
            each = self.load_fields.items()
            plan = tuple((one.data_key or name, one.attribute or name, one) for name, one in each)
            self._plan = self.load_fields, plan
        loaded, known = {}, 0
        try:
            for key, name, one in self._plan[1]:
                value = data.get(key, missing)
                if value is not missing:
                    known += 1
                    value = one.deserialize(value, key, data)
                elif one.required:
                    return None
                else:
                    default = one.load_default
                    value = default() if callable(default) else default
                if value is not missing:
                    loaded[name] = value
        except ValidationError:
            return None
        return loaded if known == len(data) or ignores_unknown else None


class NoFields(Input):
    """An object without fields: the route or command says everything."""


def load(schema: Input, data: object) -> dict[str, Any]:
    """Load what a client has sent.

    Raises:
        Invalid: `fields` has the messages by field.
    """
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise invalid(error.messages_dict) from None
    return loaded


def invalid(problems: Mapping[str, Any]) -> Invalid:
    """Return the error for fields that are not valid."""
    return Invalid("Some fields are not valid.", fields=problems)

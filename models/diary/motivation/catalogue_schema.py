"""What a catalogue file must hold. A language is one file in `catalogues/` that this lets through.

A motivation is put together as

    opening (`{challenge}`; or `unnamed` when none was given)
    body: `{when}`, `{step}`, `{why}` in the frame of the language
    progress (`{progress}`), when there is some
    closing

so each `when` of a tone must go with each `step` and `why` of it, of whatever kind. What the tones
are for: `light` stress 1 to 3, playful; `steady` 4 to 6, practical; `calm` 7 and 8, one small step;
`gentle` 9 and 10, where every `when` slows the breath and every closing points to someone to talk
to, near by and on a help line, without naming an illness.

A kind lists the keywords by which it is recognised: words in small letters; `*` at the end for any
ending; `^ ` in front for the beginning of the challenge; `= ` in front where the word must have its
marks, because without them it is another one. A kind without the lighter tones
is answered in the lightest that it has. Openings, reasons and closings of its own replace those of
the tone: what is kind to someone tired may be cruel to someone in danger.
"""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from models.diary.motivation.words import placeholders, searchable

LIGHT, STEADY, CALM, GENTLE = "light", "steady", "calm", "gentle"
TONES = (LIGHT, STEADY, CALM, GENTLE)
"""From the lightest to the gentlest."""

CRISIS, GRIEF, GENERAL = "crisis", "grief", "general"
LOWEST_TONES = {CRISIS: GENTLE, GRIEF: CALM}
"""Of the kinds that no one jokes about; the others have all tones."""

KINDS = (
    CRISIS,
    GRIEF,
    "code",
    "work",
    "study",
    "sport",
    "money",
    "people",
    "rest",
    "starting",
    "waiting",
    GENERAL,
)
"""What a challenge may be about; where two fit equally well, the first."""

BODIES_MIN = 500
"""Different bodies of each kind and tone: more than 50 a day for a week, with room to choose."""

SENTENCE_MAX = 200


def _sentence(*names: str) -> fields.String:
    """A text of one line with exactly these placeholders, each once."""

    def check(text: str) -> None:
        if sorted(placeholders(text)) != sorted(names):
            raise ValidationError(f"Must have the placeholders {list(names)}, each once: {text!r}")
        rest = text
        for name in names:
            rest = rest.replace(f"{{{name}}}", "", 1)
        if "{" in rest or "}" in rest:
            raise ValidationError(f"A brace that is no placeholder: {text!r}")
        if text != text.strip() or not text.isprintable():
            raise ValidationError(f"Not one trimmed line: {text!r}")

    return fields.String(required=True, validate=[validate.Length(2, SENTENCE_MAX), check])


def _fragment(text: str) -> None:
    if text[-1] in ".,;:!?…" or ":" in text:
        raise ValidationError(f"Ends or is divided like a sentence of its own: {text!r}")


def _pieces(least: int, *names: str, fragments: bool = False, required: bool = True) -> Any:
    sentence = _sentence(*names)
    if fragments:
        sentence.validators.append(_fragment)
    return fields.List(sentence, required=required, validate=validate.Length(min=least))


def _keyword(text: str) -> None:
    words = text.removeprefix("^ ").removeprefix("= ").removesuffix("*")
    if searchable(words).strip() != words.replace("-", " "):
        raise ValidationError(f"Not written as keywords are: {text!r}")


class _Progress(Schema):
    """How progress is worded, by what is counted."""

    steps = _sentence("done", "total", "title")
    measured = _sentence("done", "total", "unit", "title")
    plain = _sentence("done", "total", "title")


class _Tone(Schema):
    """The pieces of a tone that go with every kind."""

    openings = _pieces(8, "challenge")
    unnamed = _pieces(5)
    whens = _pieces(8, fragments=True)
    whys = _pieces(8, fragments=True)
    progress = _pieces(3, "progress")
    closings = _pieces(8)


class _KindTone(Schema):
    """The pieces of one kind in one tone."""

    steps = _pieces(6, fragments=True)
    whys = _pieces(2, fragments=True)


class _Kind(Schema):
    keywords = fields.List(fields.String(validate=_keyword), required=True)
    openings = _pieces(6, "challenge", required=False)
    whys = _pieces(8, fragments=True, required=False)
    closings = _pieces(6, required=False)
    tones = fields.Dict(
        keys=fields.String(validate=validate.OneOf(TONES)),
        values=fields.Nested(_KindTone),
        required=True,
    )


class _Crisis(_Kind):
    """Nothing of what is said to others is said here, and the challenge is not repeated."""

    openings = _pieces(6)
    whys = _pieces(8, fragments=True)
    closings = _pieces(6)


_Kinds = Schema.from_dict(
    {name: fields.Nested(_Crisis if name == CRISIS else _Kind, required=True) for name in KINDS},
    name="Kinds",
)


class CatalogueFile(Schema):
    """One language."""

    language = fields.String(required=True, validate=validate.Regexp(r"\A[a-z]{2,3}\Z"))
    decimal_mark = fields.String(required=True, validate=validate.OneOf((".", ",")))
    body = _sentence("when", "step", "why")
    progress = fields.Nested(_Progress, required=True)
    tones = fields.Dict(
        keys=fields.String(validate=validate.OneOf(TONES)),
        values=fields.Nested(_Tone),
        required=True,
        validate=validate.Length(equal=len(TONES)),
    )
    kinds = fields.Nested(_Kinds, required=True)

    @validates_schema
    def _kinds_are_whole(self, data: dict[str, Any], **_: Any) -> None:
        for name, kind in data["kinds"].items():
            wanted = TONES[TONES.index(LOWEST_TONES.get(name, LIGHT)) :]
            if set(kind["tones"]) != set(wanted):
                raise ValidationError(f"{name} must have the tones {list(wanted)}.", "kinds")
            if bool(kind["keywords"]) == (name == GENERAL):
                raise ValidationError(f"{name}: all kinds but general have keywords.", "kinds")
            for tone, own in kind["tones"].items():
                common = data["tones"][tone]
                whys = len(kind.get("whys", common["whys"])) + len(own["whys"])
                if len(common["whens"]) * len(own["steps"]) * whys < BODIES_MIN:
                    raise ValidationError(f"{name}, {tone}: too few bodies.", "kinds")

    @validates_schema
    def _no_piece_twice(self, data: dict[str, Any], **_: Any) -> None:
        seen: set[str] = set()
        groups = [*data["tones"].values()]
        for kind in data["kinds"].values():
            own = {name: kind[name] for name in ("openings", "whys", "closings") if name in kind}
            groups += [own, *kind["tones"].values()]
        for text in (text for group in groups for texts in group.values() for text in texts):
            if searchable(text) in seen:
                raise ValidationError(f"Twice: {text!r}")
            seen.add(searchable(text))

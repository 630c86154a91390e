"""The catalogues, one for each language, and what a challenge is recognised as."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from models.diary.motivation.catalogue_schema import (
    CALM,
    CRISIS,
    GENERAL,
    GENTLE,
    GRIEF,
    KINDS,
    LIGHT,
    STEADY,
    TONES,
    CatalogueFile,
)
from models.diary.motivation.port import Progress
from models.diary.motivation.words import fill, on_one_line, plain, quote, searchable

DEFAULT_LANGUAGE = "en"
PROGRESS_TITLE_MAX = 60
UNIT_MAX = 20
STEPS = "steps"
"""The unit of goals that are made of steps."""

_TONES_BY_STRESS = ((3, LIGHT), (6, STEADY), (8, CALM), (10, GENTLE))
_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, or a part of one."""

    id: str
    """Of the text itself, so that a catalogue may be put in another order."""

    text: str


@dataclass(frozen=True, slots=True)
class Pool:
    """All pieces from which a motivation of one kind and tone may be made."""

    openings: tuple[Piece, ...]
    whens: tuple[Piece, ...]
    steps: tuple[Piece, ...]
    whys: tuple[Piece, ...]
    progress: tuple[Piece, ...]
    closings: tuple[Piece, ...]


class Catalogue:
    """One language; `content` as `CatalogueFile` loads it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.language: str = content["language"]
        self.body: str = content["body"]
        self._decimal_mark: str = content["decimal_mark"]
        self._progress: Mapping[str, str] = content["progress"]
        self._tones = content["tones"]
        self._kinds = content["kinds"]
        self._keywords = {
            name: tuple(_Keyword(text) for text in kind["keywords"])
            for name, kind in self._kinds.items()
        }

    def pool(self, kind: str, stress_level: int, *, named: bool) -> Pool:
        """Return what fits; `named`: whether there is a challenge to quote."""
        own = self._kinds[kind]
        tone = self.tone(kind, stress_level)
        common = self._tones[tone]
        openings = own.get("openings", common["openings" if named else "unnamed"])
        return Pool(
            openings=_pieces(openings),
            whens=_pieces(common["whens"]),
            steps=_pieces(own["tones"][tone]["steps"]),
            whys=_pieces(own["tones"][tone]["whys"] + own.get("whys", common["whys"])),
            progress=_pieces(common["progress"]),
            closings=_pieces(own.get("closings", common["closings"])),
        )

    def tone(self, kind: str, stress_level: int) -> str:
        """Return the tone for a stress level, or the lightest that the kind has."""
        asked = next(tone for highest, tone in _TONES_BY_STRESS if stress_level <= highest)
        there = self._kinds[kind]["tones"]
        return next(tone for tone in TONES[TONES.index(asked) :] if tone in there)

    def progress_line(self, progress: Progress) -> str:
        """Describe progress in a few words, without a full stop."""
        unit = quote(progress.unit, UNIT_MAX)
        form = "plain" if not unit else "steps" if unit == STEPS else "measured"
        values = {
            "done": self._number(progress.done),
            "total": self._number(progress.total),
            "unit": unit,
            "title": quote(progress.title, PROGRESS_TITLE_MAX),
        }
        return fill(self._progress[form], values)

    def recognise(self, challenge: str) -> str | None:
        """Return the kind whose keywords fit best, if any does.

        What no one jokes about comes before all else; of the others the one with most letters in
        its keywords that are found.
        """
        text = f" ^{searchable(challenge)}"
        unmarked = challenge.isascii()
        weights = {
            kind: sum(keyword.weight for keyword in keywords if keyword.within(text, unmarked))
            for kind, keywords in self._keywords.items()
        }
        for kind in (CRISIS, GRIEF):
            if weights[kind]:
                return kind
        best = max(KINDS, key=weights.__getitem__)
        return best if weights[best] else None

    def _number(self, value: int | float) -> str:
        return f"{value:.3f}".rstrip("0").rstrip(".").replace(".", self._decimal_mark)


class Catalogues:
    """All languages."""

    def __init__(self, catalogues: Iterable[Catalogue]) -> None:
        self._by_language = {catalogue.language: catalogue for catalogue in catalogues}

    def of(self, language: str) -> Catalogue:
        """Return the catalogue of a language tag such as "en" or "vi-VN", or the English one."""
        primary = language.replace("_", "-").partition("-")[0].lower()
        return self._by_language.get(primary) or self._by_language[DEFAULT_LANGUAGE]

    @property
    def languages(self) -> list[str]:
        """The languages that have a catalogue."""
        return sorted(self._by_language)

    def recognise(self, challenge: str, language: str) -> str:
        """Return the kind of a challenge, written in the language of the account or in another."""
        own = self.of(language)
        found = [one.recognise(challenge) for one in (own, *self._by_language.values())]
        if CRISIS in found:
            return CRISIS
        return next((kind for kind in found if kind), GENERAL)


@cache
def load_catalogues() -> Catalogues:
    """Read all files of `catalogues/`, from a checkout or where this is installed.

    Raises:
        marshmallow.ValidationError: a file is not as `CatalogueFile` wants it.
    """
    folder = files("models.diary.motivation") / "catalogues"
    schema = CatalogueFile()
    return Catalogues(
        Catalogue(schema.load(json.loads(file.read_text(encoding="utf-8"))))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".json")
    )


class _Keyword:
    """A word or a few, as `catalogue_schema` says."""

    __slots__ = ("_plain", "_text", "weight")

    def __init__(self, written: str) -> None:
        start = " ^ " if written.startswith("^ ") else " "
        words = searchable(written.lstrip("^= ").removesuffix("*")).strip()
        end = "" if written.endswith("*") else " "
        self.weight = len(words)
        self._text = f"{start}{words}{end}"
        # Single syllables without their marks are other words, in this language or in another.
        exact = written.startswith("= ") or " " not in words
        self._plain = self._text if exact else plain(self._text)

    def within(self, text: str, unmarked: bool) -> bool:
        return self._text in text or (unmarked and self._plain in text)


@cache
def _piece(text: str) -> Piece:
    return Piece(hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH], text)


def _pieces(texts: Iterable[str]) -> tuple[Piece, ...]:
    return tuple(_piece(on_one_line(text)) for text in texts)

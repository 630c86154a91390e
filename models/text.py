"""Text rules: when two texts are the same, what shows nothing, what is one emoji.

Texts are stored as they were typed, but tags, which are stored in the form that is compared. Case,
Unicode normal forms, compatibility characters (`ﬁ`, full width), typographic apostrophes and
hyphens, and characters that no font shows make no difference between texts; accents do, everywhere:
`Hanoi` does not find `Hà Nội`, `HÀ NỘI` and its decomposed spelling do.

Patterns are sets of characters one after the other, without repetition within repetition, so that
matching takes linear time.
"""

import unicodedata
from functools import cache

import regex
from emoji import EMOJI_DATA, STATUS

MAX_EMOJI = 16
"""Code points of one emoji as it is sent: the longest sequences (families with skin tones, a kiss)
have 10, and clients may add variation selectors."""

_SHOWS_NOTHING = (
    r"\p{White_Space}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800\U0001D159"
)
"""Blanks, controls, halves of surrogate pairs, and what Unicode calls ignorable: zero-width
characters, fillers, variation selectors, tags. Braille pattern blank and the null notehead are
symbols by their category, and empty in every font."""

# A combining mark shows something on a letter; there is nothing to see of a mark by itself.
_VISIBLE = regex.compile(rf"[^{_SHOWS_NOTHING}\p{{M}}]")
_INVISIBLE = regex.compile(rf"[{_SHOWS_NOTHING}]")
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
_SPELLINGS = str.maketrans(
    dict.fromkeys("\u2018\u2019\u02bc", "'") | dict.fromkeys("\u2010\u2011", "-")
)
"""What phones' keyboards write for the apostrophe and the hyphen of ASCII."""

# Letters, digits and marks of all scripts, joiners within words (UAX 31, 2.3), and what stands
# within names and addresses: no blanks, so that a handle ends where the next word begins.
_IN_HANDLES = r"\w\p{M}\u200c\u200d'\u2018\u2019\u02bc.\u00b7\u30fb\u2010\u2011@+-"
_MENTION = regex.compile(rf"(?<![\w\p{{M}}@.+-])@((?!\p{{M}})[\w+][{_IN_HANDLES}]*)")
_NOT_IN_HANDLES = regex.compile(rf"[^{_IN_HANDLES}]+")
_AROUND_HANDLES = "'.\u00b7\u30fb@-"
"""What ends a sentence, or opens a quotation, rather than being part of a name."""

MAX_HANDLE = 254
"""Characters: those of the longest e-mail address."""

_SELECTOR = "\ufe0f"
"""Asks for the coloured form of a character (UTS 51)."""

# Reserved for emoji of later versions of Unicode than that of the tables.
_YOUNG_EMOJI = regex.compile(r"(?V1)[\p{Extended_Pictographic}&&\p{Cn}]\p{Emoji_Modifier}?")


def is_visible(text: str) -> bool:
    """Return whether the text shows anything: a letter, a digit, a sign, a symbol, an emoji."""
    return _VISIBLE.search(text) is not None


def has_invisible(text: str) -> bool:
    """Return whether the text has blanks, controls, or characters that no font shows."""
    return _INVISIBLE.search(text) is not None


def compose(text: str) -> str:
    """Return the text with letters and their marks as one character where there is one (NFC)."""
    return unicodedata.normalize("NFC", text)


def caseless(text: str) -> str:
    """Return the form that is equal whatever the case, normal form and width of characters.

    E-mail addresses are compared and stored so: a change of it needs a step in `models.migrations`.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    # A character may fold to what composes with the one before it.
    return unicodedata.normalize("NFKC", folded)


def fold(text: str) -> str:
    """Return the form in which texts are compared and looked for in others: see the module.

    It is NFKC_Casefold (Unicode Standard, section 3.13) with one apostrophe and one hyphen. Stored
    handles, and what `found_by` returns, are folded so: a change of it needs a step in
    `models.migrations`.
    """
    if text.isascii():
        return text.lower()
    return caseless(_IGNORABLE.sub("", text)).translate(_SPELLINGS)


FOUND_BY_GROWTH = 2
"""How much longer than a text the form may be that it is found by. U+FDFA alone folds to 18
characters: a text of such would make a search read, and the database keep, as many times more."""

FOUND_BY_MIN = 200
"""Characters that are kept of a short text's form in any case: of a name, or a few words."""


def found_by(text: str) -> str:
    """Return what searches find a text by, to be stored next to it: `fold`, of bounded length.

    Messages, products and diary entries have it: a change needs a step in `models.migrations`.
    """
    return fold(text)[: max(FOUND_BY_GROWTH * len(text), FOUND_BY_MIN)]


def label(text: str) -> str:
    """Return the one form of a short text that is stored to be compared: a tag.

    Composed, in lower case, with single blanks; it is also shown.
    """
    return " ".join(compose(text).lower().split())


def as_handle(text: str) -> str:
    """Return how a name, an address or an id is compared with what follows an `@`.

    Folded, without blanks and what cannot stand in a handle: `Mary O'Brien` is `maryo'brien`.
    """
    return _NOT_IN_HANDLES.sub("", fold(text)).strip(_AROUND_HANDLES)


def handles_in(content: str) -> list[tuple[str, ...]]:
    """Return what follows each `@`, each once, with what it may mean, the likeliest first.

    `@ann, ask @bob@example.com.` has two. `@Ann's` is `ann's`, and else `ann`.
    """
    calls: dict[tuple[str, ...], None] = {}
    for written in _MENTION.findall(content):
        handle = as_handle(written)
        owner = handle.rpartition("'")[0].rstrip(_AROUND_HANDLES)
        if handle and len(handle) <= MAX_HANDLE:
            calls[(handle, owner) if owner else (handle,)] = None
    return [*calls]


def one_emoji(text: str) -> str | None:
    """Return the normal form of a text that is exactly one emoji, None for any other text.

    An emoji is what Unicode recommends for interchange (UTS 51: RGI emoji), with or without
    variation selectors: a flag, a keycap, a family and a hand with its skin tone are one each. The
    normal form is the fully qualified one.
    """
    if len(text) > MAX_EMOJI:
        return None
    bare = text.replace(_SELECTOR, "")
    return _emoji().get(bare) or (bare if _YOUNG_EMOJI.fullmatch(bare) else None)


@cache
def _emoji() -> dict[str, str]:
    """Return all emoji by their code points without variation selectors."""
    qualified = STATUS["fully_qualified"]
    return {
        sequence.replace(_SELECTOR, ""): sequence
        for sequence, about in EMOJI_DATA.items()
        if about["status"] == qualified
    }

"""When texts are the same, what shows nothing, what is one emoji."""

import time
import unicodedata

import pytest

from models.text import (
    as_handle,
    fold,
    found_by,
    handles_in,
    has_invisible,
    is_visible,
    label,
    one_emoji,
)

INVISIBLE = [
    *("\u200b", "\u2800", "\u3164", "\u2060", "\u00ad", "\ufeff", "\u034f", "\u115f", "\u180e"),
    *("\ufe0f", "\U000e0100", "\U000e0041", "\u202e", "\u200d", "\u200e", "\uffa0", "\u17b5"),
    *("\U0001d173", "\U0001d159", "\ufff9", "\u00a0", "\u3000", "\t\n", "\u0301", "\u20e3"),
]
"""Characters that show nothing by themselves."""


@pytest.mark.parametrize("text", ["", *INVISIBLE, "".join(INVISIBLE)], ids=ascii)
def test_nothing_to_see(text):
    """Blanks, zero-width characters, fillers, selectors, tags and marks by themselves show
    nothing."""
    assert not is_visible(text)
    assert is_visible(f"{text}x")


@pytest.mark.parametrize(
    "text", ["x", "1", ".", "-", "€", "👍", "नी", "🇻🇳", "1️⃣", "日", "\ue000", "\U0001faff"]
)
def test_something_to_see(text):
    """Letters, digits, signs, symbols and emoji are seen, in every script."""
    assert is_visible(text)


def test_what_an_address_hides():
    """A text can have invisible characters between visible ones."""
    assert has_invisible("a\u200bb")
    assert has_invisible("a b")
    assert not has_invisible("ann@example.com")


HANOI = "Hà Nội"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HANOI, unicodedata.normalize("NFD", HANOI)),
        (HANOI, "HÀ NỘI"),
        ("straße", "STRASSE"),
        ("Ⅷ ﬁn", "viii FIN"),
        ("\uff21\uff22\uff23", "abc"),
        ("O\u2019Brien", "o'brien"),
        ("Jean\u2011Luc", "jean-luc"),
        ("so\u00adft\u200b", "soft"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("가", unicodedata.normalize("NFD", "가")),
        ("ᾳ", unicodedata.normalize("NFD", "ᾼ")),
    ],
)
def test_spellings_are_equal(one, other):
    """Case, normal form, width, ligatures, apostrophes and what is invisible make no difference."""
    assert fold(one) == fold(other)
    assert fold(fold(one)) == fold(one)


def test_accents_make_a_difference_everywhere():
    """Ha Noi is not Hà Nội, in no comparison."""
    for same in (fold, as_handle, label):
        assert same("Ha Noi") != same(HANOI)


@pytest.mark.parametrize(
    ("content", "handles"),
    [
        ("@ann, ask @bob@example.com.", [("ann",), ("bob@example.com",)]),
        ("@नमस्ते!", [("नमस्ते",)]),
        (unicodedata.normalize("NFD", "@Hà"), [("hà",)]),
        ("(@O'Brien)", [("o'brien", "o")]),
        ("@O\u2019Brien\u2019s", [("o'brien's", "o'brien")]),
        ("“\u2018@Ann\u2019”", [("ann",)]),
        ("@Jean-Luc — @+84912345678", [("jean-luc",), ("+84912345678",)]),
        ("@محمد‌علی", [("محمدعلی",)]),
        ("@Dr.Ann...", [("dr.ann",)]),
        ("ann@example.com @@ @ @- @' @\u0301x", []),
        ("@ann @ANN @Ann", [("ann",)]),
        (f"@{'a' * 300}", []),
    ],
)
def test_handles(content, handles):
    """What follows an `@` is a handle in every script, with its marks and without punctuation."""
    assert handles_in(content) == handles


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Mary O'Brien", "@MaryO\u2019Brien"),
        ("नमस्ते", "@नमस्ते"),
        (HANOI, unicodedata.normalize("NFD", "@HàNội")),
        ("John Jr.", "@johnjr."),
        ("Ann 🌸", "@Ann🌸 hi"),
        ("Gal·la", "@gal·la"),
        ("Smith (work)", "@SmithWork"),
    ],
)
def test_names_can_be_called(name, written):
    """A name is called by writing it without its blanks."""
    assert as_handle(name) in handles_in(written)[0]


FAMILY = "👨‍👩‍👧‍👦"
ONE = {
    "👍": "👍",
    "👍\ufe0f": "👍",
    "❤": "❤️",
    "❤️": "❤️",
    "1\u20e3": "1️⃣",
    "#️⃣": "#️⃣",
    "🇻🇳": "🇻🇳",
    "👍🏽": "👍🏽",
    "☝️🏽": "☝🏽",
    "👁‍🗨": "👁️‍🗨️",
    FAMILY: FAMILY,
    "🧑🏻‍❤️‍💋‍🧑🏿": "🧑🏻‍❤️‍💋‍🧑🏿",
    "🏴󠁧󠁢󠁷󠁬󠁳󠁿": "🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "🏃‍♀‍➡": "🏃‍♀️‍➡️",
    "\u2139": "\u2139\ufe0f",
    "\U0001faff": "\U0001faff",
}


@pytest.mark.parametrize(("sent", "kept"), ONE.items(), ids=ascii)
def test_one_emoji_has_one_form(sent, kept):
    """Selectors, skin tones, flags, keycaps and families: each is one emoji in one form."""
    assert one_emoji(sent) == kept == one_emoji(kept)


@pytest.mark.parametrize(
    "text",
    [
        *("👍" * 10, "👍👎", "👍‍👎", f"{FAMILY}👍", "👍 ", "👍\u200d", "🇻", "🇻🇻", "🇻🇳🇻🇳"),
        *("\u0301", "\u20e3", "\ufe0f", "\u200d", "€", "1", "#", "a", "é", "★", "→", "❤\ufe0e"),
        *("", "🏽", "👍\u0301", ":)", "<b>", "\ue000", "👍" + "\ufe0f" * 16),
    ],
    ids=ascii,
)
def test_not_one_emoji(text):
    """Several emoji, parts of one, marks, signs, digits and words are no emoji."""
    assert one_emoji(text) is None


def test_what_a_text_is_found_by_is_bounded():
    """Signs that stand for phrases do not make what is stored many times as long."""
    assert fold("\ufdfa") == found_by("\ufdfa")
    assert len(fold("\ufdfa")) == 18
    assert len(found_by("\ufdfa" * 10_000)) == 20_000
    assert found_by("Straße " * 1_000) == "strasse " * 1_000
    assert found_by("ß" * 1_000) == "ss" * 1_000


def test_the_longest_texts_take_no_time():
    """Twice the text takes about twice the time, whatever it is made of."""
    for piece in ("@", "@a'", "\u200b", "a\u0301", "ộ", "'", "@\u0301"):
        for rule in (handles_in, fold, is_visible, as_handle):
            began = time.process_time()
            rule(piece * 50_000)
            assert time.process_time() - began < 2, (piece, rule)

"""Composition: what a reader sees, and does not see again."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.diary.motivation.catalogue import load_catalogues
from models.diary.motivation.catalogue_schema import BODIES_MIN
from models.diary.motivation.composing import Request, complete, compose, text_id
from models.diary.motivation.port import Progress
from models.diary.motivation.recent import NEVER, SHOWN_MAX, Recent

A_DAY = 50
DAYS = 7
RUN = Progress(3, 5, "steps", "Run 10 km")
FEATURE = "Working on a difficult feature"


def request_for(challenge, level=5, language="en", progress=None):
    catalogues = load_catalogues()
    kind = catalogues.recognise(challenge, language)
    return Request(catalogues.of(language), kind, challenge, level, progress)


def body_of(request, written):
    """Return the sentence between opening and closing."""
    pool = request.pool
    texts = {piece.id: piece.text for piece in (*pool.whens, *pool.steps, *pool.whys)}
    [body] = [piece for piece in written.pieces if "." in piece]
    when, step, why = (texts[part] for part in body.split("."))
    sentence = request.catalogue.body.format(when=when, step=step, why=why)
    assert sentence in written.text
    return sentence, step


@pytest.mark.parametrize(
    ("language", "kind", "level"), [("en", "code", 5), ("vi", "study", 7), ("en", "crisis", 10)]
)
def test_a_week_of_asking(language, kind, level):
    """Fifty times a day for a week, about the same thing: no text and no body comes twice."""
    # What these three show holds for the others, which have as many bodies.
    assert A_DAY * DAYS < SHOWN_MAX < BODIES_MIN
    catalogue = load_catalogues().of(language)
    request = Request(catalogue, kind, FEATURE, level, None)
    recent = Recent("1")
    texts, bodies = set(), set()
    for _ in range(A_DAY * DAYS):
        written = compose(request, recent)
        texts.add(written.text)
        bodies.add(body_of(request, written)[0])
        recent = recent.with_shown(written.pieces)
    assert len(texts) == len(bodies) == A_DAY * DAYS


def test_pieces_take_turns():
    """No step, opening or closing comes again before all others of its pool have come."""
    request = request_for(FEATURE)
    pool = request.pool
    recent = Recent("1")
    shown = []
    for _ in range(60):
        written = compose(request, recent)
        recent = recent.with_shown(written.pieces)
        shown.append((written.pieces[0], body_of(request, written)[1], written.pieces[-1]))
    for column, size in ((0, len(pool.openings)), (1, len(pool.steps)), (2, len(pool.closings))):
        values = [row[column] for row in shown]
        assert all(
            len(set(values[start : start + size])) == size for start in range(len(values) - size)
        )


def test_when_all_was_seen_the_oldest_comes_again():
    """With fewer bodies than the memory holds, the one seen least recently is taken."""
    request = request_for(FEATURE)

    class Small:
        """The pool, cut to two bodies."""

        def pool(self, *args, **named):
            whole = request.catalogue.pool(*args, **named)
            return replace(whole, whens=whole.whens[:1], steps=whole.steps[:2], whys=whole.whys[:1])

        body = request.catalogue.body

    small = replace(request, catalogue=Small())
    recent = Recent("1")
    bodies = []
    for _ in range(6):
        written = compose(small, recent)
        recent = recent.with_shown(written.pieces)
        bodies.append(written.pieces[1])
    assert bodies == bodies[:2] * 3
    assert bodies[0] != bodies[1]


def test_it_is_determined():
    """The same request and history give the same text; another user meets another order."""
    request = request_for(FEATURE)
    assert compose(request, Recent("1")) == compose(request, Recent("1"))
    firsts = {compose(request, Recent(str(account))).text for account in range(40)}
    assert len(firsts) > 30


def test_the_memory_is_bounded():
    """Of the oldest nothing is known any more."""
    recent = Recent("1")
    for number in range(SHOWN_MAX + 1):
        recent = recent.with_shown([f"piece{number}"])
    assert len(recent.shown) == SHOWN_MAX
    assert recent.revision == SHOWN_MAX + 1
    assert recent.seen("piece0") == NEVER
    assert recent.seen("piece1") == 0
    assert recent.seen(f"piece{SHOWN_MAX}") == SHOWN_MAX - 1


@pytest.mark.parametrize("level", range(1, 11))
def test_the_challenge_is_taken_up(level):
    """At every level the text quotes what the user wrote, and its step is of its kind."""
    request = request_for(FEATURE, level)
    written = compose(request, Recent("1"))
    assert f"“{FEATURE}”" in written.text
    steps = [piece.text for piece in request.catalogue.pool("code", level, named=True).steps]
    assert body_of(request, written)[1] in steps


def test_no_challenge():
    """Without a challenge nothing is quoted, neither at once nor in a frame left empty."""
    for challenge in ("", "…"):
        for level in range(1, 11):
            assert "“”" not in compose(request_for(challenge, level), Recent("1")).text
            assert "{" not in compose(request_for(challenge, level), Recent("1")).text


def test_danger_is_not_repeated():
    """Who speaks of suicide is not quoted and not told of goals, at whatever level."""
    for level in range(1, 11):
        text = compose(request_for("I want to kill myself", level, progress=RUN), Recent("1")).text
        assert "kill" not in text
        assert "Run 10 km" not in text
        assert "line" in text


@pytest.mark.parametrize("level", [1, 5, 8, 10])
def test_progress_is_told(level):
    """Every text has the progress, in these words."""
    written = compose(request_for(FEATURE, level, progress=RUN), Recent("1"))
    assert "3 of 5 steps of 'Run 10 km' done" in written.text
    vietnamese = compose(request_for(FEATURE, level, "vi", RUN), Recent("1"))
    assert "đã xong 3/5 bước của 'Run 10 km'" in vietnamese.text


@pytest.mark.parametrize(
    "progress",
    [None, Progress(0, 5, "steps", "Run"), Progress(0.0, 5.0, "km", "Run"), Progress(1, 5, "", "")],
)
def test_no_progress(progress):
    """Nothing done is nothing to tell."""
    assert compose(request_for(FEATURE, progress=progress), Recent("1")) == compose(
        request_for(FEATURE), Recent("1")
    )


@settings(max_examples=60)
@given(
    st.text(max_size=120) | st.text(alphabet="{}challengewhen steps", max_size=60),
    st.integers(1, 10),
    st.sampled_from(["en", "vi"]),
)
def test_any_words(challenge, level, language):
    """Whatever is written, the text is one line and holds the words as they are, or none."""
    request = request_for(challenge, level, language)
    text = compose(request, Recent("1")).text
    assert text.isprintable() or any(not character.isprintable() for character in challenge)
    assert "\n" not in text
    assert all(frame not in text for frame in ("{when}", "{step}", "{why}", "{progress}")) or (
        "{" in challenge
    )


def test_a_generated_text_is_completed():
    """Progress and, in the gentle tone, where help is, come from the catalogue."""
    request = request_for(FEATURE, 10, progress=RUN)
    light = complete(request, "Breathe.", Recent("1"), gentle=False)
    assert light.text.startswith("Breathe. ")
    assert light.text.endswith("3 of 5 steps of 'Run 10 km' done.")
    gentle = complete(request, "Breathe.", Recent("1"), gentle=True)
    assert gentle.text.startswith(light.text)
    assert "help line" in gentle.text
    assert text_id("Breathe. ") == text_id("breathe.") == gentle.pieces[0]

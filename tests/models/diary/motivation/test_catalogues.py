"""The catalogues: every file in `catalogues/`, so that adding a language is adding a file."""

import dataclasses
import json
from configparser import ConfigParser
from itertools import product
from pathlib import Path

import pytest
from marshmallow import ValidationError

import models.diary.motivation
from models.diary.motivation.catalogue import Catalogue, load_catalogues
from models.diary.motivation.catalogue_schema import (
    CALM,
    CRISIS,
    GENERAL,
    GENTLE,
    GRIEF,
    KINDS,
    LIGHT,
    STEADY,
    CatalogueFile,
)
from models.diary.motivation.port import Progress
from models.diary.motivation.words import fill, searchable

FILES = sorted((Path(models.diary.motivation.__file__).parent / "catalogues").iterdir())
ROOT = Path(__file__).parents[4]
LEVELS = range(1, 11)
TEXT_MAX = 900
"""Characters of the longest motivation: a phone shows it without scrolling for long."""

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def content_of(file):
    return json.loads(file.read_text(encoding="utf-8"))


def catalogue_of(file):
    return Catalogue(CatalogueFile().load(content_of(file)))


def groups_of(pool):
    return [getattr(pool, field.name) for field in dataclasses.fields(pool)]


def test_languages_are_the_files():
    """Each file is one language under its name; English and Vietnamese are there."""
    assert load_catalogues().languages == [file.stem for file in FILES]
    assert {"en", "vi"} <= {content_of(file)["language"] for file in FILES}


@every_file
def test_it_is_installed(file):
    """A catalogue goes into the wheel with the package."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = config["options.package_data"]["models.diary.motivation"].split()
    assert any(file.match(pattern) for pattern in patterns)


@every_file
def test_the_schema(file):
    """A file has all kinds and tones, enough pieces, right placeholders, and nothing twice."""
    assert CatalogueFile().validate(content_of(file)) == {}


@every_file
def test_pieces_have_different_ids(file):
    """No two pieces are taken for each other, nor kinds' for another kind's."""
    catalogue = catalogue_of(file)
    pieces = {
        piece
        for kind, level, named in product(KINDS, LEVELS, (True, False))
        for group in groups_of(catalogue.pool(kind, level, named=named))
        for piece in group
    }
    assert len({piece.id for piece in pieces}) == len(pieces) > 500


@every_file
def test_the_longest_text(file):
    """The longest of everything together is still a message."""
    catalogue = catalogue_of(file)

    def longest(pieces):
        return max(len(piece.text) for piece in pieces)

    for kind, level in product(KINDS, LEVELS):
        pool = catalogue.pool(kind, level, named=True)
        assert sum(map(longest, groups_of(pool))) + 80 + 60 + 40 <= TEXT_MAX


@every_file
def test_every_keyword_is_recognised(file):
    """A challenge of nothing but a keyword is of the keyword's kind, or of one in front of it."""
    catalogue = catalogue_of(file)
    for kind, part in content_of(file)["kinds"].items():
        for keyword in part["keywords"]:
            words = keyword.lstrip("^= ").removesuffix("*")
            found = catalogue.recognise(words.upper())
            assert found == kind or KINDS.index(found) < KINDS.index(kind), (kind, keyword, found)


@every_file
def test_gentle_closings_name_help(file):
    """From 9 on every closing is of those that name people and help lines, and no other is."""
    content = content_of(file)
    help_line = {"en": ("help line",), "vi": ("đường dây hỗ trợ",)}.get(content["language"])
    if help_line is None:
        pytest.skip("this test does not know the language's word for a help line")
    catalogue = catalogue_of(file)
    crisis_words = (*help_line, "crisis line", "findahelpline.com")
    for kind, level in product(KINDS, LEVELS):
        closings = catalogue.pool(kind, level, named=True).closings
        named = [any(word in piece.text.lower() for word in crisis_words) for piece in closings]
        assert all(named) if level >= 9 or kind == CRISIS else not any(named)


def broken(change):
    """Return the English file with something changed."""
    content = content_of(next(file for file in FILES if file.stem == "en"))
    change(content)
    return content


def gentle(content):
    return content["tones"]["gentle"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(language="English"),
        lambda content: content.update(extra=1),
        lambda content: content.update(body="{when}, {step}."),
        lambda content: content.update(body="{when}, {step}: {why} {why}."),
        lambda content: content["progress"].update(steps="{done} of {total} of '{name}'"),
        lambda content: content["tones"].pop("calm"),
        lambda content: content["tones"].update(wild=gentle(content)),
        lambda content: gentle(content)["openings"].append("No challenge."),
        lambda content: gentle(content)["closings"].append("Breathe, {challenge}."),
        lambda content: gentle(content)["closings"].append("A brace { alone."),
        lambda content: gentle(content)["closings"].append("Two\nlines."),
        lambda content: gentle(content)["closings"].append(gentle(content)["closings"][0].upper()),
        lambda content: gentle(content)["whens"].append("With a full stop."),
        lambda content: gentle(content)["whens"].__delitem__(slice(7, None)),
        lambda content: content["kinds"].pop("work"),
        lambda content: content["kinds"]["work"]["tones"].pop("light"),
        lambda content: content["kinds"]["grief"]["tones"].update(
            light=content["kinds"]["work"]["tones"]["light"]
        ),
        lambda content: content["kinds"]["work"]["keywords"].clear(),
        lambda content: content["kinds"]["work"]["keywords"].append("Work"),
        lambda content: content["kinds"]["general"]["keywords"].append("anything"),
        lambda content: content["kinds"]["crisis"].pop("closings"),
        lambda content: content["kinds"]["crisis"]["openings"].append("“{challenge}”, you said."),
        lambda content: content["kinds"]["work"]["tones"]["calm"]["steps"].append(
            content["kinds"]["code"]["tones"]["calm"]["steps"][0]
        ),
    ],
)
def test_what_the_schema_refuses(change):
    """A file that would make a broken sentence, or a tactless one, does not load."""
    with pytest.raises(ValidationError):
        CatalogueFile().load(broken(change))


@pytest.mark.parametrize(
    ("challenge", "kind"),
    [
        ("Working on a difficult feature", "code"),
        ("Working on API documentation", "code"),
        ("Working on integration", "code"),
        ("My boss wants the report by Friday", "work"),
        ("EXAM tomorrow!!!", "study"),
        ("Going to the gym again", "sport"),
        ("I can\u2019t pay my debts", "money"),
        ("An argument with my sister", "people"),
        ("I can't sleep, so tired", "rest"),
        ("I keep putting off everything", "starting"),
        ("Waiting for the results", "waiting"),
        ("My grandmother passed away", "grief"),
        ("my mother died", "grief"),
        ("I want to die", "crisis"),
        ("work is too much, I\u2019m thinking of SUICIDE", "crisis"),
        ("Nothing in particular", "general"),
        ("a crypto taxi", "general"),
        ("", "general"),
        ("???", "general"),
        ("Bài thi cuối kỳ", "study"),
        ("bai kiem tra ngay mai", "study"),
        ("Cãi nhau với vợ", "people"),
        ("Hết tiền rồi", "money"),
        ("Mệt muốn chết", "rest"),
        ("Muốn chết", "crisis"),
        ("toi muon tu tu", "crisis"),
        ("tu tu thoi", "general"),
        ("Xin lỗi mẹ", "people"),
    ],
)
@pytest.mark.parametrize("language", ["en", "vi", "de"])
def test_kinds(challenge, kind, language):
    """A challenge is recognised in whatever language it is written, marks or no marks."""
    assert load_catalogues().recognise(challenge, language) == kind


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize(
    ("kind", "tones"),
    [
        (GENERAL, [LIGHT] * 3 + [STEADY] * 3 + [CALM] * 2 + [GENTLE] * 2),
        (GRIEF, [CALM] * 8 + [GENTLE] * 2),
        (CRISIS, [GENTLE] * 10),
    ],
)
def test_tones(language, kind, tones):
    """The level decides the tone, and nobody jokes about death."""
    catalogue = load_catalogues().of(language)
    assert [catalogue.tone(kind, level) for level in LEVELS] == tones


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("vi", "vi"), ("vi-VN", "vi"), ("VI", "vi"), ("en_GB", "en"), ("de", "en")],
)
def test_the_language_of_an_account(tag, language):
    """An account without a catalogue in its language is answered in English."""
    assert load_catalogues().of(tag).language == language


@pytest.mark.parametrize(
    ("progress", "english", "vietnamese"),
    [
        (
            Progress(3, 5, "steps", "Run 10 km"),
            "3 of 5 steps of 'Run 10 km' done",
            "đã xong 3/5 bước của 'Run 10 km'",
        ),
        (
            Progress(12.5, 1000000, "km", "Walk"),
            "12.5 of 1000000 km of 'Walk' done",
            "đã được 12,5/1000000 km của 'Walk'",
        ),
        (Progress(7, 30, "", "Books."), "7 of 30 of 'Books' done", "đã được 7/30 của 'Books'"),
        (
            Progress(1, 2, "{done}", "a {title}\n{x}"),
            "1 of 2 {done} of 'a {title} {x}' done",
            "đã được 1/2 {done} của 'a {title} {x}'",
        ),
    ],
)
def test_progress(progress, english, vietnamese):
    """Progress is told in numbers, the user's unit and the user's title."""
    assert load_catalogues().of("en").progress_line(progress) == english
    assert load_catalogues().of("vi").progress_line(progress) == vietnamese


def test_bodies_are_sentences():
    """A body begins with a capital letter and ends with a full stop, in every combination."""
    for file in FILES:
        catalogue = catalogue_of(file)
        for kind, level in product(KINDS, (2, 5, 7, 10)):
            if catalogue.tone(kind, level) != catalogue.tone(GENERAL, level):
                continue
            pool = catalogue.pool(kind, level, named=True)
            for when, step, why in zip(pool.whens, pool.steps, pool.whys, strict=False):
                body = fill(catalogue.body, {"when": when.text, "step": step.text, "why": why.text})
                assert body[0].isupper()
                assert body[-1] == "."
                assert not step.text[0].isupper()
                assert not why.text[0].isupper()
                assert searchable(body)

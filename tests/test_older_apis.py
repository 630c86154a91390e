"""`docs/older-apis` and the golden frames say the same; every reference to a page leads to one."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import CloseCode

from app.legacy import policy
from app.main import create_app
from app.settings import Limits, Settings
from models.error_codes import CATALOGUE
from tests.frames import FRAMES
from tests.live import Server
from tests.test_imports import ROOT

PAGES = ROOT / "docs" / "older-apis"
INDEX = PAGES / "README.md"

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_FRAME = re.compile(r"^### `([^`]+)`$", re.MULTILINE)
_GOLDEN = re.compile(r"\[golden frame\]\(([^)]+)\)")
_ROW = re.compile(r"^\| `([^`]+)` \| ([a-z ,]+) \|", re.MULTILINE)
_CALL = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?]*)`")
_LIMIT = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (`LIMIT_[^|]+) \|$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_REFERENCE = re.compile(r"[\w./-]*\w\.md\b")
_SOURCES = ("*.py", "*.md", "*.proto", "*.js", "*.toml", "*.cfg", "*.txt", "Makefile")

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Documented:
    """A frame as a page has it: `fields` are its paths, in order, each with its type."""

    page: str
    side: str
    type: str
    golden: Path
    fields: tuple[tuple[str, str], ...]


def pages() -> list[Path]:
    return sorted(path for path in PAGES.glob("*.md") if path != INDEX)


def parts(pattern: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    """Return each heading that `pattern` finds with the text up to the next one."""
    found = list(pattern.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    return [(match[1], text[match.end() : end]) for match, end in zip(found, ends, strict=True)]


def documented() -> list[Documented]:
    """Return every frame of every page."""
    frames = []
    for page in pages():
        for side, section in parts(_SECTION, page.read_text(encoding="utf-8")):
            for kind, text in parts(_FRAME, section):
                (link,) = _GOLDEN.findall(text)
                golden = (page.parent / link).resolve()
                _, _, after = text.partition("| field | type |")
                fields = tuple(_ROW.findall(after.partition("\n\n")[0]))
                frames.append(Documented(page.stem, side, kind, golden, fields))
    return frames


def flat(frame: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the paths of a frame's fields with their values, in order."""
    fields: list[tuple[str, Any]] = []
    for name, value in frame.items():
        fields.append((f"{prefix}{name}", value))
        if isinstance(value, dict):
            fields += flat(value, f"{prefix}{name}.")
    return fields


@pytest.mark.parametrize("frame", documented(), ids=lambda frame: f"{frame.page}/{frame.type}")
def test_a_page_has_the_fields_of_the_golden_frame(frame: Documented) -> None:
    """All of them, in the order and with the types in which they are sent."""
    golden = flat(json.loads(frame.golden.read_text(encoding="utf-8")))
    assert [name for name, _ in frame.fields] == [name for name, _ in golden]
    for (name, documented_type), (_, value) in zip(frame.fields, golden, strict=True):
        allowed = documented_type.removesuffix(", optional").split(" or ")
        assert type(value) in [kind for one in allowed for kind in _TYPES[one]], name
    assert frame.type == golden[0][1]


@pytest.mark.parametrize("frame", documented(), ids=lambda frame: f"{frame.page}/{frame.type}")
def test_a_frame_stands_with_those_of_its_sender(frame: Documented) -> None:
    """What clients send lies in `sent`; the oldest folder has one such frame beside the others."""
    is_sent = frame.golden.parent.name == "sent" or frame.golden.stem == "ping"
    assert frame.side == ("Frames of clients" if is_sent else "Frames of the server")


def test_every_golden_frame_is_on_one_page() -> None:
    """A frame that no page describes, and one that two pages describe, are named here."""
    golden = sorted(FRAMES.rglob("*.json"))
    assert len(golden) > 30
    assert sorted(frame.golden for frame in documented()) == golden


async def test_the_calls_on_the_pages_are_routes(settings: Settings) -> None:
    """Every method and path that a page has, the endpoints among them, is served."""
    app = await create_app(settings)
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }
    await app.cleanup()
    calls = {
        (page.name, *call)
        for page in pages()
        for call in _CALL.findall(page.read_text(encoding="utf-8"))
    }
    assert {name for name, *_ in calls} == {page.name for page in pages()}
    assert [call for call in sorted(calls) if call[1:] not in served] == []


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("market-notifications", "/health"),
        ("channel-chat", "/api/v1/ws/stats"),
        ("diary", "/api/v1/ws/status"),
    ],
)
async def test_a_plain_request_answers_as_documented(server: Server, page: str, path: str) -> None:
    """The row of the call has every field of the answer."""
    status, answer = await server.call(None, "GET", path)
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `GET {path}` |")]
    assert str(status) in row
    assert isinstance(answer, dict)
    names = [name.rpartition(".")[2] for name, _ in flat(answer)]
    assert len(names) > 1
    assert [name for name in names if f"`{name}`" not in row] == []


def test_links_lead_to_files() -> None:
    """Of the pages and of their README."""
    for page in (INDEX, *pages()):
        links = _LINK.findall(page.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (PAGES / link).exists()] == []


def test_the_close_codes_are_those_of_the_code() -> None:
    """Every code that a raw connection is closed with is in the table, and no other of our own."""
    (table,) = [
        text for name, text in parts(_SECTION, INDEX.read_text("utf-8")) if name == "Close codes"
    ]
    listed = {int(code) for code in re.findall(r"\b\d{4}\b", table.partition("\n\n")[2])}
    sources = [
        *(ROOT / "app" / "legacy").rglob("*.py"),
        ROOT / "app" / "realtime" / "websocket" / "connection.py",
    ]
    used = {
        CloseCode[name]
        for source in sources
        for name in re.findall(r"\.close\(\s*CloseCode\.(\w+)", source.read_text("utf-8"))
    }
    own = {policy.REPLACED, *(info.close_code for info in CATALOGUE.values())} - {None, 1001, 1008}
    assert len(used) > 3
    assert used <= listed
    assert {code for code in listed if code > 4000} == own


def test_the_limits_are_those_of_the_settings() -> None:
    """Each setting exists, and the figure beside it is its default."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| (`LIMIT_[^|]+) \|$", INDEX.read_text("utf-8"), re.M
    )
    assert len(rows) > 3
    for what, figures, settings in rows:
        for setting in re.findall(r"`LIMIT_(\w+)`", settings):
            default = getattr(Limits(), setting.lower())
            assert re.search(rf"\b{default:,}\b", figures), (what, setting)


def _leads_to(reference: str, source: Path) -> bool:
    """Whether a name of a document is its path: from the root, or from where documents are."""
    folder = source.parent if source.suffix == ".md" else ROOT / "docs"
    return (ROOT / reference).is_file() or (folder / reference).is_file()


def test_documents_that_are_named_are_there() -> None:
    """Code, tests and documents name documents of this repository only, by their path."""
    tops = [ROOT / name for name in ("app", "bench", "docs", "models", "namespaces", "tests")]
    sources = [path for kind in _SOURCES for top in tops for path in top.rglob(kind)]
    sources += [path for kind in _SOURCES for path in ROOT.glob(kind)]
    assert len(sources) > 300
    wrong = [
        f"{source.relative_to(ROOT)} names {reference}"
        for source in sources
        if "node_modules" not in source.parts
        for reference in _REFERENCE.findall(source.read_text(encoding="utf-8"))
        if not reference.startswith("//") and not _leads_to(reference, source)
    ]
    assert wrong == []

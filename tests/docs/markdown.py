"""Markdown as these documents use it: their files, links, headings and fenced blocks."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.test_imports import ROOT

DOCS = ROOT / "docs"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```([\w-]*)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: ```` ```language title ````."""

    language: str
    title: str
    text: str


def documents() -> list[Path]:
    """Return every Markdown file of the repository that git knows or would take in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:  # an unpacked archive, without git
        paths = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "web" / "README.md"]
    return sorted(path for path in paths if path.is_file())


def prose(text: str) -> str:
    """Return the text without its fenced blocks."""
    return _FENCED.sub("", text)


def links(text: str) -> Iterator[str]:
    """Return where the links of a document lead."""
    text = prose(text)
    yield from _LINK.findall(text)
    yield from _REFERENCE.findall(text)


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as code hosts make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        anchor = base = plain.strip().lower().replace(" ", "-")
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{base}-{number}"
        found.add(anchor)
    return found


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    return [Block(*found) for found in _FENCED.findall(path.read_text(encoding="utf-8"))]


def block(path: Path, title: str) -> str:
    """Return the text of the one block with a title."""
    (found,) = [each for each in blocks(path) if each.title == title]
    return found.text

"""Links lead somewhere, names are those of the code, generated pages are those of their source."""

import argparse
import importlib.util
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

from app import __version__, limit_table
from app.__main__ import parser
from app.settings import Settings, read_environment
from tests.docs.markdown import DOCS, anchors, blocks, documents, links, prose
from tests.test_imports import ROOT

_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"^(?:app|namespaces|models|web|tests|bench|docs|\.ci)/[\w./-]*$")


def test_links_lead_somewhere() -> None:
    """To a file of the repository, and to a heading where they name one."""
    pages = documents()
    assert len(pages) > 25
    wrong = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for link in links(text):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = unquote(link).partition("#")
            target = (page.parent / name).resolve() if name else page
            if not target.exists() or not target.is_relative_to(ROOT):
                wrong.append(f"{page.relative_to(ROOT)}: {link}")
            elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
                wrong.append(f"{page.relative_to(ROOT)}: {link} has no such heading")
    assert wrong == []


def test_addresses_in_the_documents_are_this_machine_or_well_known() -> None:
    """A link to elsewhere names its host here, so that none comes in unseen."""
    hosts = {
        host
        for page in documents()
        for host in re.findall(r"https?://([\w.-]+)", prose(page.read_text(encoding="utf-8")))
    }
    known = {"localhost", "127.0.0.1", "api.openai.com", "semver.org", "socket.io"}
    assert {host for host in hosts - known if not host.endswith("example.com")} == set()


def test_paths_in_the_documents_are_there() -> None:
    """A file or folder of the repository that a document names exists; `<domain>` is any."""
    wrong, found = [], 0
    for page in documents():
        for code in _CODE.findall(prose(page.read_text(encoding="utf-8"))):
            path = re.sub(r"<\w+>", "*", code)
            if "<" in path or not _PATH.match(path.replace("*", "x")):
                continue
            found += 1
            if not (any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()):
                wrong.append(f"{page.relative_to(ROOT)}: {code}")
    assert found > 60
    assert wrong == []


def test_programs_in_the_documents_are_there() -> None:
    """`python -m` names a module of this repository or an installed one, `make` a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    modules, made = set(), set()
    for page in documents():
        text = page.read_text(encoding="utf-8")
        modules |= set(re.findall(r"python[\d.]* -m ([\w.]+\w)", text))
        made |= set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"app", "bench"} <= modules
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    assert {"run", "test"} <= made <= targets


def test_data_in_the_documents_can_be_read() -> None:
    """Blocks of JSON are JSON, line by line where they are logs; Python compiles."""
    read = 0
    for page in documents():
        for each in blocks(page):
            if each.language == "python":
                compile(each.text, str(page), "exec")
            elif each.language == "json":
                lines = each.text.splitlines() if "}\n{" in each.text else [each.text]
                for line in lines:
                    json.loads(line)
            read += each.language in ("python", "json")
    assert read > 3


def test_every_page_is_found_from_the_first() -> None:
    """Following links from README.md, a reader comes to every document."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for link in links(page.read_text(encoding="utf-8")):
            target = (page.parent / unquote(link).partition("#")[0]).resolve()
            if target.is_file():
                waiting.append(target)
    assert [str(page.relative_to(ROOT)) for page in documents() if page not in reached] == []


def test_limits_are_documented() -> None:
    """docs/limits.md is what `python -m app.limit_table` writes."""
    assert (DOCS / "limits.md").read_text(encoding="utf-8") == limit_table.page()


def test_settings_in_the_documents_are_read(settings: Settings) -> None:
    """What docs/settings.md and docs/limits.md list is read, so a renamed one is not left there."""
    known = read_environment().known
    for name in ("settings.md", "limits.md"):
        page = (DOCS / name).read_text(encoding="utf-8")
        rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
        listed = {each for row in rows for each in re.findall(r"`([A-Z][A-Z0-9_]+)`", row)}
        assert len(listed) > 20
        assert listed <= known


def test_the_version_is_in_the_changelog() -> None:
    """The newest version of CHANGELOG.md is the program's."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest.lower() in (__version__, "unreleased")
    assert f"## {__version__}" in changelog
    assert "attr: app.__version__" in (ROOT / "setup.cfg").read_text(encoding="utf-8")


def test_commands_are_documented() -> None:
    """docs/operations/README.md has every command of the program, and no other."""
    page = (DOCS / "operations" / "README.md").read_text(encoding="utf-8")
    table = page.partition("## The commands")[2]
    listed = {
        word
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for code in _CODE.findall(row)
        for word in re.findall(r"^[a-z-]+|(?<= )[a-z-]+", code)
        if not word.startswith("-")
    }
    assert listed == {*names(parser())}


def names(parsed: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the commands of a parser, and those below them."""
    for action in parsed._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield name
                yield from names(below)

"""What `setup.cfg` asks for and what is pinned for installation must not drift apart."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import licences

ROOT = Path(__file__).parents[1]


def pinned(name: str) -> dict[str, str]:
    """Read `name==version` lines: version by canonical name."""
    lines = (ROOT / name).read_text().splitlines()
    wanted = [Requirement(line) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        canonicalize_name(found.name): str(found.specifier).removeprefix("==") for found in wanted
    }


def asked(section: str, option: str) -> list[Requirement]:
    """Read a list of requirements from `setup.cfg`."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in config[section][option].split("\n") if line.strip()]


@pytest.mark.parametrize(
    ("section", "option", "files"),
    [
        ("options", "install_requires", ["requirements.txt"]),
        ("options.extras_require", "dev", ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_every_dependency_is_pinned(section: str, option: str, files: list[str]) -> None:
    """Each dependency is pinned, to a version that its range allows."""
    versions: dict[str, str] = {}
    for name in files:
        versions |= pinned(name)
    for wanted in asked(section, option):
        version = versions.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name} is not in {' or '.join(files)}"
        assert wanted.specifier.contains(version), f"{wanted} does not allow {version}"


PRIVATE = {
    "aiohttp": "app/http/runner.py, app/realtime/websocket/upgrade.py: the request's connection",
    "python-socketio": "app/realtime/rooms.py, app/realtime/socketio/server.py: packets, callbacks",
    "python-engineio": "app/realtime/engineio/engine.py: what python-socketio calls of it",
    "websockets": "app/realtime/websocket/connection.py: the parser's buffer and state",
}
"""Packages of which more is used than they promise, and where."""


@pytest.mark.parametrize("name", PRIVATE)
def test_private_interfaces_have_upper_bounds(name: str) -> None:
    """A version that nobody has tried is not installed by an installer's own choice."""
    (wanted,) = [each for each in asked("options", "install_requires") if each.name == name]
    assert any(one.operator == "<" for one in wanted.specifier), f"{name}: {PRIVATE[name]}"
    for path in re.findall(r"app/[\w/]+\.py", PRIVATE[name]):
        assert (ROOT / path).is_file()


def test_licences_are_listed() -> None:
    """docs/licences.md has every package that a deployment installs, and none that binds ours.

    Licences change with versions: `python -m tests.licences > docs/licences.md` writes the page.
    """
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", text, re.MULTILINE))
    rows.pop("package")
    assert [*rows] == licences.packages()
    for name, licence in rows.items():
        assert licences.licence_of(name) == licence, name
        # Beside the permissive ones the Mozilla licence, which binds the files of the package only.
        assert re.search(r"MIT|BSD|Apache|ISC|PSF|MPL|CNRI|Unlicense", licence), name
        assert "GPL" not in licence, name


def test_dependencies_are_looked_at_every_week() -> None:
    """The platform is told of each place that pins something."""
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    for ecosystem in ("pip", "npm", "docker", "github-actions"):
        assert f"package-ecosystem: {ecosystem}\n" in text
    assert text.count("interval: weekly") == text.count("package-ecosystem")
    for folder in re.findall(r"/(\w+(?:/\w+)*)\b(?=[,\]])", text):
        assert (ROOT / folder / "package.json").is_file()


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-mongodb.txt"]
)
def test_only_names_and_versions(name: str) -> None:
    """The files say what to install and leave where from to the installer."""
    for line in (ROOT / name).read_text().splitlines():
        assert re.fullmatch(r"#.*|-r requirements\.txt|[a-z0-9.-]+==[\w.]+( ; .+)?", line), line

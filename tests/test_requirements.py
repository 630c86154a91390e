"""What `setup.cfg` asks for and what is pinned for installation must not drift apart."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_only_names_and_versions(name: str) -> None:
    """The files say what to install and leave where from to the installer."""
    for line in (ROOT / name).read_text().splitlines():
        assert re.fullmatch(r"#.*|-r requirements\.txt|[a-z0-9.-]+==[\w.]+( ; .+)?", line), line

"""The house's import rule, kept by reading the sources: app -> namespaces -> models.

- `models` imports neither `app` nor `namespaces`, and neither aiohttp nor python-socketio.
- `namespaces` imports `models`, never `app`, and not aiohttp.
- `app/realtime` knows sockets and frames, not domains: of `models` it takes what is common to all
  domains (the modules directly in `models/`), never a domain's package; it takes nothing from
  `namespaces`, `app.rest`, `app.legacy`, `app.identity`, and does not know who wires it.
- `app/rest` and `app/legacy` do not know each other's routes and dialects; the request helpers
  (`app.rest.requests`) are the one thing that the raw endpoint takes from REST.
- Nothing imports `tests` or `bench`.
- Names that only legacy frames have are spelled in `app/legacy` only.

Imports under `TYPE_CHECKING` count: they are knowledge too.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "namespaces", "models")

FORBIDDEN = {
    "models": {"app", "namespaces", "aiohttp", "socketio", "engineio", "webargs"},
    "namespaces": {"app", "aiohttp", "webargs", "motor", "pymongo"},
    "app/realtime": {
        "namespaces",
        "app.rest",
        "app.legacy",
        "app.identity",
        "app.main",
        "app.domains",
        "app.settings",
        "app.storage",
        *(f"models.{path.name}" for path in (ROOT / "models").iterdir() if path.is_dir()),
    },
    "app/rest": {"app.legacy", "namespaces", "app.main", "app.domains"},
    "app/legacy": {
        "app.main",
        "app.domains",
        "app.storage",
        "app.rest.auth",
        "app.rest.stories",
    },
    "app/workers": {"namespaces", "models", "app.rest", "app.legacy", "app.main", "app.domains"},
    "app/rpc": {"namespaces", "app.rest", "app.legacy", "app.main", "app.domains"},
    "app/llm": {"namespaces", "app.rest", "app.legacy", "app.main", "app.domains"},
    "app/push": {"namespaces", "app.rest", "app.legacy", "app.main", "app.domains"},
    "app/identity": {"namespaces", "app.rest", "app.legacy", "app.realtime", "app.main"},
    "": {"tests", "bench"},
}

LEGACY_FIELDS = {"notification_type", "conversationId", "senderId", "userId"}
"""Fields of the documents' frames that no new payload has."""

STORE_DRIVERS = {"motor", "sqlite3"}
STORE_PACKAGE = "app/storage/"


def sources(folder=""):
    tops = (folder,) if folder else PACKAGES
    return [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]


def imports(path):
    """Return the full dotted names that a source imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, package):
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("folder", FORBIDDEN, ids=lambda folder: folder or "all")
def test_a_package_imports_what_it_may(folder):
    """No source imports what its place in the house forbids."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in imports(path)
        if any(is_within(name, package) for package in FORBIDDEN[folder])
    ]
    assert wrong == []


def test_the_rule_looks_at_sources_that_are_there():
    """Each folder of the rule has sources, and the check sees an import for what it is."""
    assert all(len(sources(folder)) > 1 for folder in FORBIDDEN)
    assert "app.main.create_app" in set(imports(ROOT / "app" / "serving.py"))
    assert is_within("app.main.create_app", "app.main")
    assert not is_within("app.mainly", "app.main")


def test_only_the_store_knows_the_drivers():
    """Which database is open is known in one place."""
    knowing = {
        str(path.relative_to(ROOT))
        for path in sources()
        for name in imports(path)
        if any(is_within(name, driver) for driver in STORE_DRIVERS)
    }
    assert knowing
    assert all(path.startswith(STORE_PACKAGE) for path in knowing), knowing


def test_legacy_words_are_spelled_in_the_dialects_only():
    """No string outside app/legacy is a field that only legacy frames have."""
    wrong = [
        f"{path.relative_to(ROOT)} spells {node.value}"
        for path in sources()
        if ROOT / "app" / "legacy" not in path.parents
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in LEGACY_FIELDS
    ]
    assert wrong == []

"""Every error has a code of the catalogue, and the catalogue has no other codes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import app.main  # noqa: F401 - imports every kind of error
from app.error_table import page
from models.error_codes import CATALOGUE, GROUPS, ErrorCode
from models.errors import Conflict, DomainError, Invalid, NotFound, Unauthorized
from tests.test_imports import ROOT

CATALOGUE_FILE = ROOT / "models" / "error_codes.py"
ANSWERS = {"Ending", "error_body", "problem", "refuse"}
"""What makes errors that are no `DomainError`, of a code and a message."""


def kinds(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)


KINDS = {kind.__name__: kind for kind in kinds()}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the sources, with its place."""
    for folder in ("app", "models", "namespaces"):
        for file in (ROOT / folder).rglob("*.py"):
            if file != CATALOGUE_FILE:
                for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                    yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)


def texts(node: ast.AST | None) -> set[str]:
    """Return the string constants in a node."""
    found = ast.walk(node) if node is not None else ()
    return {each.value for each in found if isinstance(each, ast.Constant)} & set(CATALOGUE)


def keyword(node: ast.Call) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == "code"), None)


def used(node: ast.AST) -> set[str]:
    """Return the codes that an error may get at a node."""
    if isinstance(node, ast.Call):
        code = keyword(node)
        if code is None and called(node) in KINDS:
            default = getattr(KINDS[called(node)], "code", None)
            return {default} if default else set()
        if called(node) in ANSWERS and node.args:
            return texts(node.args[0])
        return texts(code)
    if isinstance(node, ast.AnnAssign):
        # A default of a kind is used where an error of the kind names no code; see above.
        is_default = isinstance(node.target, ast.Name) and node.target.id == "code"
        held = ast.unparse(node.annotation)
        is_given = "ErrorCode" in held and not held.startswith(("frozenset", "tuple[ErrorCode, .."))
        return texts(node.value) if is_given and not is_default else set()
    if isinstance(node, ast.Assign):
        names = {ast.unparse(target) for target in node.targets}
        return texts(node.value) if names & {"code", "unknown_code"} else set()
    return set()


def test_each_code_is_in_the_catalogue_once() -> None:
    """The type that mypy checks and the catalogue have the same codes."""
    codes = get_args(ErrorCode)
    assert len(codes) == len(set(codes)) == sum(map(len, GROUPS.values()))
    assert set(codes) == set(CATALOGUE)


def test_each_code_is_used() -> None:
    """A code that no error can have is taken out of the catalogue."""
    found = set().union(*(used(node) for _, node in nodes()))
    assert sorted(set(CATALOGUE) - found) == []


def test_each_error_has_a_code_of_its_kind() -> None:
    """What is constructed in the sources has a code with the status of its kind."""
    wrong = []
    count = 0
    for place, node in nodes():
        if not isinstance(node, ast.Call) or called(node) not in KINDS:
            continue
        count += 1
        kind, code = KINDS[called(node)], keyword(node)
        default = getattr(kind, "code", None)
        if isinstance(code, ast.Constant):
            info = CATALOGUE.get(code.value)  # type: ignore[call-overload]
            if info is None or info.status != kind.status:
                wrong.append((place, code.value))
        elif code is None and default is None:
            wrong.append((place, "no code"))
    assert count > 150
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_default_of_a_kind_is_of_the_kind(kind: type[DomainError]) -> None:
    """A kind whose errors may name no code has one with its status."""
    code = getattr(kind, "code", None)
    assert code is None or CATALOGUE[code].status == kind.status


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (NotFound, "story_not_fuond"),
        (NotFound, "email_taken"),
        (Invalid, "not_found"),
        (Conflict, None),
        (Unauthorized, None),
    ],
)
def test_an_error_outside_of_the_catalogue_cannot_be_made(
    kind: type[DomainError], code: ErrorCode | None
) -> None:
    """An unknown code, one of another status, and no code at all."""
    with pytest.raises(ValueError, match="is not a code of"):
        kind("m", code=code)


@pytest.mark.fault
def test_a_typo_fails_the_type_check(tmp_path: Path) -> None:
    """Wherever a code is named: in an error, a comparison, or an answer."""
    program = tmp_path / "program.py"
    program.write_text(
        "from app.rest.errors import problem\n"
        "from models.endings import Ending\n"
        "from models.errors import DomainError, NotFound\n"
        "def use(error: DomainError) -> None:\n"
        "    print(error.code == 'story_not_fuond')\n"
        "    problem('server_stoping', 'm')\n"
        "    Ending('token_expierd', 'm')\n"
        "    print(NotFound('m', code='story_not_fuond'))\n"
        "    print(NotFound('m', code='story_not_found'))\n"
    )
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {5, 6, 7, 8}, done.stdout + done.stderr


def test_the_page_is_that_of_the_catalogue() -> None:
    """`python -m app.error_table > docs/errors.md` brings it up to date."""
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == page()

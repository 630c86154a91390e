"""A checker at the database: the keys that are written and asked for are those of records' types.

The type checker sees what is read of a record and what one is built of, and not the keys in filters
and updates, which are plain mappings.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from app.storage.embedded.collection import EmbeddedCollection
from app.storage.mongodb import MotorCollection
from tests.recorder import OPERATIONS
from tests.test_imports import ROOT


@cache
def record_types() -> Mapping[str, type]:
    """Return the record types by collection: each `typed(database["name"], Kind)` in the models."""
    found: dict[str, type] = {}
    for path in sorted((ROOT / "models").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "typed"
                and isinstance(node.args[0], ast.Subscript)
                and isinstance(node.args[0].slice, ast.Constant)
                and isinstance(node.args[1], ast.Name)
            ):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                kind = getattr(import_module(module), node.args[1].id)
                name = str(node.args[0].slice.value)
                assert found.setdefault(name, kind) is kind, f"{name} has two types"
    return found


def unknown_keys(operation: str, parts: tuple[Any, ...], kind: Any) -> Iterator[str]:
    """Yield the keys of one operation that records of a type do not have."""
    if operation == "create_index":
        used = {key for key, _ in parts[0]}
    elif operation == "insert_one":
        # That nothing is missing is seen where a record is built; tests insert older ones.
        used = {*parts[0]}
    else:
        used = {*_filtered(parts[0])}
        for changes in parts[1].values() if len(parts) > 1 else ():
            used |= {*changes}
    yield from sorted(path for path in used if not _is_known(path.split("."), kind))


def _is_known(path: Sequence[str], kind: Any) -> bool:
    """Whether a path of keys leads into records of a type; what is in no record may be anything."""
    for key in path:
        record = _record_of(kind)
        if record is None:
            return True
        if key.isdigit():
            continue  # a place in a list
        types = _types_of(record)
        if key not in types:
            return False
        kind = types[key]
    return True


def _record_of(kind: Any) -> Any:
    """Return the record that a type is, or is a list or an option of; None of others."""
    if is_typeddict(get_origin(kind) or kind):
        return kind
    if get_origin(kind) is dict:
        return None
    return next(filter(None, map(_record_of, get_args(kind))), None)


def _types_of(record: Any) -> Mapping[str, Any]:
    generic = get_origin(record) or record
    given = dict(zip(getattr(generic, "__parameters__", ()), get_args(record), strict=True))
    return {key: given.get(kind, kind) for key, kind in get_type_hints(generic).items()}


def _filtered(filter: Mapping[str, Any]) -> Iterator[str]:
    for key, value in filter.items():
        if key.startswith("$"):
            for part in value:
                yield from _filtered(part)
        else:
            yield key


def install(note: Callable[[str], None]) -> None:
    """Begin to check, in every test of this process; `note` gets what is wrong."""
    for kind, name_of in ((EmbeddedCollection, _embedded_name), (MotorCollection, _motor_name)):
        for operation in OPERATIONS:
            _check(kind, operation, name_of, note)


def _embedded_name(collection: Any) -> str:
    return str(collection._name)


def _motor_name(collection: Any) -> str:
    return str(collection._collection.name)


def _check(
    kind: type, operation: str, name_of: Callable[[Any], str], note: Callable[[str], None]
) -> None:
    original = getattr(kind, operation)

    def checked(target: Any, *args: Any, **options: Any) -> Any:
        name = name_of(target)
        record = record_types().get(name)
        if record is not None:
            parts = (*args, *(options[part] for part in ("filter", "update") if part in options))
            for key in unknown_keys(operation, parts, record):
                note(f"{operation} in {name}: {record.__name__} has no key {key}")
        return original(target, *args, **options)

    setattr(kind, operation, checked)

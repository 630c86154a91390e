"""Notes the forms of what is asked of a database: operation, operator, type of operand; and refuses
what no database could be asked: halves of surrogate pairs, integers of more than 64 bits.

The store's contract suite must have proved every form that models send; `tests/store` asks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import bson

from app.storage.embedded.collection import EmbeddedCollection, EmbeddedCursor
from app.storage.mongodb import MotorCollection, MotorCursor

OPERATIONS = (
    "insert_one",
    "find_one",
    "find",
    "update_one",
    "update_many",
    "find_one_and_update",
    "delete_one",
    "delete_many",
    "count_documents",
    "create_index",
)
CANARY = "delete_one filter $and"
"""A form that only the contract suite asks for."""

TYPES = {dict: "document", list: "array", type(None): "null", float: "number", int: "number"}


class Recorder:
    """Keeps the forms met, in the set that `into` names."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.proved: set[str] = set()
        self.into = self.sent

    def install(self) -> None:
        """Listen at the classes that all operations pass."""
        for operation in OPERATIONS:
            self._listen(EmbeddedCollection, operation)
            self._listen(MotorCollection, operation)
        for cursor in (EmbeddedCursor, MotorCursor):
            self._listen(cursor, "sort")
            self._listen(cursor, "limit")

    def recorded(self) -> tuple[list[str], list[str]]:
        """Return what was sent and what was proved, for another process's recorder."""
        return sorted(self.sent), sorted(self.proved)

    def take_in(self, recorded: tuple[list[str], list[str]]) -> None:
        """Add what another process has recorded."""
        self.sent.update(recorded[0])
        self.proved.update(recorded[1])

    def unproved(self) -> list[str]:
        """Return what was sent and is not proved; nothing when the contract suite was not run."""
        return sorted(self.sent - self.proved) if CANARY in self.proved else []

    def _listen(self, kind: type, operation: str) -> None:
        original = getattr(kind, operation)

        def listening(target: Any, *args: Any, **options: Any) -> Any:
            self.into.update(forms(operation, args, options))
            for document in (*args, *options.values()):
                if isinstance(document, Mapping):
                    # The embedded store takes what MongoDB's wire format cannot carry.
                    bson.encode(document)
            return original(target, *args, **options)

        setattr(kind, operation, listening)


def forms(operation: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Iterator[str]:
    """Return the forms of one call."""
    yield operation
    for option, value in options.items():
        if option not in {"filter", "update"} and value is not False:
            yield f"{operation} option {option}"
    if operation in {"create_index", "sort"}:
        yield f"{operation} {len(args[0])} keys"
        yield from (f"{operation} direction {direction}" for _, direction in args[0])
    elif operation not in {"insert_one", "limit"}:
        parts = [*args, *(options[part] for part in ("filter", "update") if part in options)]
        for form in _filter_forms(parts[0]):
            yield f"{operation} filter {form}"
        for form in _update_forms(parts[1]) if len(parts) > 1 else ():
            yield f"{operation} update {form}"


def _filter_forms(filter: Mapping[str, Any]) -> Iterator[str]:
    for key, value in filter.items():
        if key.startswith("$"):
            yield key
            for part in value:
                yield from _filter_forms(part)
            continue
        if "." in key:
            yield "dotted path"
        if _has_operators(value):
            for operator, operand in value.items():
                yield f"{operator} {_type(operand)}"
                if operator == "$elemMatch":
                    yield from _filter_forms(operand)
        else:
            yield f"= {_type(value)}"


def _update_forms(update: Mapping[str, Any]) -> Iterator[str]:
    for operator, changes in update.items():
        for path, value in changes.items():
            if "." in path:
                yield "dotted path"
            if _has_operators(value):
                yield from (f"{operator} {modifier}" for modifier in value)
            else:
                yield f"{operator} {_type(value)}"


def _has_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and any(key.startswith("$") for key in value)


def _type(value: Any) -> str:
    if isinstance(value, list):
        return f"array of {' and '.join(sorted({_type(item) for item in value})) or 'nothing'}"
    return TYPES.get(type(value), type(value).__name__)


RECORDER = Recorder()

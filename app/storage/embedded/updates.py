"""Updates: what they make of a document, as MongoDB has it.

Known are the operators that the storage contract proves on every store; `Unsupported` names any
other one. Operands must be as BSON gives them back.

https://www.mongodb.com/docs/manual/reference/operator/update/
"""

from collections.abc import Callable, Mapping
from typing import Any

from pymongo.errors import WriteError

from app.storage.embedded.filters import Unsupported
from app.storage.embedded.keys import MISSING, key_of
from app.storage.embedded.paths import Path, split
from models.database import Document

BAD_VALUE = 2
TYPE_MISMATCH = 14
PATH_NOT_VIABLE = 28
CONFLICTING_OPERATORS = 40
IMMUTABLE_FIELD = 66

PADDING_MAX = 1_500_000
"""Elements by which writing to a place behind an array's end may fill it up: MongoDB's bound."""

Step = Callable[[Document], None]


class Apply:
    """What an update does; calling it changes a document in place."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        """`steps` by their paths."""
        self.fields = frozenset(split(path)[0] for path in steps)
        """Those of a document that it may change."""

        self._steps = [steps[path] for path in sorted(steps)]

    def __call__(self, document: Document) -> None:
        """Change a document.

        Raises:
            WriteError: it cannot be changed so, or its `_id` would change.
        """
        before = document.get("_id", MISSING)
        for step in self._steps:
            step(document)
        if "_id" not in self.fields or before is MISSING:
            return
        if key_of(document.get("_id", MISSING)) != key_of(before):
            raise WriteError("the _id of a document cannot be changed", IMMUTABLE_FIELD)


def compile_update(update: Mapping[str, Any]) -> Apply:
    """Understand an update; what is returned changes a document in place.

    Raises:
        Unsupported: an operator or operand that is not known.
        WriteError: it contradicts itself.
        ValueError: it has no operators: it would replace the document.
    """
    if not update or not all(operator.startswith("$") for operator in update):
        raise ValueError("update only works with $ operators")
    steps: dict[str, Step] = {}
    for operator, changes in update.items():
        make = _OPERATORS.get(operator)
        if make is None:
            raise Unsupported(f"the embedded store does not know the operator {operator}")
        if not isinstance(changes, Mapping):
            raise WriteError(f"{operator} needs a document", BAD_VALUE)
        for path, operand in changes.items():
            _check_conflict(path, steps)
            steps[path] = _step(split(path), make(operator, operand), creates=operator in _CREATE)
    return Apply(steps)


def set_path(document: Document, path: str, value: Any) -> None:
    """Set what a dotted path leads to."""
    _step(split(path), lambda _: value, creates=True)(document)


def _check_conflict(path: str, steps: Mapping[str, object]) -> None:
    if not all(split(path)):
        raise WriteError("a path has an empty field name", 56)
    if any(name.startswith("$") for name in split(path)):
        raise Unsupported("the embedded store does not know positional operators in paths")
    for other in steps:
        if path == other or path.startswith(f"{other}.") or other.startswith(f"{path}."):
            raise WriteError("an update would create a conflict", CONFLICTING_OPERATORS)


def _step(path: Path, change: Callable[[Any], Any], *, creates: bool) -> Step:
    """Make the change of what is at a path; `MISSING` is what is not there, and takes away."""
    last = path[-1]

    def step(document: Document) -> None:
        parent: Any = document
        for name in path[:-1]:
            child = _get(parent, name, strict=creates)
            if child is MISSING:
                if not creates:
                    return
                child = {}
                _put(parent, name, child)
            elif not isinstance(child, dict | list):
                if not creates:
                    return
                raise WriteError("a path leads through a value", PATH_NOT_VIABLE)
            parent = child
        before = _get(parent, last, strict=creates)
        after = change(before)
        if after is not MISSING:
            _put(parent, last, after)
        elif before is not MISSING:
            _remove(parent, last)

    return step


def _get(parent: Any, name: str, *, strict: bool = True) -> Any:
    if type(parent) is list:
        if not (name.isdecimal() and name.isascii()):
            if strict:
                raise WriteError("a path names a field of an array", PATH_NOT_VIABLE)
            return MISSING
        return parent[int(name)] if int(name) < len(parent) else MISSING
    return parent.get(name, MISSING)


def _put(parent: Any, name: str, value: Any) -> None:
    if type(parent) is not list:
        parent[name] = value
        return
    at = int(name)
    if at - len(parent) > PADDING_MAX:
        raise WriteError("a place too far behind the end of an array", BAD_VALUE)
    parent.extend([None] * (at + 1 - len(parent)))
    parent[at] = value


def _remove(parent: Any, name: str) -> None:
    if type(parent) is list:
        parent[int(name)] = None
    else:
        del parent[name]


def _set(operator: str, operand: Any) -> Callable[[Any], Any]:
    return lambda _: operand


def _unset(operator: str, operand: Any) -> Callable[[Any], Any]:
    return lambda _: MISSING


def _inc(operator: str, operand: Any) -> Callable[[Any], Any]:
    if not _is_number(operand):
        raise WriteError("$inc needs a number", TYPE_MISMATCH)

    def increment(value: Any) -> Any:
        if value is MISSING:
            return 0 + operand  # -0.0 becomes 0.0
        if not _is_number(value):
            raise WriteError("$inc meets what is no number", TYPE_MISMATCH)
        total = value + operand
        if isinstance(total, int) and not -(1 << 63) <= total < 1 << 63:
            raise WriteError("$inc leads beyond 64 bits", BAD_VALUE)
        return total

    return increment


def _max(operator: str, operand: Any) -> Callable[[Any], Any]:
    key = key_of(operand)
    return lambda value: operand if value is MISSING or key > key_of(value) else value


def _min(operator: str, operand: Any) -> Callable[[Any], Any]:
    key = key_of(operand)
    return lambda value: operand if value is MISSING or key < key_of(value) else value


def _push(operator: str, operand: Any) -> Callable[[Any], Any]:
    _refuse_modifiers(operator, operand)
    return lambda value: [*_array(operator, value), operand]


def _add_to_set(operator: str, operand: Any) -> Callable[[Any], Any]:
    _refuse_modifiers(operator, operand)
    key = key_of(operand)

    def add(value: Any) -> Any:
        array = _array(operator, value)
        return array if key in map(key_of, array) else [*array, operand]

    return add


def _pull(operator: str, operand: Any) -> Callable[[Any], Any]:
    if isinstance(operand, dict | list):
        raise Unsupported("the embedded store knows $pull of single values only")
    key = key_of(operand)

    def pull(value: Any) -> Any:
        if value is MISSING:
            return MISSING
        return [element for element in _array(operator, value) if key_of(element) != key]

    return pull


def _array(operator: str, value: Any) -> list[Any]:
    if value is MISSING:
        return []
    if type(value) is not list:
        raise WriteError(f"{operator} meets what is no array", BAD_VALUE)
    return value


def _refuse_modifiers(operator: str, operand: Any) -> None:
    if isinstance(operand, dict):
        for name in operand:
            if name.startswith("$"):
                raise Unsupported(f"the embedded store does not know {operator} with {name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and type(value) is not bool


_OPERATORS: dict[str, Callable[[str, Any], Callable[[Any], Any]]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _inc,
    "$max": _max,
    "$min": _min,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pull": _pull,
}
_CREATE = _OPERATORS.keys() - {"$unset", "$pull"}

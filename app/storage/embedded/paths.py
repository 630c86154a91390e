"""Dotted paths through documents and arrays: what they reach, what it is sorted and found by.

A path walks through every document of an array, and into its elements by number. Where a document
has not the field, or something else than a document stands in the way, it reaches `MISSING`;
elements of an array that are no documents are passed by.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from pymongo.errors import WriteError

from app.storage.embedded.keys import MISSING, NULL_KEY, UNDEFINED_KEY, key_of

Path = tuple[str, ...]

ENTRIES_MAX = 10_000
"""Entries of one document in one index: of an array of that many elements."""

CANNOT_INDEX_PARALLEL_ARRAYS = 171


@lru_cache(maxsize=4096)
def split(path: str) -> Path:
    """Split a dotted path."""
    return tuple(path.split("."))


def reach(document: Mapping[str, Any], path: Path) -> list[Any]:
    """Return the values at the end of a path, arrays as a whole."""
    if len(path) == 1:
        return [document.get(path[0], MISSING)]
    found: list[Any] = []
    _walk(document, path, 0, found, found)
    return found


def reach_elements(document: Mapping[str, Any], path: Path) -> list[Any]:
    """Return the values at the end of a path: of an array its elements, then itself.

    An array that the path names by its place in another array is only itself: `a.0` of
    `{"a": [[1]]}` is `[1]`, never `1`.
    """
    if len(path) == 1:
        value = document.get(path[0], MISSING)
        return [*value, value] if type(value) is list else [value]
    found: list[Any] = []
    values: list[Any] = []
    _walk(document, path, 0, found, values)
    for value in found:
        if type(value) is list:
            values += value
        values.append(value)
    return values


def sort_key(document: Mapping[str, Any], path: Path, direction: int) -> bytes:
    """Return what a document is sorted by: of an array the least or the greatest element."""
    found: list[Any] = []
    _walk(document, path, 0, found, found)
    keys = _keys_of(found)
    if len(keys) == 1:
        return keys[0]
    return min(keys) if direction > 0 else max(keys)


def _keys_at(document: Mapping[str, Any], path: Path) -> tuple[list[bytes], bool]:
    """Return the keys that a document has for a field, and whether an array is on the way.

    They are those of `reach_elements`, so that an index finds what a filter means; of an array
    that is reached as such, only those of its elements.
    """
    if len(path) == 1:
        value = document.get(path[0], MISSING)
        if type(value) is not list:
            return [key_of(value)], False
        return _element_keys(value), True
    found: list[Any] = []
    placed: list[Any] = []
    arrays = _walk(document, path, 0, found, placed)
    arrays = arrays or any(type(value) is list for value in found)
    return _keys_of(found, placed), arrays


def _keys_of(found: list[Any], placed: Sequence[Any] = ()) -> list[bytes]:
    keys: list[bytes] = []
    for value in found:
        if type(value) is list:
            keys += _element_keys(value)
        else:
            keys.append(key_of(value))
    keys += map(key_of, placed)
    return list(dict.fromkeys(keys)) or [NULL_KEY]


def index_keys(document: Mapping[str, Any], paths: Sequence[Path]) -> tuple[set[bytes], int]:
    """Return the keys of a document in an index, and the fields (as bits) with an array in them.

    Raises:
        WriteError: two fields have arrays, or there are more than `ENTRIES_MAX` keys.
    """
    fields: list[list[bytes]] = []
    many, count = 0, 1
    for position, path in enumerate(paths):
        keys, arrays = _keys_at(document, path)
        fields.append(keys)
        many |= arrays << position
        count *= len(keys)
    if not many:
        return {b"".join(keys[0] for keys in fields)}, 0
    if many & (many - 1) and len({_first_array(document, path) for path in paths} - {None}) > 1:
        raise WriteError("cannot index parallel arrays", CANNOT_INDEX_PARALLEL_ARRAYS)
    if count > ENTRIES_MAX:
        raise WriteError(f"a document has more than {ENTRIES_MAX} keys in an index")
    return {b"".join(keys) for keys in product(*fields)}, many


def _element_keys(array: list[Any]) -> list[bytes]:
    return list(dict.fromkeys(map(key_of, array))) or [UNDEFINED_KEY]


def _walk(value: Any, path: Path, at: int, found: list[Any], placed: list[Any]) -> bool:
    """Add what the rest of a path reaches; return whether an array was on the way.

    What the path ends at by its place in an array is added to `placed`.
    """
    for position in range(at, len(path)):
        name = path[position]
        if isinstance(value, Mapping):
            value = value.get(name, MISSING)
        elif type(value) is list:
            for element in value:
                if isinstance(element, Mapping):
                    _walk(element, path, position, found, placed)
            if name.isdecimal() and name.isascii() and int(name) < len(value):
                element = value[int(name)]
                if position + 1 == len(path):
                    placed.append(element)
                else:
                    _walk(element, path, position + 1, found, placed)
            return True
        else:
            value = MISSING
        if value is MISSING:
            break
    found.append(value)
    return False


def _first_array(document: Mapping[str, Any], path: Path) -> Path | None:
    value: Any = document
    for position, name in enumerate(path):
        value = value.get(name, MISSING) if isinstance(value, Mapping) else MISSING
        if type(value) is list:
            return path[: position + 1]
    return None

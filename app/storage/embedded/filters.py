"""Filters: which documents they mean, as MongoDB has it, and what an index can say about that.

Known are the operators that the storage contract proves on every store; `Unsupported` names any
other one. An operand means what it is after the way to a server: dates have milliseconds.

https://www.mongodb.com/docs/manual/reference/operator/query/
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any

from bson import Binary, ObjectId

from app.storage.embedded.keys import AFTER, MISSING, NULL_KEY, key_of, type_range
from app.storage.embedded.paths import Path, reach, reach_elements, split
from models.database import Document, Filter

ARMS_MAX = 64
"""Alternatives of one filter that are looked up each by itself: a page of a list has four."""

Interval = tuple[bytes, bytes]
"""Keys from the first one on, up to the second one without it."""

Test = Callable[[Any], bool]


class Unsupported(NotImplementedError):
    """The embedded store does not know this operator or operand; the message names it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field must be, as far as an index of that field can say it."""

    path: Path
    points: tuple[bytes, ...] = ()
    """Keys of which the field has one; none when it is a range."""

    interval: Interval | None = None


Arm = tuple[Condition, ...]
"""Conditions that all hold; there may be more that no index can say."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter that was understood."""

    matches: Callable[[Document], bool]
    arms: tuple[Arm, ...]
    """What matches meets all conditions of at least one arm."""

    needles: tuple[bytes, ...] = ()
    """Bytes that are in the BSON of every document that matches."""

    equals: Mapping[str, Any] = field(default_factory=dict)
    """Fields that must equal a value: what an upsert starts from."""

    is_exact: bool = False
    """Whether all that meets the conditions of the one arm matches, if no field is an array."""

    @property
    def id_keys(self) -> tuple[bytes, ...] | None:
        """The keys of the only `_id`s that can match; None when others can."""
        found: dict[bytes, None] = {}
        for arm in self.arms:
            points = [each.points for each in arm if each.path == _ID and each.points]
            if not points:
                return None
            found |= dict.fromkeys(points[0])
        return tuple(found)


_ID: Path = ("_id",)


def with_id(name: str) -> Compiled:
    """Understand the filter for one `_id`, which most are, without looking for anything else."""
    return Compiled(
        matches=lambda document: document["_id"] == name,
        arms=((Condition(_ID, points=(key_of(name),)),),),
        equals={"_id": name},
        is_exact=True,
    )


def compile_filter(filter: Filter) -> Compiled:
    """Understand a filter, whose values must be as BSON gives them back.

    Raises:
        Unsupported: an operator or operand that is not known.
    """
    parts = [_compile_part(name, wanted) for name, wanted in filter.items()]
    return Compiled(
        matches=_all_of([part.matches for part in parts]),
        arms=_conjunction([part.arms for part in parts]),
        needles=tuple(needle for part in parts for needle in part.needles),
        equals={name: value for part in parts for name, value in part.equals.items()},
        is_exact=all(part.is_exact for part in parts)
        and len({name for name in filter if not name.startswith("$")}) == len(filter),
    )


def _compile_part(name: str, wanted: Any) -> Compiled:
    if name == "$and":
        return _compile_and([compile_filter(each) for each in _alternatives(name, wanted)])
    if name == "$or":
        return _compile_or([compile_filter(each) for each in _alternatives(name, wanted)])
    if name.startswith("$"):
        raise Unsupported(f"the embedded store does not know the operator {name}")
    if _has_operators(wanted):
        tests = [_compile_operator(name, operator, x) for operator, x in wanted.items()]
        return _compile_and(tests)
    return _compile_equality(name, wanted)


def _alternatives(name: str, wanted: Any) -> Sequence[Filter]:
    if not isinstance(wanted, list) or not wanted:
        raise Unsupported(f"{name} needs an array of filters that is not empty")
    return wanted


def _compile_and(parts: list[Compiled]) -> Compiled:
    return Compiled(
        matches=_all_of([part.matches for part in parts]),
        arms=_conjunction([part.arms for part in parts]),
        needles=tuple(needle for part in parts for needle in part.needles),
        equals={name: value for part in parts for name, value in part.equals.items()},
        is_exact=len(parts) == 1 and parts[0].is_exact,
    )


def _compile_or(parts: list[Compiled]) -> Compiled:
    tests = [part.matches for part in parts]
    arms = [arm for part in parts for arm in part.arms]
    return Compiled(
        matches=lambda document: any(test(document) for test in tests),
        arms=tuple(arms) if len(arms) <= ARMS_MAX else ((),),
    )


def _conjunction(several: list[tuple[Arm, ...]]) -> tuple[Arm, ...]:
    """Multiply out, and leave out alternatives of which there would be too many."""
    kept: list[tuple[Arm, ...]] = []
    count = 1
    for arms in sorted(several, key=len):
        if count * len(arms) <= ARMS_MAX:
            count *= len(arms)
            kept.append(arms)
    return tuple(tuple(each for arm in chosen for each in arm) for chosen in product(*kept))


def _all_of(tests: list[Callable[[Document], bool]]) -> Callable[[Document], bool]:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda document: first(document) and second(document)
    return lambda document: all(test(document) for test in tests)


def _compile_equality(name: str, wanted: Any) -> Compiled:
    path = split(name)
    condition = _points(path, [wanted])
    return Compiled(
        matches=_some_element(path, _equal_to(wanted)),
        arms=(condition,),
        equals={name: wanted},
        is_exact=bool(condition) and wanted is not None,
    )


def _compile_operator(name: str, operator: str, operand: Any) -> Compiled:
    compile_one = _OPERATORS.get(operator)
    if compile_one is None:
        raise Unsupported(f"the embedded store does not know the operator {operator}")
    return compile_one(split(name), operand)


def _compile_ne(path: Path, operand: Any) -> Compiled:
    return _without_index(_not(_some_element(path, _equal_to(operand))))


def _compile_in(path: Path, operand: Any) -> Compiled:
    values = _array_of_values("$in", operand)
    return Compiled(
        matches=_some_element(path, _equal_to_one_of(values)),
        arms=(_points(path, values),) if values else (),
    )


def _compile_nin(path: Path, operand: Any) -> Compiled:
    values = _array_of_values("$nin", operand)
    return _without_index(_not(_some_element(path, _equal_to_one_of(values))))


def _compile_all(path: Path, operand: Any) -> Compiled:
    values = _array_of_values("$all", operand)
    if not values:
        return Compiled(matches=lambda document: False, arms=())
    tests = [_some_element(path, _equal_to(value)) for value in values]
    return Compiled(matches=_all_of(tests), arms=(_points(path, values[:1]),))


def _compile_size(path: Path, operand: Any) -> Compiled:
    if type(operand) is not int or operand < 0:
        raise Unsupported("$size needs a whole number that is not negative")
    return _without_index(
        lambda document: any(
            type(value) is list and len(value) == operand for value in reach(document, path)
        )
    )


def _compile_exists(path: Path, operand: Any) -> Compiled:
    if type(operand) is not bool:
        raise Unsupported("$exists needs a boolean")
    return _without_index(
        lambda document: any(value is not MISSING for value in reach(document, path)) is operand
    )


def _compile_regex(path: Path, operand: Any) -> Compiled:
    text = _literal(operand)
    return Compiled(
        matches=_some_element(path, lambda value: isinstance(value, str) and text in value),
        arms=((),),
        needles=(text.encode(),) if text else (),
    )


def _literal(pattern: Any) -> str:
    """Read a pattern that finds one text: what `re.escape` makes, or letters and digits.

    Other patterns mean different things to Python and to MongoDB's PCRE.
    """
    if not isinstance(pattern, str):
        raise Unsupported("$regex needs a pattern in a string")
    read: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if not character or character.isalnum():
                raise Unsupported("$regex is known for escaped texts only, not for classes")
        elif character in _SPECIAL:
            raise Unsupported(f"$regex is known for escaped texts only, not for {character}")
        read.append(character)
    return "".join(read)


_SPECIAL = frozenset(".^$*+?()[]{}|")


def _compile_range(operator: str) -> Callable[[Path, Any], Compiled]:
    inclusive = operator in ("$gte", "$lte")
    is_lower = operator in ("$gt", "$gte")

    def compile_range(path: Path, operand: Any) -> Compiled:
        if isinstance(operand, list | dict):
            raise Unsupported(f"{operator} is not known for arrays and documents")
        if operand is None or operand != operand:
            # Null and NaN have an order towards themselves only.
            if not inclusive:
                return Compiled(matches=lambda document: False, arms=())
            equal = _some_element(path, _equal_to(operand))
            return Compiled(matches=equal, arms=(_points(path, [operand]),))
        key = key_of(operand)
        start, end = type_range(key)
        above = key if inclusive is is_lower else key + AFTER
        interval = (above, end) if is_lower else (start, above)
        test = _compared(operator, operand)
        return Compiled(
            matches=_some_element(path, test), arms=((Condition(path, interval=interval),),)
        )

    return compile_range


def _compared(operator: str, operand: Any) -> Test:
    same = _same_type(operand)
    match operator:
        case "$gt":
            return lambda value: same(value) and value > operand
        case "$gte":
            return lambda value: same(value) and value >= operand
        case "$lt":
            return lambda value: same(value) and value < operand
        case _:
            return lambda value: same(value) and value <= operand


def _same_type(operand: Any) -> Test:
    if isinstance(operand, bool):
        return lambda value: type(value) is bool
    if isinstance(operand, int | float):
        return lambda value: isinstance(value, int | float) and type(value) is not bool
    for kind in (str, datetime, ObjectId):
        if isinstance(operand, kind):
            return lambda value, kind=kind: isinstance(value, kind)  # type: ignore[misc]
    raise Unsupported(f"values of type {type(operand).__name__} have no known order")


_OPERATORS: dict[str, Callable[[Path, Any], Compiled]] = {
    "$gt": _compile_range("$gt"),
    "$gte": _compile_range("$gte"),
    "$lt": _compile_range("$lt"),
    "$lte": _compile_range("$lte"),
    "$ne": _compile_ne,
    "$in": _compile_in,
    "$nin": _compile_nin,
    "$all": _compile_all,
    "$size": _compile_size,
    "$exists": _compile_exists,
    "$regex": _compile_regex,
}


def _has_operators(wanted: Any) -> bool:
    return isinstance(wanted, Mapping) and any(name.startswith("$") for name in wanted)


def _array_of_values(operator: str, operand: Any) -> list[Any]:
    if not isinstance(operand, list):
        raise Unsupported(f"{operator} needs an array")
    for value in operand:
        if _has_operators(value):
            raise Unsupported(f"{operator} does not take operators")
    return operand


def _without_index(matches: Callable[[Document], bool]) -> Compiled:
    return Compiled(matches=matches, arms=((),))


def _not(test: Callable[[Document], bool]) -> Callable[[Document], bool]:
    return lambda document: not test(document)


def _points(path: Path, values: Iterable[Any]) -> Arm:
    """Say in which keys of an index documents with one of the values are, if that can be said."""
    keys: dict[bytes, None] = {}
    for value in values:
        if isinstance(value, list):
            return ()  # elements are indexed one by one
        keys[key_of(value)] = None
    return (Condition(path, points=tuple(keys)),)


def _some_element(path: Path, test: Test) -> Callable[[Document], bool]:
    if len(path) == 1:
        name = path[0]

        def matches(document: Document) -> bool:
            value = document.get(name, MISSING)
            if type(value) is list:
                return any(map(test, value)) or test(value)
            return test(value)

        return matches
    return lambda document: any(map(test, reach_elements(document, path)))


def _equal_to(wanted: Any) -> Test:
    if wanted is None:
        return lambda value: value is None or value is MISSING
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, int | float):
        if wanted != wanted:
            return lambda value: isinstance(value, float) and value != value
        return lambda value: value == wanted and type(value) is not bool
    if isinstance(wanted, str | datetime | ObjectId) or type(wanted) is bytes:
        return lambda value: bool(value == wanted)
    key = key_of(wanted)
    kinds = (bytes, Binary) if isinstance(wanted, bytes) else (type(wanted),)
    # Their numbers may be equal across types, and the order of their fields counts.
    return lambda value: isinstance(value, kinds) and key_of(value) == key


def _equal_to_one_of(values: list[Any]) -> Test:
    keys = frozenset(map(key_of, values))
    if all(isinstance(value, str) for value in values):
        texts = frozenset(values)
        return lambda value: isinstance(value, str) and value in texts
    return lambda value: key_of(value) in keys


def conditions_on(arm: Arm, path: Path) -> Iterator[Condition]:
    """Yield the conditions of an arm on one field."""
    return (each for each in arm if each.path == path)


def is_null(condition: Condition) -> bool:
    """Whether the condition lets null, and so missing fields, pass."""
    return NULL_KEY in condition.points

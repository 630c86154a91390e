"""Random documents, filters, updates and pages, near the edges of what the contract suite proves.

Fields and values come from small sets, so that what is asked for often meets what is there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from models.database import Collection, Document, SortKeys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

IDS = [*"pqrstu", "p:1", "p:10", "p:2"]
FIELDS = [*"abcde"]
SCALAR_FIELDS = [*"de"]
"""Fields that never hold an array: a compound index may have one field with arrays only."""

PATHS = [*"aabbcddee", "a.x", "a.y", "b.x", "a.0", "b.0", "c.1", "a.x.0", "a.0.x", "b.x.y"]

SORTED = [path for path in dict.fromkeys(PATHS) if not {"0", "1"} & {*path.split(".")}]
"""Places in arrays sort arrays that are there otherwise in SecantusDB than in MongoDB."""

INDEXES: dict[str, list[SortKeys]] = {
    "plain": [],
    "single": [[(field, 1)] for field in FIELDS],
    "dotted": [[("a.x", 1)], [("b.x", 1), ("_id", 1)], [("a.0", 1)]],
    "newest": [[("a", 1), ("d", -1), ("_id", -1)], [("d", 1), ("b", -1), ("e", -1)]],
    "oldest": [[("d", 1), ("e", 1), ("_id", 1)], [("b", -1), ("_id", -1)], [("e", 1), ("a", 1)]],
}
"""Names of collections and their indexes."""

NUMBERS: list[int | float] = [
    *(0, 1, 2, 3, -1, 2**31 - 1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1),
    *(2**63 - 1, -(2**63), 0.5, 1.0, 2.0, -0.0, float(2**53), 2.0**63, 1e300, -1e-300),
]
TEXTS = [
    "",
    "a",
    "b",
    "B",
    "ab",
    "a b",
    "é",
    "e\u0301",
    "\0",
    "a\0",
    "a\0b",
    "🎉",
    "\uffff",
    "10",
    "9",
]
MOMENTS = [
    NOON,
    NOON + MILLISECOND,
    NOON - MILLISECOND,
    NOON + timedelta(days=1),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
]

numbers = st.sampled_from(NUMBERS)
texts = st.sampled_from(TEXTS)
moments = st.sampled_from(MOMENTS)
ids = st.sampled_from(IDS)
comparable = st.one_of(numbers, texts, moments)
scalars = st.one_of(st.none(), st.booleans(), comparable, st.sampled_from([b"", b"a", b"b"]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "0", "1"]), inner, max_size=2),
    ),
    max_leaves=5,
)
paths = st.sampled_from(PATHS)
fields = st.sampled_from(FIELDS)


def documents() -> st.SearchStrategy[Document]:
    """Draw documents of a few fields, each of which may be missing."""
    return st.builds(
        lambda name, any, scalar: {"_id": name} | any | scalar,
        ids,
        st.dictionaries(st.sampled_from("abc"), values, max_size=3),
        st.dictionaries(st.sampled_from(SCALAR_FIELDS), scalars, max_size=2),
    )


@st.composite
def _condition(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["=", "=", "=", "range", "range", "between", "set", "other"]))
    if kind == "=":
        return draw(scalars)
    if kind == "range":
        return {draw(st.sampled_from(["$gt", "$gte", "$lt", "$lte"])): draw(comparable)}
    if kind == "between":
        low, high = draw(st.sampled_from(["$gt", "$gte"])), draw(st.sampled_from(["$lt", "$lte"]))
        of_one_kind = draw(st.sampled_from([numbers, texts, moments]))
        return {low: draw(of_one_kind), high: draw(of_one_kind)}
    if kind == "set":
        return {draw(st.sampled_from(["$in", "$nin"])): draw(st.lists(scalars, max_size=3))}
    return draw(
        st.one_of(
            st.builds(lambda value: {"$ne": value}, scalars),
            st.builds(
                lambda listed: {"$all": listed}, st.lists(comparable, min_size=1, max_size=2)
            ),
            st.builds(lambda size: {"$size": size}, st.integers(0, 3)),
            st.builds(lambda there: {"$exists": there}, st.booleans()),
            st.builds(lambda text: {"$regex": text}, st.sampled_from(["a", "b", "é", "a\\ b"])),
        )
    )


def _present() -> st.SearchStrategy[Any]:
    """Draw a condition that only something that is there meets.

    A place behind the end of an array is null to SecantusDB, and nothing at all to MongoDB.
    """
    return st.one_of(
        comparable,
        st.booleans(),
        st.builds(
            lambda operator, value: {operator: value},
            st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
            comparable,
        ),
        st.builds(lambda values: {"$in": values}, st.lists(comparable, max_size=3)),
        st.just({"$exists": True}),
    )


_id_conditions = st.one_of(
    ids,
    st.builds(
        lambda operator, name: {operator: name},
        st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$ne"]),
        ids,
    ),
    st.builds(lambda names: {"$in": names}, st.lists(ids, max_size=4)),
)


@st.composite
def filters(draw: st.DrawFn, depth: int = 2) -> Document:
    """Draw a filter: conditions on up to three paths, with `$or` and `$and` up to `depth` deep."""
    filter: Document = {}
    if draw(st.integers(0, 4)) == 0:
        filter["_id"] = draw(_id_conditions)
    for path in draw(st.lists(paths, max_size=2, unique=True)):
        filter[path] = draw(_present() if "0" in path or "1" in path else _condition())
    if depth and draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(["$or", "$and"]))
        filter[operator] = draw(st.lists(filters(depth - 1), min_size=1, max_size=3))
    return filter


_numeric = st.tuples(st.just("$inc"), numbers)
_extreme = st.tuples(st.sampled_from(["$max", "$min"]), comparable)
_removal = st.tuples(st.just("$unset"), st.just(""))
_scalar_changes = st.one_of(st.tuples(st.just("$set"), scalars), _removal, _numeric, _extreme)
_changes = st.one_of(
    st.tuples(st.just("$set"), values),
    _removal,
    _numeric,
    _extreme,
    st.tuples(st.sampled_from(["$push", "$addToSet", "$pull"]), scalars),
    st.tuples(
        st.sampled_from(["$push", "$addToSet"]),
        st.dictionaries(st.sampled_from("xy"), scalars, min_size=1, max_size=2),
    ),
)


@st.composite
def updates(draw: st.DrawFn) -> Document:
    """Draw an update of one to three operators on different fields."""
    update: Document = {}
    targets = draw(st.lists(paths, min_size=1, max_size=3, unique_by=lambda path: path[0]))
    for target in targets:
        operator, operand = draw(_scalar_changes if target in SCALAR_FIELDS else _changes)
        update.setdefault(operator, {})[target] = operand
    return update


@dataclass(frozen=True)
class Step:
    """One operation and what it is given."""

    operation: str
    filter: Document
    update: Document | None = None
    sort: SortKeys | None = None
    limit: int = 0
    only: tuple[str, ...] = ()
    upsert: bool = False
    after: bool = False


@st.composite
def _reads(draw: st.DrawFn) -> Step:
    sort: SortKeys | None = None
    limit = 0
    if draw(st.booleans()):
        sorted_by = draw(st.lists(st.sampled_from(SORTED), max_size=2, unique=True))
        ways = st.sampled_from([1, -1])
        sort = [*((path, draw(ways)) for path in sorted_by), ("_id", draw(ways))]
        limit = draw(st.integers(0, 4))
    only = draw(st.one_of(st.just(()), st.lists(fields, max_size=2, unique=True).map(tuple)))
    return Step("find", draw(filters()), sort=sort, limit=limit, only=only)


@st.composite
def _pages(draw: st.DrawFn) -> Step:
    """Draw the next page of a list, as models ask for it."""
    way = draw(st.sampled_from([1, -1]))
    before = "$lt" if way == -1 else "$gt"
    time, owner = draw(st.permutations(FIELDS))[:2]
    moment, last = draw(comparable), draw(ids)
    filter: Document = {"$or": [{time: {before: moment}}, {time: moment, "_id": {before: last}}]}
    if draw(st.booleans()):
        filter[owner] = draw(scalars)
    return Step("find", filter, sort=[(time, way), ("_id", way)], limit=draw(st.integers(1, 4)))


@st.composite
def _upserts(draw: st.DrawFn) -> Step:
    """Draw an upsert by `_id`, perhaps on a condition that a document with it does not meet."""
    filter: Document = {"_id": draw(ids)}
    if draw(st.integers(0, 3)) == 0:
        filter[draw(fields)] = draw(scalars)
    operation = draw(st.sampled_from(["update_one", "find_one_and_update"]))
    after = operation == "find_one_and_update" and draw(st.booleans())
    return Step(operation, filter, draw(updates()), upsert=True, after=after)


def steps() -> st.SearchStrategy[Step]:
    """Draw operations, as many that read as that write."""
    return st.one_of(
        _reads(),
        _reads(),
        _pages(),
        st.builds(Step, st.sampled_from(["count_documents", "find_one"]), filters()),
        st.builds(lambda names: Step("find_ids", {"_id": names}), st.lists(ids, max_size=4)),
        st.builds(lambda document: Step("insert_one", document), documents()),
        st.builds(Step, st.sampled_from(["update_one", "update_many"]), filters(), updates()),
        st.builds(
            lambda filter, update, after: Step("find_one_and_update", filter, update, after=after),
            filters(),
            updates(),
            st.booleans(),
        ),
        _upserts(),
        st.builds(Step, st.sampled_from(["delete_one", "delete_many"]), filters()),
    )


async def run(collection: Collection, step: Step) -> Any:
    """Take one step and return its outcome, without errors' texts and without an order not asked
    for.

    Raises:
        whatever the operation raises.
    """
    match step.operation:
        case "find":
            cursor = collection.find(step.filter, only=step.only)
            if step.sort:
                cursor = cursor.sort(step.sort)
            if step.limit:
                cursor = cursor.limit(step.limit)
            found = await cursor.to_list(None)
            return found if step.sort else sorted(found, key=lambda document: document["_id"])
        case "find_ids":
            found = await collection.find_ids(step.filter["_id"])
            return sorted(found, key=lambda document: document["_id"])
        case "insert_one":
            await collection.insert_one(dict(step.filter))
            return None
        case "update_one":
            result = await collection.update_one(step.filter, step.update or {}, upsert=step.upsert)
            return result.matched_count, result.modified_count
        case "update_many":
            result = await collection.update_many(step.filter, step.update or {})
            return result.matched_count, result.modified_count
        case "find_one_and_update":
            return await collection.find_one_and_update(
                step.filter, step.update or {}, upsert=step.upsert, return_document=step.after
            )
        case "delete_one":
            return (await collection.delete_one(step.filter)).deleted_count
        case "delete_many":
            return (await collection.delete_many(step.filter)).deleted_count
        case "find_one":
            return await collection.find_one(step.filter)
        case _:
            return await collection.count_documents(step.filter)

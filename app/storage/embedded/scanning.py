"""Reading documents along a plan, some at a time.

Every call of SQLite lets other threads run, and a thread that competes with a busy event loop waits
up to the interpreter's switch interval to go on. So one statement returns a whole batch: documents
one after the other in one value, which BSON's own lengths take apart again.

https://docs.python.org/3/library/sys.html#sys.setswitchinterval
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import bson
from bson.codec_options import CodecOptions

from app.storage.embedded.catalogue import Catalogue, CollectionInfo
from app.storage.embedded.filters import Compiled
from app.storage.embedded.keys import key_of, owner_key
from app.storage.embedded.paths import Path, sort_key
from app.storage.embedded.planner import BY_ID, MERGED_MAX, Plan, make_plan
from models.database import Document

CODEC: CodecOptions[Any] = CodecOptions(tz_aware=True)

BATCH = 128
"""Documents decoded in one go: a millisecond in which no other thread runs."""

FIRST_BATCH = 32
"""Before it is known how large they are."""

BATCH_BYTES = 1024**2

SEARCHED = 2_000
"""Documents that one statement looks through for bytes that must be in them; it ends with a batch
of those that have them."""

Order = Sequence[tuple[Path, int]]


class Outdated(Exception):
    """The catalogue that a plan was made from is not that of the data."""


class Scan:
    """Documents that match, a batch at a time; each statement sees the data as it is then."""

    def __init__(
        self, catalogue: Catalogue, name: str, filter: Compiled, order: Order = (), limit: int = 0
    ) -> None:
        """`limit`: how many are wanted, 0 for all of them."""
        self._catalogue = catalogue
        self._info: CollectionInfo | None = catalogue.collections.get(name)
        self._filter = filter
        self._limit = limit
        self.order = order
        self.plan = make_plan(self._info, filter, order) if self._info else Plan(BY_ID, (), ())
        self._left = self._owned(self._info) if self._info else []
        if self.plan.descending:
            self._left.reverse()
        self._seen: set[Any] = set()
        self._batch = min(limit or FIRST_BATCH, BATCH)
        self._begun = False

    @property
    def is_sorted(self) -> bool:
        """Whether the documents come in the wanted order."""
        return self.plan.is_ordered or not self.order

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to read."""
        return not self._left

    def next(self, connection: sqlite3.Connection) -> list[Document]:
        """Read a batch and return those of it that match; none does not mean that it is done.

        Raises:
            Outdated: with the first batch.
        """
        if self._info is None or not self._left:
            return []
        now, later = self._left[:MERGED_MAX], self._left[MERGED_MAX:]
        documents, count, last, is_more, version = self._read(connection, now)
        if not self._begun and version != self._catalogue.version:
            raise Outdated
        self._begun = True
        self._left = [*self._behind(now, last), *later] if is_more else later
        if documents:
            # Large documents come one by one, small ones many at a time.
            average = len(documents) // count + 1
            self._batch = max(1, min(BATCH, 2 * self._batch, BATCH_BYTES // average))
        found = bson.decode_all(documents, CODEC) if documents else []
        matches = self._filter.matches
        return [each for each in found if matches(each) and self._is_new(each)]

    def all(self, connection: sqlite3.Connection) -> list[Document]:
        """Read on to the end, or to the limit, and return the documents in the wanted order."""
        found: list[Document] = []
        stop = self._limit if self.is_sorted else 0
        while self._left and not (stop and len(found) >= stop):
            found += self.next(connection)
        if not self.is_sorted:
            sort(found, self.order)
        return found[: self._limit] if self._limit else found

    def count(self, connection: sqlite3.Connection) -> int:
        """Count what matches, without reading it where the index says enough."""
        if self._info is None:
            return 0
        if not self.plan.is_covered:
            count = 0
            while self._left:
                count += len(self.next(connection))
            return count
        total = 0
        text = _COUNT_BY_ID if self.plan.index is BY_ID else _COUNT
        for _, (lo, hi) in self._left:
            count, version = connection.execute(text, (lo, hi)).fetchone()
            if version != self._catalogue.version:
                raise Outdated
            total += count
        return total

    def _owned(self, info: CollectionInfo) -> list[tuple[int, tuple[bytes, bytes]]]:
        """Return the intervals with what all keys of the collection or index begin with."""
        index = self.plan.index
        owner = owner_key(info.id if index is BY_ID else index.id)
        return [
            (len(owner) + start, (owner + lo, owner + hi))
            for start, (lo, hi) in zip(self.plan.starts, self.plan.intervals, strict=True)
        ]

    def _read(
        self, connection: sqlite3.Connection, parts: list[Any]
    ) -> tuple[bytes, int, bytes, bool, int]:
        """Return documents, how many, the last key looked at, whether to go on, the version."""
        needles, batch = self._filter.needles, self._batch
        size = SEARCHED if needles else batch
        values: list[Any] = []
        for start, (lo, hi) in parts:
            values += (start + 1, lo, hi, size)
        if len(parts) > 1:
            values.append(size)
        by_id = self.plan.index is BY_ID
        text = _statement(by_id, len(parts), self.plan.descending, len(needles))
        if not needles:
            documents, count, last, version = connection.execute(text, values).fetchone()
            return documents, count, last, count == size, version
        values += (*needles, batch)
        row = connection.execute(text, values).fetchone()
        documents, count, last, version, looked_at, end = row
        if count == batch:
            return documents, count, last, True, version
        return documents, count, end, looked_at == size, version

    def _behind(self, parts: list[Any], last: bytes) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
        for start, (lo, hi) in parts:
            beginning = lo[:start]
            if self.plan.descending:
                hi = min(hi, beginning + last)
            else:
                lo = max(lo, beginning + last + b"\x00")
            if lo < hi:
                yield start, (lo, hi)

    def _is_new(self, document: Document) -> bool:
        name = document["_id"]
        if type(name) is not str:
            name = key_of(name)
        if name in self._seen:
            return False
        self._seen.add(name)
        return True


def sort(documents: list[Document], order: Order) -> None:
    """Sort in place."""
    for path, direction in reversed(order):
        documents.sort(
            key=lambda document: sort_key(document, path, direction),
            reverse=direction < 0,
        )


def read_by_id(
    connection: sqlite3.Connection, collection: int, keys: Sequence[bytes]
) -> list[Document]:
    """Read the documents with these keys of their `_id`, in no certain order."""
    owner = owner_key(collection)
    if len(keys) == 1:
        row = connection.execute(_BY_ID, (owner + keys[0],)).fetchone()
        return [bson.decode(row[0], CODEC)] if row else []
    found: list[Document] = []
    for at in range(0, len(keys), BATCH):
        some = [owner + key for key in keys[at : at + BATCH]]
        (documents,) = connection.execute(_by_ids(len(some)), some).fetchone()
        if documents:
            found += bson.decode_all(documents, CODEC)
    return found


_BY_ID = "SELECT document FROM documents WHERE key = ?"

_VERSION = "(SELECT value FROM meta WHERE name = 'version')"

_COUNT = f"SELECT count(*), {_VERSION} FROM entries WHERE key >= ? AND key < ?"
_COUNT_BY_ID = f"SELECT count(*), {_VERSION} FROM documents WHERE key >= ? AND key < ?"


@lru_cache(maxsize=256)
def _by_ids(count: int) -> str:
    return (
        "SELECT CAST(group_concat(document, '') AS BLOB) FROM documents"
        f" WHERE key IN ({', '.join('?' * count)})"
    )


@lru_cache(maxsize=256)
def _statement(by_id: bool, count: int, descending: bool, needles: int) -> str:
    """Return the statement for a batch: documents, how many, the last key, version.

    With needles also: how many were looked at, and the last key of those.

    Parameters: for each interval: position of the key's ordered part, from, to, limit; for several
    intervals the limit again; the needles, and how many documents with them are wanted.
    """
    direction, last = ("DESC", "min") if descending else ("ASC", "max")
    part = (
        f"SELECT n, substr(key, ?) AS k FROM {'documents' if by_id else 'entries'}"
        f" WHERE key >= ? AND key < ? ORDER BY key {direction} LIMIT ?"
    )
    if count > 1:
        parts = " UNION ALL ".join([f"SELECT * FROM ({part})"] * count)
        part = f"SELECT n, k FROM ({parts}) ORDER BY k {direction} LIMIT ?"
    # The inner LIMIT keeps the inner ORDER BY; CROSS JOIN keeps the order of the two tables.
    if not needles:
        return (
            f"SELECT CAST(group_concat(d.document, '') AS BLOB), count(*), {last}(c.k), {_VERSION}"
            f" FROM ({part}) AS c CROSS JOIN documents AS d ON d.n = c.n"
        )
    has = " AND ".join(["instr(d.document, ?)"] * needles)
    return (
        f"WITH c AS ({part}) SELECT CAST(group_concat(f.document, '') AS BLOB), count(*),"
        f" {last}(f.k), {_VERSION}, (SELECT count(*) FROM c), (SELECT {last}(k) FROM c)"
        " FROM (SELECT d.document, c.k FROM c CROSS JOIN documents AS d ON d.n = c.n"
        f" WHERE {has} LIMIT ?) AS f"
    )

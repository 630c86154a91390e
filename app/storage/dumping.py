"""A whole database in one file that either store reads: to move from one to the other, and to keep.

The file is gzip of BSON documents one behind the other: a head, then `{"c": collection, "d":
document}` for each document, then an end that says how many there were, by which a file that was
cut short is known.
"""

import asyncio
import gzip
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions
from pymongo.errors import DuplicateKeyError

from models.collections import COLLECTIONS
from models.database import Database, Document
from models.errors import Conflict, Invalid

FORMAT = "realtime-namespaces dump 1"
_OPTIONS: CodecOptions[Document] = CodecOptions(tz_aware=True)


async def dump(database: Database, path: Path) -> dict[str, int]:
    """Write all documents to a new file; returns how many there were of each collection.

    It is written under another name first, so that a file of this name is whole. Documents that
    change meanwhile are written as they were or as they are.

    Raises:
        FileExistsError: it is there already.
        OSError: it cannot be written.
    """
    if await asyncio.to_thread(path.exists):
        raise FileExistsError(path)
    draft = path.with_name(f"{path.name}.part")
    counts: Counter[str] = Counter()
    try:
        with draft.open("xb") as raw, gzip.open(raw, "wb", compresslevel=6) as packed:
            packed.write(bson.encode({"format": FORMAT}))
            for name in COLLECTIONS:
                async for document in database[name].find({}):
                    packed.write(bson.encode({"c": name, "d": document}))
                    counts[name] += 1
            packed.write(bson.encode({"end": dict(counts)}))
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        # A link fails where a file of this name has come meanwhile.
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return dict(counts)


async def load(database: Database, path: Path) -> dict[str, int]:
    """Write all documents of a file into an empty database; returns how many of each collection.

    The file is looked through first, so that one that is damaged changes nothing.

    Raises:
        Invalid: the file is no dump, is damaged, or was cut short.
        Conflict: code `database_not_empty`.
        OSError: it cannot be read.
    """
    expected = _checked(path)
    for name in COLLECTIONS:
        if await database[name].find_one({}) is not None:
            raise Conflict(f"The database is not empty: it has {name}.", code="database_not_empty")
    for name, document in _documents(path):
        try:
            await database[name].insert_one(document)
        except DuplicateKeyError:
            raise Conflict(
                "Something else writes into the database meanwhile.", code="database_not_empty"
            ) from None
    return expected


def _checked(path: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    end: dict[str, int] | None = None
    for entry in _entries(path):
        if end is not None:
            raise Invalid(f"{path} goes on behind its end.")
        if "end" in entry:
            end = entry["end"]
        elif entry.get("c") not in COLLECTIONS:
            raise Invalid(f"{path} has a collection that this release does not know.")
        else:
            counts[entry["c"]] += 1
    if end is None or end != dict(counts):
        raise Invalid(f"{path} was cut short: it has no end, or not all documents.")
    return end


def _documents(path: Path) -> Iterator[tuple[str, Document]]:
    for entry in _entries(path):
        if "c" in entry:
            yield entry["c"], entry["d"]


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as raw, gzip.open(raw, "rb") as packed:
        try:
            head = _read(packed)
            if head is None or head.get("format") != FORMAT:
                raise Invalid(f"{path} is not a dump of this server.")
            while (entry := _read(packed)) is not None:
                yield entry
        except (gzip.BadGzipFile, zlib.error, EOFError, bson.InvalidBSON):
            raise Invalid(f"{path} is damaged, or not a dump of this server.") from None


def _read(source: gzip.GzipFile) -> dict[str, Any] | None:
    """Read one document; None at the end of the file."""
    length = source.read(4)
    if not length:
        return None
    size = int.from_bytes(length, "little")
    # The least document has five bytes; no document of a store has more than 16 MB and its name.
    if not 5 <= size <= 17_000_000:
        raise bson.InvalidBSON("not a length")
    return bson.decode(length + source.read(size - 4), codec_options=_OPTIONS)

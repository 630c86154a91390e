"""Reading the embedded store's files of releases that kept it in tinymongo's sharded SQLite.

`DATA_DIR/<database>.sqlite-sharded/shards/<number>/data.sqlite` holds a part of each collection: a
table of its name with `data`, a document as JSON, and `__tinymongo_order`, in which documents
were inserted. `manifest.sqlite` names the collections. What JSON lacks is an object of two fields,
`__tinymongo_type_v1__` (`datetime`, `objectid`, `binary`, `float`, `mapping`) and `value`.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import Binary, ObjectId

from models.database import Document
from models.errors import Invalid

SUFFIX = ".sqlite-sharded"

_TYPE, _VALUE = "__tinymongo_type_v1__", "value"
_FLOATS = {"nan": "nan", "infinity": "inf", "-infinity": "-inf"}


class OlderFiles:
    """The files of one database, opened to read; no process may write them meanwhile."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the one that ends with `SUFFIX`.

        Raises:
            Invalid: it does not hold such files, or damaged ones.
        """
        self._shards = sorted(folder.glob("shards/*/data.sqlite"))
        try:
            with closing(_connect(folder / "manifest.sqlite")) as manifest:
                rows = manifest.execute("SELECT collection_name FROM __tinymongo_collections")
                self.collections: list[str] = sorted(name for (name,) in rows)
                ((shards,),) = manifest.execute("SELECT shard_count FROM __tinymongo_config")
        except (sqlite3.Error, ValueError) as error:
            raise Invalid(f"{folder} holds no files of an older release: {error}.") from None
        if len(self._shards) != shards:
            raise Invalid(f"{folder} has {len(self._shards)} of its {shards} shards.")

    def documents(self, collection: str) -> Iterator[Document]:
        """Yield the documents of a collection, of each shard in the order of their insertion.

        Raises:
            Invalid: one cannot be read.
        """
        table = '"' + collection.replace('"', '""') + '"'
        for shard in self._shards:
            with closing(_connect(shard)) as connection:
                try:
                    if not _has_table(connection, collection):
                        continue
                    rows = connection.execute(
                        f"SELECT data FROM {table} ORDER BY __tinymongo_order, rowid"  # noqa: S608
                    )
                    for (data,) in rows:
                        yield _decoded(json.loads(data))
                except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
                    raise Invalid(f"{shard}: {collection} cannot be read: {error}.") from None


def find_older_files(data_dir: Path) -> list[Path]:
    """Return the folders of databases of an older release in a `DATA_DIR`."""
    return sorted(path for path in data_dir.glob(f"*{SUFFIX}") if path.is_dir())


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {_TYPE, _VALUE}:
        return {name: _decoded(item) for name, item in value.items()}
    kept = value[_VALUE]
    match value[_TYPE]:
        case "datetime":
            return datetime.fromisoformat(kept).replace(tzinfo=UTC)
        case "objectid":
            return ObjectId(kept)
        case "binary":
            data, subtype = base64.b64decode(kept["base64"], validate=True), kept["subtype"]
            return Binary(data, subtype) if subtype else data
        case "float":
            return float(_FLOATS[kept])
        case "mapping":
            return {name: _decoded(item) for name, item in kept}
        case other:
            raise ValueError(f"a value of type {other}, which this server never kept")

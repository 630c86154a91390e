"""Serve SecantusDB 0.7.0b3 with three faults put right; options as for `secantusd-py`.

Runs in the environment that `.ci/mongodb` makes. The corrections reach into that one version,
which `requirements-mongodb.txt` pins.

* Of several `findAndModify` commands that upsert one document at once, those that find it made by
  another one change it and return null, where MongoDB returns the document.
* A range over a field of a compound index leaves out documents that MongoDB returns. Documents are
  found by their `_id` or by looking at all of them: tests have few.
* It refuses regular expressions of more than 1,000 characters; MongoDB takes 32,764 bytes.
"""

import sys
from collections.abc import Mapping
from typing import Any

from secantus import __version__, query
from secantus.cli import main
from secantus.storage import Storage

CORRECTED = "0.7.0b3"

_update_matching = Storage.update_matching
_by_index = Storage._try_index_id_keys


def _update_and_return(storage: Storage, *args: Any, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = _update_matching(storage, *args, **options)
    if options.get("upsert") and result.get("post_images"):
        # What `findAndModify` asks before it returns the document that was written.
        result["did_upsert"] = True
    return result


def _by_id_alone(
    storage: Storage, db: str, coll: str, filter: dict[str, Any], *, collation: Any = None
) -> list[bytes] | None:
    wanted = filter.get("_id")
    if wanted is None or isinstance(wanted, Mapping):
        return None
    found: list[bytes] | None = _by_index(storage, db, coll, {"_id": wanted}, collation=collation)
    return found


def _no_index(*_args: Any, **_options: Any) -> None:
    return None


if __name__ == "__main__":
    if __version__ != CORRECTED:
        sys.exit(f"mongodb: this is SecantusDB {__version__}; the corrections are for {CORRECTED}")
    query._MAX_REGEX_PATTERN_LEN = 32_764
    Storage.update_matching = _update_and_return
    Storage._try_index_id_keys = _by_id_alone
    Storage._find_leading_field_index = _no_index
    Storage._compound_index_for_sort = _no_index
    sys.exit(main())

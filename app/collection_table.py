"""The page of collections: `python -m app.collection_table > docs/collections.md` writes it."""

import sys

from models.collections import COLLECTIONS, CollectionPolicy

_HEAD = """# Collections

Generated from `models/collections.py` by `python -m app.collection_table > docs/collections.md`.

Everything that is stored. A sweep deletes what has had its time, every minute, 200 documents at a
time; a time in a field that a document lacks never comes.

*Names* are the fields that hold account ids. *Handed over* is what happens to the documents when
the verified owner of an address takes its account over, *deleted* when the account is deleted:
`untouched`; `removed`; `ended` (what is open, joined or shared ends); `anonymised` (they stay under
a random name that leads to no account); `deleted account` (they stay under the account's id, of
which nothing but the id is left). *Exported*: whether the account's own export has them.

| collection | kept | names | handed over | deleted | exported |
|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the page."""
    return _HEAD + "".join(_row(name, policy) for name, policy in COLLECTIONS.items())


def _row(name: str, policy: CollectionPolicy) -> str:
    names = ", ".join(f"`{field}`" for field in policy.names.split(", ") if field)
    fates = f"{policy.handed_over.value} | {policy.deleted.value}" if names else "| "
    exported = "yes" if policy.exported else "no" if names else ""
    return f"| `{name}` | {policy.kept} | {names} | {fates} | {exported} |\n"


if __name__ == "__main__":
    sys.stdout.write(table())

"""Ids of what is in a diary: UUIDs, which clients may choose without seeing them."""

import uuid

_NAMES = uuid.UUID("5b8f4b2e-6f0e-4f0b-9a57-1d0c1f6f9f35")
"""Of no meaning; it keeps these ids apart from all others that are made of names."""


def new_id(kind: str, account_id: str, client_id: str | None) -> str:
    """Give the `_id` of a new document: with a `client_id` the same one each time.

    Ids of this kind can be computed by others: knowing one must never be a right to anything.
    """
    if client_id is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(_NAMES, f"{kind}:{account_id}:{client_id}"))


def is_id(text: str) -> bool:
    """Whether it is written as these ids are: a UUID in lower case with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False

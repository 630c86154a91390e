"""Ids of what is in a diary: UUIDs."""

import uuid


def id_of(operation_id: str) -> str:
    """Return the `_id` of what an operation makes: the same one each time."""
    return str(uuid.UUID(operation_id))


def is_id(text: str) -> bool:
    """Whether it is written as these ids are: a UUID in lower case with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False

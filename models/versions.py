"""Changes on condition that nobody else has made one since: `if_version`, over REST `If-Match`."""

from typing import Any

from marshmallow import validate

from models.errors import PreconditionFailed
from models.fields import Input, WholeNumber

NAME = "if_version"
"""The field of a request, at every door."""

MAX_VERSION = 2**53 - 1
"""What every client can count to."""


class IfVersion(Input):
    """A change that may name the `version` that it is of; of another one it is refused."""

    if_version = WholeNumber(
        load_default=None, allow_none=True, validate=validate.Range(1, MAX_VERSION)
    )


def check_version(found: int, wanted: int | None) -> None:
    """Check that a thing has the version that a change is of; None is of any.

    Raises:
        PreconditionFailed: code `version_conflict`.
    """
    if wanted is not None and found != wanted:
        raise version_conflict()


def version_conflict() -> PreconditionFailed:
    """Return what refuses a change of another version."""
    return PreconditionFailed("It was changed meanwhile.", code="version_conflict")


def version_of(answer: object) -> int | None:
    """Return the version of an answer that is one thing with a `version`, else None."""
    version: Any = answer.get("version") if isinstance(answer, dict) and "id" in answer else None
    return version if isinstance(version, int) else None

"""What sets one raw endpoint apart from the others, besides its dialect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.legacy.credentials import Identify
from app.legacy.dialect import Attendance
from models.identity import Identity

REPLACED = 4009
"""A newer connection of the same user took this one's place."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who gets in, how many of one user, and how the others are refused."""

    identify: Identify
    rooms_of: Callable[[Identity], Iterable[str]]
    """The rooms a connection is in from its first moment on."""

    connections_per_user: int
    connects_per_minute: int
    """Per user."""

    newest_wins: bool = False
    """Whether one connection too many takes the place of the oldest, or is refused."""

    refuses_by_closing: bool = False
    """Whether errors that have a close code in the catalogue are sent by it, after the upgrade; all
    others are an HTTP status before it."""

    attendance: Attendance | None = None

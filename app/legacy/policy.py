"""What sets one raw endpoint apart from the others, besides its dialect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from websockets.frames import CloseCode

from app.legacy.credentials import AnotherUser, Identify
from app.legacy.dialect import Attendance
from models.errors import DomainError, Forbidden, TooManyRequests, Unauthorized
from models.identity import Identity

UNAUTHORIZED = 4001
"""`conversation-chat.md`: no token, or one that proves nothing; `READING.md`: or no more."""

ANOTHER_USER = 4002
"""`conversation-chat.md`: the path's user is not the token's."""

DISABLED = 4003
"""`conversation-chat.md`: the account is disabled."""

REPLACED = 4009
"""`READING.md`: a newer connection of the same user took this one's place."""

CLOSE_CODES: Mapping[type[DomainError], int] = {
    Unauthorized: UNAUTHORIZED,
    AnotherUser: ANOTHER_USER,
    Forbidden: DISABLED,
    TooManyRequests: CloseCode.POLICY_VIOLATION,
}
"""How the endpoints with the user in their path refuse: they upgrade, then close."""


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

    close_codes: Mapping[type[DomainError], int] = field(default_factory=dict)
    """Refusals told by a close code after the upgrade; all others by HTTP status before it."""

    rate_of_user: bool = False
    """Whether all connections of a user share the messages that one may send in a second."""

    attendance: Attendance | None = None

"""The shapes of what operators see."""

from typing import TypedDict

from models.accounts.views import SessionView


class RoomView(TypedDict):
    """A room and its size."""

    namespace: str
    room: str
    members: int


class OverviewView(TypedDict):
    """What a process does; counts are those since it started."""

    process: str
    at: str
    connections: dict[str, int]
    """By door."""

    namespaces: dict[str, int]
    """Clients by namespace."""

    received: int
    sent: int
    events: int
    held_bytes: int
    queues: dict[str, int]
    rooms: list[RoomView]
    """The largest."""

    sign_ups: str


class ConnectionView(TypedDict):
    """An open connection."""

    process: str
    id: str
    door: str
    account_id: str | None
    address: str | None
    opened_at: str


class ConnectionsView(TypedDict):
    """The latest connections of all processes."""

    items: list[ConnectionView]
    total: int
    silent_processes: int
    """Those that have not answered: their connections are missing."""


class PlacedConnectionView(ConnectionView):
    """An open connection and where it is."""

    rooms: dict[str, list[str]]
    """By namespace."""


class EndedConnectionView(TypedDict):
    """A connection that has ended."""

    process: str
    id: str
    door: str
    opened_at: str
    closed_at: str
    code: int | str | None
    reason: str | None


class ExplainedAccountView(TypedDict):
    """The account that is explained."""

    id: str
    email: str | None
    name: str | None
    disabled: bool


class ExplainedNotificationView(TypedDict):
    """A notification, and what became of it."""

    id: int
    type: str
    created_at: str
    told: bool
    why: str | None


class ExplainedEventView(TypedDict):
    """An event that concerned an account, and who received it."""

    at: str
    namespace: str
    event: str
    about: str | None
    rooms: list[str] | None
    told: list[str]
    missed: list[str]


class ExplanationView(TypedDict):
    """An account's connections, and why its last events did or did not arrive."""

    account: ExplainedAccountView
    silent_processes: int
    """Those that have not answered: what they know is missing."""

    sessions: list[SessionView]
    connections: list[PlacedConnectionView]
    ended: list[EndedConnectionView]
    muted: list[str]
    notifications: list[ExplainedNotificationView]
    events: list[ExplainedEventView]


class LinkView(TypedDict):
    """A one-time link."""

    link: str


class InviteView(TypedDict):
    """A new invitation."""

    code: str


class SignUpModeView(TypedDict):
    """Who may make an account."""

    mode: str

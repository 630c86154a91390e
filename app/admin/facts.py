"""What a process knows of an account's connections and last events, as it tells other processes."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

SAME_EVENT = ("namespace", "event", "rooms", "except_room")


class Place(msgspec.Struct, frozen=True):
    """Where a connection is: in one namespace, or as a raw peer in all that its dialect knows."""

    where: str
    """The namespace, or the path of the raw endpoint."""

    is_raw: bool
    rooms: frozenset[str]


class Connection(msgspec.Struct, frozen=True):
    """An open or ended connection."""

    process: str
    id: str
    door: str
    account_id: str | None
    address: str | None
    opened_at: float
    closed_at: float | None = None
    code: int | None = None
    reason: str = ""
    places: tuple[Place, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """An event that concerned the account, as `app.realtime.events.meter.Happened`."""

    at: float
    namespace: str
    event: str
    about: str | None
    rooms: tuple[str, ...] | None
    except_room: str | None


class Facts(msgspec.Struct, frozen=True):
    """All of it: connections the oldest first, events the latest first."""

    connections: tuple[Connection, ...]
    ended: tuple[Connection, ...]
    events: tuple[Event, ...]


def merged(several: Iterable[Facts]) -> Facts:
    """Put together what several processes know.

    An event is known to each process that holds one of its rooms, each with its own time. So of
    those that look alike as many count as one process has.
    """
    connections: list[Connection] = []
    ended: list[Connection] = []
    alike: dict[tuple[object, ...], list[Event]] = defaultdict(list)
    for facts in several:
        connections += facts.connections
        ended += facts.ended
        own: dict[tuple[object, ...], list[Event]] = defaultdict(list)
        for event in facts.events:
            own[tuple(getattr(event, name) for name in SAME_EVENT)].append(event)
        for key, events in own.items():
            alike[key] = _longer(alike[key], events)
    return Facts(
        tuple(sorted(connections, key=lambda each: each.opened_at)),
        tuple(sorted(ended, key=lambda each: each.closed_at or 0)),
        tuple(
            sorted(
                (event for events in alike.values() for event in events),
                key=lambda event: event.at,
                reverse=True,
            )
        ),
    )


def _longer(one: list[Event], other: list[Event]) -> list[Event]:
    """Return the longer list; the one that names what it was about, of two that are as long."""
    names = [sum(event.about is not None for event in events) for events in (one, other)]
    return max((one, names[0]), (other, names[1]), key=lambda each: (len(each[0]), each[1]))[0]

"""An event on its way to rooms, and the log that it takes its place in.

    RoomPublisher ──Delivery──> EventLog.publish ──Delivery, offset──> RoomManager.deliver

A domain's event becomes a `Delivery`. An `EventLog` gives it a place in one order and hands it to
`Listeners.deliver`: at once, in the same turn of the loop, where this process is alone
(`MemoryLog` in `app.realtime.events.memorylog`), or when it is read back from the stream that all
processes share (`RedisLog` in `app.realtime.events.bus`), this process's events included.

Volatile deliveries (typing, presence) are handed over without an offset, and are never read again.

An **offset** is `<epoch>-<number>`, opaque to clients. Offsets of one epoch are in the order of
their numbers, `a-2` before `a-10`; those of two epochs have no order, and an epoch that a log does
not know is a gap. `EventLog.position` is the offset of what was delivered last.

A client that was away catches up by `read`: pages of what came for its rooms after its offset,
until a page's `offset` is the log's `position`. If nothing was awaited since that page was
returned, entering the rooms now misses nothing and receives nothing twice; so does `read_all`.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from app.realtime import wirejson
from models.endings import SESSION_GAP
from models.signals import Signals


class Delivery:
    """An event on its way to the rooms; not changed after it was made.

    Attributes:
        namespace: with its slash: `/chat`.
        event: the wire name.
        rooms: who receives it; None is everyone in the namespace.
        except_room: its members receive nothing.
        private: what only dialects render, beside the data.
        volatile: delivered to anyone who is here now, and neither kept nor numbered.
    """

    __slots__ = (
        "_data",
        "_encoded",
        "event",
        "except_room",
        "namespace",
        "private",
        "rooms",
        "volatile",
    )

    def __init__(
        self,
        namespace: str,
        event: str,
        data: Any,
        rooms: tuple[str, ...] | None,
        except_room: str | None = None,
        private: Mapping[str, Any] | None = None,
        volatile: bool = False,
        *,
        encoded: str | None = None,
    ) -> None:
        """`data` becomes the arguments by python-socketio's rule: see `encoded`."""
        self.namespace = namespace
        self.event = event
        self.rooms = rooms
        self.except_room = except_room
        self.private = private
        self.volatile = volatile
        self._data = data
        self._encoded = encoded

    @classmethod
    def from_text(
        cls,
        namespace: str,
        event: str,
        encoded: str,
        rooms: tuple[str, ...] | None,
        except_room: str | None = None,
        private: Mapping[str, Any] | None = None,
    ) -> "Delivery":
        """Make a delivery of what `encoded` was; it is parsed when its data is asked for."""
        return cls(
            namespace, event, _UNREAD, rooms, except_room, private, volatile=False, encoded=encoded
        )

    @property
    def is_parsed(self) -> bool:
        """Whether the data is there without parsing."""
        return self._data is not _UNREAD

    @property
    def data(self) -> Any:
        """The arguments: a tuple is several, None is none, the rest is one."""
        if self._data is _UNREAD:
            arguments = wirejson.loads(f"[{self._encoded}]")
            assert isinstance(arguments, list), "what was written can be read"
            self._data = arguments[0] if len(arguments) == 1 else tuple(arguments) or None
        return self._data

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The data as python-socketio's rule makes arguments of it."""
        data = self.data
        return data if isinstance(data, tuple) else () if data is None else (data,)

    @property
    def encoded(self) -> str | None:
        """The arguments as JSON text, joined by commas, encoded once; None if there are bytes."""
        if self._encoded is None:
            try:
                self._encoded = wirejson.dumps(self.arguments)[1:-1]
            except TypeError:
                # Not JSON: there may be bytes in it. To look for them always would take longer.
                return None
        return self._encoded

    @property
    def ends_in_text(self) -> bool:
        """Whether a client would take the last argument for an offset."""
        arguments = self.arguments
        return bool(arguments) and isinstance(arguments[-1], str)

    def is_for(self, rooms: Container[str]) -> bool:
        """Whether a member of `rooms` receives it."""
        if self.except_room is not None and self.except_room in rooms:
            return False
        return self.rooms is None or any(room in rooms for room in self.rooms)

    def frozen(self) -> "Delivery | None":
        """Return it as it is now, whatever becomes of its data; None if there are bytes in it."""
        encoded = self.encoded
        if encoded is None:
            return None
        private = dict(self.private) if self.private else None
        return Delivery.from_text(
            self.namespace, self.event, encoded, self.rooms, self.except_room, private
        )


def gap_notice(namespace: str) -> Delivery:
    """Return what tells everyone in a namespace that events before it may be missing."""
    data = {"message": "Events were lost on their way to you: fetch anew."}
    return Delivery(namespace, SESSION_GAP, data, None, volatile=True)


_UNREAD = object()
"""In the place of data that has not been parsed."""


class Listeners(Protocol):
    """The connections of this process."""

    def has_listeners(self, namespace: str, rooms: Iterable[str]) -> bool:
        """Return whether anyone here is in at least one of the rooms."""

    def deliver(self, delivery: Delivery, offset: str | None) -> None:
        """Hand an event, and its offset if it has one, to everyone here who is in its rooms.

        It never waits.
        """


class Gap(Exception):
    """What came after an offset is not known, or not all of it."""


class Page(NamedTuple):
    """Some of the events after an offset, in order."""

    events: list[tuple[str, Delivery]]
    """Each with its offset."""

    offset: str
    """Where the next page begins; the position of the log if there is none."""


class EventLog(Signals, Protocol):
    """Where all events pass; see the module's text."""

    @property
    def position(self) -> str:
        """The offset of what was delivered here last."""

    def begin(self, listeners: Listeners) -> None:
        """Deliver to these from now on."""

    def after_published(self, done: Callable[[], None]) -> None:
        """Call `done` when all that was published here so far has been delivered here.

        That is at once where nothing is on its way.
        """

    async def publish(self, delivery: Delivery) -> None:
        """Take an event in; it reaches the connections of every process, in the log's order.

        What makes it durable is waited for by `models.publications.settled`, not here: callers hold
        their domain's lock.
        """

    async def read(
        self,
        after: str,
        rooms: Collection[str],
        limit: int,
        *,
        namespace: str | None = None,
        received_s: float | None = None,
    ) -> Page:
        """Return events for members of `rooms` after an offset, up to `position` as it is then.

        Nothing is awaited between the look at the position and the return.

        Args:
            after: an offset that this log or an earlier one has made; anything else is a gap.
            rooms: whose events.
            limit: how many of them at most.
            namespace: events of this namespace only; by default of all.
            received_s: what was delivered more than so many seconds ago has reached the client.
                Then an offset that is older than what is kept is no gap, if nothing younger
                than that is missing.

        Raises:
            Gap: not everything after `after` is there.
        """


PAGE_EVENTS = 500
"""Read at once while catching up."""


async def read_all(
    log: EventLog,
    after: str,
    rooms: Collection[str],
    max_bytes: int,
    *,
    namespace: str | None = None,
    received_s: float | None = None,
) -> list[tuple[str, Delivery]]:
    """Return all events for members of `rooms` after an offset, up to the log's position.

    Nothing is awaited between the last look at the position and the return. For the arguments see
    `EventLog.read`.

    Raises:
        Gap: not everything is there, or it is more than `max_bytes`.
    """
    events: list[tuple[str, Delivery]] = []
    size = 0
    while True:
        page = await log.read(after, rooms, PAGE_EVENTS, namespace=namespace, received_s=received_s)
        size += sum(len(delivery.encoded or "") for _, delivery in page.events)
        if size > max_bytes:
            raise Gap
        events += page.events
        after = page.offset
        if after == log.position:
            return events


def later(one: str, other: str | None) -> str:
    """Return the later of two offsets; `one`, if they have no order."""
    if other is None:
        return one
    (epoch, number), (other_epoch, other_number) = parts(one), parts(other)
    return other if epoch == other_epoch and other_number > number else one


MAX_DIGITS = 18
"""Of an offset's number: more than a process comes to; it fits 64 bits."""


def parts(offset: str) -> tuple[str, int]:
    """Return epoch and number; the number of what is no offset is -1."""
    epoch, _, number = offset.rpartition("-")
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
        return epoch, -1
    return epoch, int(number)

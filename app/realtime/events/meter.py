"""How long events take to be written, how many there are, and which were the last."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, NamedTuple

from app.realtime.events.delivery import Delivery, Listeners
from app.realtime.websocket import outbox

RECENT = 2_000
"""Events that are remembered: less than a megabyte, and some minutes of a busy process."""


class Happened(NamedTuple):
    """An event as it is remembered: what it was about, and nothing of what was said."""

    at: float
    """Seconds since the epoch."""

    namespace: str
    event: str
    about: str | None
    """The id of what it is about."""

    rooms: tuple[str, ...] | None
    except_room: str | None


def _about(data: Any) -> str | None:
    """Return the first id in a payload: its own, that of an object in it, or one it names."""
    # Exactly dicts, which payloads are: asking for any mapping takes longer than all the rest.
    if type(data) is not dict:
        return None
    for name, value in data.items():
        if type(value) is dict:
            named = value.get("id")
        else:
            named = value if name == "id" or name.endswith("_id") else None
        if named is not None:
            return str(named)
    return None


class DeliveryMeter:
    """Delivers as `listeners` do, and observes each event once, however many receive it."""

    def __init__(self, listeners: Listeners, observe: Callable[[float], None]) -> None:
        """`observe` is called once for each event that someone here receives.

        It gets the seconds from the event's turn until its frames were handed to the kernel, or
        to the transports of connections that do not keep up.
        """
        self._listeners = listeners
        self._observe = observe
        self._begun: list[float] = []
        self.events = 0
        """How many events were delivered here, whether anyone receives them or not."""

        self.recent: deque[Happened] = deque(maxlen=RECENT)
        """The latest that are not volatile; one record each, however many received it."""

    def has_listeners(self, namespace: str, rooms: Iterable[str]) -> bool:
        """Return whether anyone here is in at least one of the rooms."""
        return self._listeners.has_listeners(namespace, rooms)

    def deliver(self, delivery: Delivery, offset: str | None) -> None:
        """Deliver an event."""
        began = perf_counter()
        self.events += 1
        self._listeners.deliver(delivery, offset)
        if not delivery.volatile:
            self.recent.append(
                Happened(
                    time.time(),
                    delivery.namespace,
                    delivery.event,
                    # What no one here receives comes from other processes and is not parsed for
                    # this.
                    _about(delivery.data) if delivery.is_parsed else None,
                    delivery.rooms,
                    delivery.except_room,
                )
            )
        if outbox.current().is_filled:
            self._note(began)

    def _note(self, began: float) -> None:
        # The outbox is filled: it sends in the next turn, before what is scheduled only now.
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._written)
        self._begun.append(began)

    def _written(self) -> None:
        begun, self._begun = self._begun, []
        now = perf_counter()
        for began in begun:
            self._observe(now - began)

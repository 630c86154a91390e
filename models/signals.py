"""What the processes of one server send each other, besides the events that clients receive."""

from collections.abc import Callable, Mapping
from typing import Protocol

from models.events import Json

Heard = Callable[[Mapping[str, Json]], None]


class Signals(Protocol):
    """Carries signals in one order with the events that are published."""

    def send(self, name: str, data: Mapping[str, Json]) -> None:
        """Send it to all other processes, after what was published before it."""

    def receive(self, name: str, heard: Heard) -> None:
        """Have `heard` called with the data of each signal of that name from another process.

        It must not wait: what is published after the signal is delivered when it returns.
        """


class NoSignals:
    """For a process that has no other."""

    def send(self, name: str, data: Mapping[str, Json]) -> None:
        """Do nothing."""

    def receive(self, name: str, heard: Heard) -> None:
        """Expect nothing."""

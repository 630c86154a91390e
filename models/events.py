"""What a domain tells after it has written: an event, published once to rooms."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Subclasses set `domain` and `name` and add their fields."""

    domain: ClassVar[str]
    """The namespace without its slash: `stories`."""

    name: ClassVar[str]
    """The wire name, spelled out: `story.viewed`."""

    def data(self) -> dict[str, Json]:
        """Give the payload: JSON values only, ids and times already text."""
        raise NotImplementedError


class Publisher(Protocol):
    """Delivers an event to everyone in the rooms, through every door, in every process."""

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        """Tell `event` once to each connection in at least one of `rooms`, not in `except_room`."""

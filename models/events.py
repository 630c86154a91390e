"""What a domain publishes after a write: an event, published once to rooms."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol, cast

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

PRIVATE_FIELD = "hidden"
"""The one field of an event, a mapping or None, that is not part of its payload."""


def as_json(view: Mapping[str, object]) -> dict[str, Json]:
    """Return a `TypedDict` of JSON values as a plain JSON object."""
    return cast(dict[str, Json], view)


def payload_fields(kind: type["Event"]) -> tuple[str, ...]:
    """Return the names of the fields that are an event's payload, in their order."""
    return tuple(each.name for each in fields(kind) if each.name != PRIVATE_FIELD)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Subclasses set `domain` and `name`; their fields are its payload.

    The values are JSON, ids and times already text.
    """

    domain: ClassVar[str]
    """The namespace without its slash: `stories`."""

    also_in: ClassVar[tuple[str, ...]] = ()
    """Other namespaces whose clients receive it, too."""

    name: ClassVar[str]
    """The wire name, spelled out: `story.viewed`."""

    volatile: ClassVar[bool] = False
    """Whether it is of use only at the moment, as that someone is typing: who is away then does
    not get it later."""

    def data(self) -> dict[str, Json]:
        """Return the payload, a new object at every call."""
        return {name: getattr(self, name) for name in payload_fields(type(self))}

    def private(self) -> dict[str, Json]:
        """Return what only the older APIs' documented frames may show, besides `data`.

        Dialects render an event from both; Socket.IO clients receive `data` alone.
        """
        return dict(getattr(self, PRIVATE_FIELD, None) or {})


class Publisher(Protocol):
    """Delivers an event to everyone in the rooms, through every transport, in every process."""

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        """Deliver `event` once to each connection in one of `rooms` and not in `except_room`."""

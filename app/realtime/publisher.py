"""The way from a domain's event to everyone who should hear of it."""

from app.realtime.rooms import RoomManager
from models.events import Event


class RoomPublisher:
    """Publishes to rooms through the room manager, whichever one is in use."""

    def __init__(self, manager: RoomManager) -> None:
        self._manager = manager

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        """Tell `event` once to each connection in at least one of `rooms`, not in `except_room`."""
        await self._manager.emit(
            event.name,
            event.data(),
            namespace=f"/{event.domain}",
            room=list(rooms),
            except_room=except_room,
        )

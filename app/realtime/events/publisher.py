"""The way from a domain's event to everyone who should receive it."""

from app.realtime.events.delivery import Delivery, EventLog
from models.events import Event


class RoomPublisher:
    """Publishes to rooms through the log of events, whichever one is in use."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        """Deliver `event` once to each connection in one of `rooms` and not in `except_room`."""
        for namespace in (event.domain, *event.also_in):
            await self._log.publish(
                Delivery(
                    namespace=f"/{namespace}",
                    event=event.name,
                    data=event.data(),
                    rooms=rooms,
                    except_room=except_room,
                    private=event.private(),
                    volatile=event.volatile,
                )
            )

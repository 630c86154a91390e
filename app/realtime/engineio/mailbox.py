"""What waits for a client on long-polling, and the poll that waits for it."""

import asyncio

from app.realtime.engineio.packets import Packet


class Mailbox:
    """Packets to come with the next answer to a poll."""

    __slots__ = ("_packets", "_poll", "held_bytes", "unsent_bytes")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.unsent_bytes = 0
        self._packets: list[Packet] | None = None
        self._poll: asyncio.Future[None] | None = None

    @property
    def polled(self) -> bool:
        """Whether a poll is waiting for its answer."""
        return self._poll is not None

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._packets

    def put(self, packet: Packet) -> None:
        """Add a packet; a waiting poll will take it.

        `unsent_bytes` counts all but the first, which may be one large answer; `held_bytes` all.
        """
        size = len(packet.text)
        self.held_bytes += size
        if self._packets is None:
            self._packets = [packet]
        else:
            self._packets.append(packet)
            self.unsent_bytes += size
        self.wake()

    def take(self) -> list[Packet]:
        """Return and forget what waits to be sent."""
        waiting, self._packets = self._packets or [], None
        self.held_bytes = self.unsent_bytes = 0
        return waiting

    async def wait(self) -> None:
        """Wait, as the one poll that may, until there is something or `wake` is called."""
        if self._packets:
            return
        self._poll = asyncio.get_running_loop().create_future()
        try:
            await self._poll
        finally:
            self._poll = None

    def wake(self) -> None:
        """Let a waiting poll return, even with nothing."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

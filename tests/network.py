"""A way to a server that can be cut, or fall silent, as networks do."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

_RESET = b"\x01\0\0\0\0\0\0\0"
"""SO_LINGER of no time at all: closing is a reset, not a goodbye."""


class _Wire:
    """One connection and its other half."""

    def __init__(self, writers: tuple[StreamWriter, StreamWriter]) -> None:
        self.writers = writers
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
            # A silent network does not say that the other side has hung up.
            await self.flowing.wait()
            writer.close()

    def reset(self) -> None:
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            if raw is not None and not writer.transport.is_closing():
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class Network:
    """Listens at `url` and passes everything on to a server: of an HTTP URL, or `unix://PATH`."""

    def __init__(self, url: str) -> None:
        self._target = url
        self._wires: list[_Wire] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._cuts = 0
        self.is_up = True
        self.url = ""

    async def start(self) -> "Network":
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def lead_to(self, url: str) -> None:
        """Pass new connections on to another server."""
        self._target = url

    async def stop(self) -> None:
        self.cut()
        assert self._server is not None
        self._server.close()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self, *, down: bool = False) -> None:
        """Reset all connections; while it is `down`, new ones come to nothing."""
        self.is_up = not down
        self._cuts += 1
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.reset()

    def up(self) -> None:
        """Let new connections pass."""
        self.is_up = True

    def part(self) -> None:
        """Let nothing pass and nothing be known of it: connections neither go on nor end."""
        self.is_up = False
        self.silence()

    def silence(self) -> None:
        """Let nothing more pass on the connections of now, without ending them."""
        for wire in self._wires:
            wire.flowing.clear()

    async def _open(self) -> tuple[StreamReader, StreamWriter]:
        if self._target.startswith("unix://"):
            return await asyncio.open_unix_connection(self._target.removeprefix("unix://"))
        return await asyncio.open_connection("127.0.0.1", int(self._target.rpartition(":")[2]))

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        cuts = self._cuts
        try:
            there, back = await self._open()
        except OSError:
            # The server is gone.
            writer.transport.abort()
            return
        wire = _Wire((writer, back))
        if not self.is_up or cuts != self._cuts:
            wire.reset()
            return
        self._wires.append(wire)
        for source, sink in ((reader, back), (there, writer)):
            pump = asyncio.create_task(wire.pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

"""A Socket.IO client of a few lines that goes on where it was, as the stock one does."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from tests.live import PATIENCE_S


class RecoveringClient:
    """In one namespace; `hear` is called with each event's name and data, in order."""

    def __init__(
        self, http: ClientSession, token: str, namespace: str, hear: Callable[[str, Any], None]
    ) -> None:
        self._http = http
        self._token = token
        self._namespace = namespace
        self._hear = hear
        self._socket: ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._calls = 0
        self.pid: str | None = None
        self.offset: str | None = None

    async def connect(self, url: str) -> bool:
        """Connect; whether it goes on where it was. What it missed is heard after that."""
        self._socket = await self._http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
        assert (await self._socket.receive_str(timeout=PATIENCE_S)).startswith("0{")
        auth = {"token": self._token}
        if self.pid is not None:
            auth["pid"] = self.pid
            if self.offset is not None:
                auth["offset"] = self.offset
        await self._socket.send_str(f"40{self._namespace},{json.dumps(auth)}")
        answer = await self._socket.receive_str(timeout=PATIENCE_S)
        pid = json.loads(answer.removeprefix(f"40{self._namespace},"))["pid"]
        is_recovered, self.pid = pid == self.pid, pid
        if not is_recovered:
            self.offset = None
        self._reading = asyncio.create_task(self._read(self._socket))
        return is_recovered

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        # The last is for a close frame in the place of text.
        with suppress(ClientError, OSError, TypeError):
            while True:
                text = await socket.receive_str()
                kind, _, rest = text.partition(",")
                if text == "2":
                    await socket.send_str("3")
                elif kind == f"42{self._namespace}":
                    name, data, *offset = json.loads(rest)
                    if offset and isinstance(offset[0], str):
                        self.offset = offset[0]
                    self._hear(name, data)
                elif kind == f"43{self._namespace}":
                    number, _, answer = rest.partition("[")
                    self._answers.pop(number).set_result(json.loads(f"[{answer}")[0])

    async def call(self, name: str, payload: object) -> Any:
        """Run a command; returns its data."""
        assert self._socket is not None
        self._calls += 1
        answer = self._answers[str(self._calls)] = asyncio.get_running_loop().create_future()
        message = json.dumps([name, payload])
        await self._socket.send_str(f"42{self._namespace},{self._calls}{message}")
        answered = await asyncio.wait_for(answer, PATIENCE_S)
        assert "data" in answered, answered
        return answered["data"]

    async def cut(self) -> None:
        """Break the connection off, without a word."""
        if self._reading is None or self._socket is None:
            return
        self._reading.cancel()
        await asyncio.wait([self._reading])
        connection = self._socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        with suppress(ClientError, OSError):
            await self._socket.close()

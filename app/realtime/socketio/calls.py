"""Events of the server that a client answers, and that someone waits for (`SocketServer.call`)."""

import asyncio
from typing import Any

import socketio
from socketio.packet import ACK

from app.realtime.rooms import RoomManager
from app.realtime.socketio.packets import StrictPacket
from app.realtime.wirejson import Undecodable

_ACK = str(ACK)


class Calls:
    """The calls of one session that are under way; also receives their answers out of turn.

    A handler may call its own client. The client's next messages wait until the handler has ended,
    so the answer must not wait among them.
    """

    __slots__ = ("_answers", "_eio_sid", "_manager")

    def __init__(self, manager: RoomManager, eio_sid: str) -> None:
        self._manager = manager
        self._eio_sid = eio_sid
        self._answers: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    def __len__(self) -> int:
        """Return how many calls are under way."""
        return len(self._answers)

    def begin(self, sid: str) -> int:
        """Expect an answer of the client `sid`; returns the ack id to ask with."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        ack_id = self._manager.expect_ack(sid, lambda *data: _answer(answer, list(data)))
        self._answers[sid, ack_id] = answer
        return ack_id

    async def answer(self, sid: str, ack_id: int, timeout_s: float | None) -> list[Any]:
        """Wait for an answer.

        Raises:
            socketio.exceptions.TimeoutError: it has not come in time, or the client has gone.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answers[sid, ack_id]
        except TimeoutError:
            raise socketio.exceptions.TimeoutError from None
        finally:
            del self._answers[sid, ack_id]
            self._manager.expect_late_ack(sid, ack_id)

    # The session's shortcut.

    def take(self, text: str) -> bool:
        """Take a message that is the answer to a call; False for all others."""
        if not text.startswith(_ACK):
            return False
        try:
            packet = StrictPacket(encoded_packet=text)
        except ValueError:
            return False
        sid = self._manager.sid_from_eio_sid(self._eio_sid, packet.namespace or "/")
        answer = self._answers.get((sid, packet.id))
        if answer is None or isinstance(packet.data, Undecodable):
            return False
        self._manager.forget_ack(sid, packet.id)
        _answer(answer, packet.data)
        return True

    def ended(self) -> None:
        """Let all calls fail: the client has gone."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(TimeoutError())


def _answer(answer: asyncio.Future[list[Any]], data: list[Any]) -> None:
    if not answer.done():
        answer.set_result(data)

"""A MongoDB server of a few lines: empty collections, every write acknowledged, until it hangs."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bson

_HEADER = struct.Struct("<iiii")
_OP_QUERY, _OP_REPLY, _OP_MSG = 2004, 1, 2013


class HangingDatabase:
    """Listens on a port of this machine; answers while `answers` is true."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.asked = asyncio.Event()
        self.port = 0

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/realtime"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the commands of one connection."""
        try:
            while True:
                length, number, _, code = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                body = await reader.readexactly(length - _HEADER.size)
                self.asked.set()
                if not self.answers:
                    continue
                writer.write(_answer(number, code, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _answer(number: int, code: int, body: bytes) -> bytes:
    if code == _OP_QUERY:
        reply = struct.pack("<iqii", 0, 0, 0, 1) + bson.encode(_HELLO)
        code = _OP_REPLY
    else:
        command = bson.decode(body[5 : 5 + struct.unpack_from("<i", body, 5)[0]])
        reply = struct.pack("<iB", 0, 0) + bson.encode(_result(command))
    return _HEADER.pack(_HEADER.size + len(reply), 0, number, code) + reply


_HELLO = {
    "ok": 1,
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxWireVersion": 17,
    "minWireVersion": 0,
    "maxBsonObjectSize": 16 * 1024**2,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}


def _result(command: dict[str, object]) -> dict[str, object]:
    name = next(iter(command))
    if name in ("hello", "ismaster", "isMaster"):
        return _HELLO
    if name in ("find", "aggregate", "listIndexes", "listCollections"):
        namespace = f"realtime.{command[name]}"
        return {"ok": 1, "cursor": {"id": bson.Int64(0), "ns": namespace, "firstBatch": []}}
    if name == "findAndModify":
        # What is counted up, and was not there.
        update = command["update"]
        value = update.get("$inc") if isinstance(update, dict) else None
        return {"ok": 1, "value": value, "lastErrorObject": {"n": 1}}
    return {"ok": 1, "n": 1, "nModified": 1}


@asynccontextmanager
async def hanging_database(*, answers: bool) -> AsyncIterator[HangingDatabase]:
    """Serve one until the block ends."""
    database = HangingDatabase(answers=answers)
    server = await asyncio.start_server(database.serve, "127.0.0.1", 0)
    database.port = server.sockets[0].getsockname()[1]
    try:
        yield database
    finally:
        server.close()

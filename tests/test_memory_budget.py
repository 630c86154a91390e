"""The budget of the whole server: accounts at several doors, each within its own bounds."""

import asyncio

from yarl import URL

from app.memory import BUDGET
from tests.app.realtime.served import PATIENCE_S, until
from tests.app.realtime.wire import CONT, TEXT, frame
from tests.live import RawClient, Serve, Server


def begin(client: RawClient, size: int) -> None:
    """Send the first `size` bytes of a message, and not the rest."""
    connection = client.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.write(frame(TEXT, b'{"a":"' + b"x" * (size - 6), fin=False))


def finish(client: RawClient) -> None:
    connection = client.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.write(frame(CONT, b'"}'))


async def test_the_account_that_holds_most_is_closed_and_the_others_hear_everything(
    serve: Serve,
) -> None:
    """A raw peer with 60 kB of an unfinished message goes with 1013; smaller ones keep theirs."""
    server: Server = await serve(memory_budget_bytes=150_000)
    peers = [await server.raw(await server.token(f"peer{number}")) for number in range(3)]
    listener = await server.socketio(await server.token("listener"))
    begin(peers[0], 45_000)
    begin(peers[1], 60_000)
    begin(peers[2], 50_000)
    assert await peers[1].closed() == 1013
    for number in (0, 2):
        story_id = await server.story(await server.token(f"peer{number}"))
        assert story_id in str(await listener.event())
        await server.call(await server.token("alice"), "POST", f"/stories/{story_id}/view")
        assert story_id in (await peers[number].text())
        finish(peers[number])
        assert (await peers[number].frame())["type"] == "error"


async def test_the_largest_body_that_is_not_whole_is_refused(serve: Serve) -> None:
    """503 with `Retry-After`, without a token as well; the smaller one is read to its end."""
    server: Server = await serve(memory_budget_bytes=1_500_000)
    budget = server.app[BUDGET]
    url = URL(server.url)

    async def post(size: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send all but the last byte of a login."""
        assert url.host is not None
        assert url.port is not None
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        total = budget.held_bytes + size
        writer.write(f"{head}Content-Length: {size + 1}\r\n\r\n".encode() + b" " * size)
        if total <= budget.limit_bytes:
            await until(lambda: budget.held_bytes >= total)
        return reader, writer

    posts = [await post(size) for size in (500_000, 800_000, 600_000)]
    status = await asyncio.wait_for(posts[1][0].readuntil(b"\r\n\r\n"), PATIENCE_S)
    assert status.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5\r\n" in status
    for reader, writer in (posts[0], posts[2]):
        writer.write(b" ")
        assert (await asyncio.wait_for(reader.readline(), PATIENCE_S)).startswith(b"HTTP/1.1 422 ")
    for _, writer in posts:
        writer.close()
    await until(lambda: budget.held_bytes == 0)


async def test_binary_commands_are_refused_at_every_namespace(serve: Serve) -> None:
    """Each namespace answers at once in its ack, by WebSocket and by polling, and goes on."""
    server: Server = await serve()
    token = await server.token("alice")

    async def visit(namespace: str, transport: str) -> None:
        client = await server.socketio(token, namespace=namespace, transports=(transport,))
        for payload in ({"text": b"x" * 200_000}, [b"x"] * 16):
            answer = await client.call("list_stories", payload)
            assert answer["error"]["code"] == "invalid"
            assert "binary" in answer["error"]["message"]
        assert (await client.call("no_such_thing", {}))["error"]["code"] == "unknown_command"

    await asyncio.gather(
        *(
            visit(namespace, transport)
            for namespace in ("/stories", "/chat", "/notifications", "/market", "/diary")
            for transport in ("websocket", "polling")
        )
    )

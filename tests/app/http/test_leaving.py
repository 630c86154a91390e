"""Clients that go away before they have all of their answer."""

import logging
from io import BytesIO

from aiohttp import FormData

from tests.app.http.raw import Raw
from tests.pictures import png

PICTURE = png(4_000_000)


async def test_a_reader_that_goes_away(server, caplog):
    """Who leaves in the middle of a download, or before it begins, is no failure of the server."""
    caplog.set_level(logging.INFO)
    token = await server.token("ann")
    bearer = {"Authorization": f"Bearer {token}"}
    member = await server.socketio(token, namespace="/chat")
    assert "data" in await member.call("join_channel", {"channel_id": "general"})
    form = FormData()
    form.add_field("channel_id", "general")
    form.add_field("file", BytesIO(PICTURE), filename="a.png")
    async with server._http.post(
        f"{server.url}/api/v1/uploads", data=form, headers=bearer
    ) as response:
        assert response.status == 201
        path = f"/api/v1/uploads/{(await response.json())['id']}"
    for path_left, read, count in ((path, 0, 20), (path, 1, 20), (path, 100_000, 10), ("/", 0, 10)):
        for _ in range(count):
            client = await Raw.open(server.url, receive_bytes=8_192)
            client.send("GET", path_left, **bearer)
            await client.writer.drain()
            await client.reader.readexactly(read)
            client.drop()
    async with server._http.get(f"{server.url}{path}", headers=bearer) as response:
        assert len(await response.read()) == len(PICTURE)
    wrong = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert not wrong, [(each.getMessage(), each.exc_text) for each in wrong]
    assert not [line for line in caplog.messages if " 500 " in line]

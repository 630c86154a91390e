"""`/api/v1/diary/export` over HTTP: the whole diary as a stream, so many at the same time."""

import asyncio
import gc
import tracemalloc
from datetime import UTC, date, datetime

import pytest

from models.diary.entries.records import new_entry
from tests.app.http.raw import Raw
from tests.app.realtime.served import until

PATH = "/api/v1/diary/export"
ENTRIES, LENGTH = 160, 25_000
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def full(serve, store):
    """A server, and the token of an account whose diary has four megabytes."""
    server = await serve()
    account = await server.account("ann")
    for n in range(ENTRIES):
        about = {"text": f"{n:04}" * (LENGTH // 4), "mood": None, "tags": []}
        entry = new_entry(f"{n:04}", account.id, day=date(2026, 3, 1), created_at=AT, **about)
        await store.database["diary_entries"].insert_one(entry)
    return server, server.issue(account)


async def test_little_of_a_long_diary_is_in_memory(full, listening):
    """The parts come whole, and of what is being sent the process holds a page and no more."""
    server, token = full
    seen = 0
    headers = {"Authorization": f"Bearer {token}"}
    # What the first request of a process loads is not what a diary takes.
    async with listening.http.get(server.url + PATH, headers=headers) as response:
        await response.read()
    del response
    gc.collect()
    tracemalloc.start()
    try:
        async with listening.http.get(server.url + PATH, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Content-Disposition"] == 'attachment; filename="diary.json"'
            assert response.content_type == "application/json"
            # What was found is known by then; to find it the embedded store has read everything.
            tracemalloc.reset_peak()
            async for piece in response.content.iter_any():
                seen += piece.count(b'"mood": null')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == ENTRIES
    # The client is in this process, too. A diary built whole is several times as long as its text.
    assert peak < 0.75 * ENTRIES * LENGTH


async def test_exports_at_the_same_time(full, listening):
    """An account reads one at a time; who does not read holds little, and its place is freed."""
    server, token = full
    deaf = await Raw.open(server.url, receive_bytes=4096)
    deaf.stop_reading()
    deaf.send("GET", PATH, Authorization=f"Bearer {token}")
    http = listening.runners[-1].server
    await until(lambda: any(connection.held_bytes for connection in http.connections))
    headers = {"Authorization": f"Bearer {token}"}
    async with listening.http.get(server.url + PATH, headers=headers) as refused:
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        assert (await refused.json())["code"] == "export_under_way"
    socket = await server.socketio(token, namespace="/diary")
    answer = await socket.call("export_diary", {})
    assert (answer["error"]["code"], answer["error"]["retry_after"]) == ("export_under_way", 5.0)
    assert (await server.call(await server.token("ben"), "GET", PATH))[0] == 200
    assert sum(connection.held_bytes for connection in http.connections) < 500_000
    deaf.drop()
    status = 429
    while status == 429:
        await asyncio.sleep(0)
        status, diary = await server.call(token, "GET", PATH)
    assert (status, len(diary["entries"])) == (200, ENTRIES)
    assert [entry["id"] for entry in diary["entries"][:2]] == ["0159", "0158"]
    assert (await socket.call("export_diary", {}))["error"]["code"] == "answer_too_long"

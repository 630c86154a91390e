"""A server whose store fails: 503 by every transport, reads go on, and it comes back by itself."""

import os
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from app.storage import embedded_path, open_store
from app.storage.embedded import file
from tests.live import HELLO
from tests.store.embedded.test_faults import full

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("MONGODB_URI")), reason="about the embedded store; MONGODB_URI is set"
)

LONG = {"text": "x" * 2000}


@pytest.fixture
def stores(monkeypatch):
    """The stores that servers have opened."""
    opened = []

    async def opening(settings):
        opened.append(await open_store(settings))
        return opened[-1]

    monkeypatch.setattr("app.main.open_store", opening)
    return opened


async def fill(server, token):
    """Write until the first write fails; return the last answer and what was acknowledged."""
    written = []
    for _ in range(50):
        status, answer = await server.call(token, "POST", "/stories", HELLO | LONG)
        if status != 201:
            return status, answer, written
        written.append(answer["id"])
    raise AssertionError("the store took everything")


async def test_a_full_disk(serve, listening, stores):
    """503 and Retry-After for what writes, answers for what reads, nothing acknowledged lost."""
    server = await serve(writes_burst=1000, writes_per_s=1000)
    token = await server.token("one")
    story = await server.story(token)
    client = await server.socketio(token)
    with full(stores[0].database):
        status, answer, written = await fill(server, token)
        assert (status, answer["code"]) == (503, "unavailable")
        assert "disk is full" in answer["detail"]
        async with listening.http.post(
            f"{server.url}/stories",
            json=HELLO | LONG,
            headers={"Authorization": f"Bearer {token}"},
        ) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
        ack = await client.call("create_story", HELLO | LONG)
        assert ack["error"]["code"] == "unavailable"
        for known in (story, *written):
            assert (await server.call(token, "GET", f"/stories/{known}"))[0] == 200
    assert (await server.call(token, "POST", "/stories", HELLO | LONG))[0] == 201
    assert (await server.call(None, "GET", "/health"))[0] == 200
    for known in (story, *written):
        assert (await server.call(token, "GET", f"/stories/{known}"))[0] == 200


async def test_deleted_files(serve, settings):
    """Health says what is wrong while requests that read are still answered."""
    server = await serve()
    token = await server.token("one")
    story = await server.story(token)
    path = embedded_path(settings)
    away = path.with_name("away")
    path.rename(away)
    status, answer = await server.call(token, "POST", "/stories", HELLO)
    assert (status, answer["code"]) == (503, "unavailable")
    status, health = await server.call(None, "GET", "/health")
    assert (status, health["status"]) == (503, "degraded")
    assert "deleted" in health["reason"]
    assert (await server.call(token, "GET", f"/stories/{story}"))[0] == 200
    away.rename(path)
    assert (await server.call(token, "POST", "/stories", HELLO))[0] == 201
    assert (await server.call(None, "GET", "/health"))[0] == 200


async def test_a_backup_put_back(serve, settings, stores, monkeypatch):
    """Readiness says that the database was replaced, until the server goes on with the backup."""
    server = await serve()
    token = await server.token("one")
    story = await server.story(token)
    path = embedded_path(settings)
    backup = path.with_name("backup.sqlite3")
    database = getattr(stores[0].database, "_database", stores[0].database)
    await database.backup(backup)
    monkeypatch.setattr(file, "SETTLED_S", 3600.0)
    backup.replace(path)
    status, ready = await server.call(None, "GET", "/ready")
    assert status == 503
    assert "replaced" in str(ready)
    monkeypatch.setattr(file, "SETTLED_S", 0.0)
    assert (await server.call(None, "GET", "/ready"))[0] == 200
    assert (await server.call(token, "GET", f"/stories/{story}"))[0] == 200
    assert (await server.call(token, "POST", "/stories", HELLO))[0] == 201


def overwrite(path: Path) -> None:
    path.write_bytes(b"\0" * 8192)


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.usefixtures("logging_as_it_was")
@pytest.mark.parametrize("spoil", [overwrite, make_a_folder])
def test_starting_on_files_that_cannot_be_used(settings, monkeypatch, capsys, spoil):
    """One sentence with the file's name and exit status 1, no traceback."""
    path = embedded_path(settings)
    spoil(path)
    monkeypatch.setenv("MONGODB_DATABASE", settings.mongodb_database)
    monkeypatch.setattr(sys, "argv", ["app"])
    assert main() == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert str(path) in errors
    assert errors.startswith("The server cannot start: ")

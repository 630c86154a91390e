"""The guide "The engine alone": its application, with both kinds of client."""

import importlib.util
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, block
from tests.live import PATIENCE_S, Listening, SocketClient

GUIDE = DOCS / "guides/engine.md"
ALLOWED = {"token": "let me in"}


@pytest.fixture
async def url(listening: Listening, tmp_path: Path) -> str:
    """Where the guide's application listens."""
    path = tmp_path / "scores.py"
    path.write_text(block(GUIDE, "scores.py"))
    spec = importlib.util.spec_from_file_location("scores", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return await listening.start(module.build())


async def test_both_kinds_of_client_are_in_one_room(url: str, listening: Listening) -> None:
    """Points that a Socket.IO client adds reach itself and a raw client, and no other game."""
    doors = listening.doors(url)
    player = await doors.socketio(auth=ALLOWED, namespace="/scores")
    refused = await player.client.call("add", ("final", 1), "/scores", timeout=PATIENCE_S)
    assert refused == {"error": "Watch the game first."}
    watcher, other = await doors.open_at("/games/final"), await doors.open_at("/games/other")
    # Answered after the rooms were entered.
    assert (await watcher.ask("hello"))["type"] == "error"
    assert (await other.ask("hello"))["type"] == "error"
    assert await player.call("watch", "final") == 0
    assert await player.client.call("add", ("final", 2), "/scores", timeout=PATIENCE_S) == {
        "points": 2
    }
    score = {"game": "final", "points": 2}
    assert await player.event() == ("score", score)
    assert await watcher.frame() == {"type": "score", **score}
    assert await player.call("watch", "other") == 0
    await player.client.call("add", ("other", 1), "/scores", timeout=PATIENCE_S)
    assert await other.frame() == {"type": "score", "game": "other", "points": 1}


async def test_who_is_refused_learns_why(url: str) -> None:
    """The refusal of `on_connect` reaches the client."""
    client = SocketClient("/scores")
    await client.connect(url, {"token": "none"}, ["websocket"])
    assert client.refusal == {"message": "Wrong token."}
    await client.client.shutdown()

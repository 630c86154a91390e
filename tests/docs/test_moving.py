"""The guide "Moving to Socket.IO": old and new programs print the same, no frame is left out."""

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.legacy.registry import dialects
from app.web import WEB
from models.events import Event
from namespaces.base import Commands
from tests.docs.markdown import DOCS, block
from tests.frames import FRAMES
from tests.live import Serve, Server
from tests.notifications_world import MATCHED
from tests.programs import START_S
from tests.test_documentation import subclasses

GUIDE = DOCS / "guides/moving.md"
TEXT = GUIDE.read_text(encoding="utf-8")
NODE = shutil.which("node")
PACKAGES = WEB / "node_modules"

PRELUDE = """\
import { io } from "socket.io-client";
globalThis.WebSocket ??= (await import("ws")).default;
const [SERVER, TOKEN, USER_ID] = process.argv.slice(2);
const show = (line) => console.log(line);
process.stdin.on("end", () => process.exit(0)).resume();
"""

Act = Callable[[Server, str, str], Awaitable[list[str]]]
"""Makes something happen to the account whose token and id it gets; returns what is printed."""


async def stories(server: Server, token: str, account_id: str) -> list[str]:
    fan = await server.account("fan")
    story_id = await server.story(token)
    path = f"/stories/{story_id}"
    await server.call(server.issue(fan), "POST", f"{path}/view")
    await server.call(server.issue(fan), "POST", f"{path}/reactions", {"emoji": "👍"})
    return [f"{fan.id} viewed {story_id}", f"{fan.id} reacted 👍"]


async def market(server: Server, token: str, account_id: str) -> list[str]:
    body = {"user_id": int(account_id), **MATCHED}
    status, made = await server.call(None, "POST", "/api/v1/notifications", body)
    assert status == 201
    return [f"{made['id']} {MATCHED['type']}: {MATCHED['title']}"]


async def channels(server: Server, token: str, account_id: str) -> list[str]:
    other = await server.token("other")
    message = {"channel_id": "general", "content": "hello"}
    status, made = await server.call(other, "POST", "/api/v1/messages", message)
    assert status == 201
    message_id = made["data"]["id"]
    await server.call(other, "DELETE", f"/api/v1/messages/{message_id}")
    return ["general: hello", f"general: deleted {message_id}"]


async def conversations(server: Server, token: str, account_id: str) -> list[str]:
    other = await server.account("other")
    other_token = server.issue(other)
    members = {"participants": [account_id]}
    _, made = await server.call(other_token, "POST", "/api/v1/conversations", members)
    path = f"/api/v1/conversations/{made['id']}/messages"
    await server.call(other_token, "POST", path, {"content": "hello"})
    _, answer = await server.call(token, "POST", path, {"content": "good evening"})
    await server.call(other_token, "POST", f"/api/v1/messages/{answer['id']}/read")
    people = [each.public_id for each in (other, await server.accounts.get(account_id))]
    return [f"{people[0]}: hello", f"{people[1]}: good evening", f"read by {people[0]}"]


async def diary(server: Server, token: str, account_id: str) -> list[str]:
    _, made = await server.call(token, "POST", "/api/v1/diary/motivations", {})
    return [made["motivation_text"]]


ACTS: dict[str, Act] = {
    "stories": stories,
    "market": market,
    "channels": channels,
    "conversations": conversations,
    "diary": diary,
}


@asynccontextmanager
async def running(name: str, folder: Path, *arguments: str) -> AsyncIterator[Any]:
    """Run a program of the guide."""
    (folder / f"{name}.mjs").write_text(PRELUDE + block(GUIDE, f"{name}.js"))
    process = await asyncio.create_subprocess_exec(
        *(NODE or "", str(folder / f"{name}.mjs"), *arguments), stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), START_S)


async def printed(process: Any) -> str:
    line = await asyncio.wait_for(process.stdout.readline(), START_S)
    assert line, "node has ended"
    return str(line.decode().rstrip("\n"))


@pytest.mark.node
@pytest.mark.timeout(180)
@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(
    not (PACKAGES / "socket.io-client").is_dir(), reason="packages are missing: npm ci in web/"
)
@pytest.mark.parametrize("name", ACTS)
async def test_old_and_new_print_the_same(serve: Serve, name: str, tmp_path: Path) -> None:
    """Both are ready, and then hear of the same things in the same order."""
    server = await serve()
    account = await server.account("ann")
    token = server.issue(account)
    # A channel exists from the first time that it is written in.
    other = await server.token("other")
    await server.call(other, "POST", "/api/v1/channels", {"name": "general"})
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    arguments = (server.url, token, account.id)
    async with (
        running(f"{name}-old", tmp_path, *arguments) as old,
        running(f"{name}-new", tmp_path, *arguments) as new,
    ):
        assert [await printed(old), await printed(new)] == ["ready", "ready"]
        expected = await ACTS[name](server, token, account.id)
        assert [await printed(old) for _ in expected] == expected
        assert [await printed(new) for _ in expected] == expected


def test_every_frame_has_a_row() -> None:
    """Each type of frame of each older API, in both directions, is in the tables of its path."""
    texts: dict[str, str] = {}
    for heading, body in re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S):
        for path in re.findall(r"`([^`]+)`", heading):
            texts[path] = texts.get(path, "") + body
    assert set(texts) == {dialect.path for dialect in dialects()}
    missing = []
    for dialect in dialects():
        rows = re.findall(r"^\| ([^|]+) \|", texts[dialect.path], re.MULTILINE)
        named = set(re.findall(r"`([^`]+)`", "".join(rows)))
        types = {path.stem for path in (FRAMES / dialect.name).rglob("*.json")}
        missing += [f"{dialect.path}: {name}" for name in types - named - {"custom_message"}]
    assert missing == []


def test_events_and_commands_are_there() -> None:
    """What the guide calls an event or a command of Socket.IO is one."""
    events = {event.name for event in subclasses(Event) if hasattr(event, "name")}
    commands = {name for kind in subclasses(Commands) for name in kind.declared()}
    named_events = set(re.findall(r"\bevent `([^`]+)`", TEXT)) - {"connect"}
    named_commands = set(re.findall(r"\bcommand `([^`]+)`", TEXT))
    assert len(named_events) > 15
    assert named_events <= events
    assert len(named_commands) > 10
    assert named_commands <= commands

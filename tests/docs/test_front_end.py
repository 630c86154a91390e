"""The guide "A front end in ten minutes": its code, against a real server."""

import asyncio
import json
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.web import WEB
from tests.docs.markdown import DOCS, blocks
from tests.live import Serve, Server
from tests.programs import START_S
from tests.test_imports import ROOT

GUIDE = DOCS / "guides/front-end.md"
RUNNER = Path(__file__).with_name("front_end.mjs")
NODE = shutil.which("node")
PACKAGES = WEB / "node_modules"
NEEDED = ("happy-dom", "react-dom", "socket.io-client", "typescript", "vue")

pytestmark = [
    pytest.mark.node,
    pytest.mark.timeout(180),
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not all((PACKAGES / name).is_dir() for name in NEEDED),
        reason="packages are missing: npm ci in web/",
    ),
]


class Page:
    """A page of the guide that runs."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.shown: list[list[str]] = []

    async def shows(self, *items: str) -> None:
        """Return when the list is this."""
        async with asyncio.timeout(START_S):
            while not self.shown or self.shown[-1] != [*items]:
                line = await self.process.stdout.readline()
                assert line, "node has ended"
                self.shown.append(json.loads(line))

    async def publish(self, text: str) -> None:
        """Fill in the form."""
        self.process.stdin.write(f"{text}\n".encode())
        await self.process.stdin.drain()


@asynccontextmanager
async def opened(folder: Path, entry: str, url: str) -> AsyncIterator[Page]:
    """Run a page that `entry` begins."""
    files = {each.title: each.text for each in blocks(GUIDE) if each.title}
    (folder / "files.json").write_text(json.dumps([*files]))
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(PACKAGES)
    for name, text in files.items():
        (folder / name).write_text(text.replace("http://localhost:8080", url))
    process = await asyncio.create_subprocess_exec(
        *(NODE or "", str(RUNNER), str(folder), entry), stdin=PIPE, stdout=PIPE
    )
    try:
        yield Page(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), START_S)


async def signed_up(server: Server, name: str) -> str:
    """Make the account that the guide signs in with, or another one; returns a token."""
    account = {"email": f"{name}@example.com", "password": "password123", "name": name}
    status, made = await server.call(None, "POST", "/signup", account)
    assert status == 201
    return str(made["token"])


async def gauges(server: Server) -> dict[str, float]:
    """Return how many Socket.IO clients and connections there are."""
    async with server._http.get(f"{server.url}/metrics") as response:
        text = await response.text()
    found = re.findall(r"^realtime_(namespace_clients|connections)\{.*\} (\d+)", text, re.MULTILINE)
    sums: dict[str, float] = {}
    for name, value in found:
        sums[name] = sums.get(name, 0) + float(value)
    return sums


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve()


@pytest.mark.parametrize("entry", ["main.js", "main.jsx", "main-vue.js"])
async def test_a_page_keeps_its_list(server: Server, entry: str, tmp_path: Path) -> None:
    """It shows what is there, what comes and what goes, publishes once, and has one client."""
    token, bob = await signed_up(server, "test"), await signed_up(server, "bob")
    first = await server.story(token, text="one")
    async with opened(tmp_path, entry, server.url) as page:
        await page.shows("test: one")
        await server.story(bob, text="two")
        await page.shows("bob: two", "test: one")
        await page.publish("three")
        await page.shows("test: three", "bob: two", "test: one")
        await server.call(token, "DELETE", f"/stories/{first}")
        await page.shows("test: three", "bob: two")
        async with asyncio.timeout(START_S):
            # A connection that the page has closed again may be there for a moment.
            while await gauges(server) != {"namespace_clients": 1, "connections": 1}:
                pass
    _, answer = await server.call(token, "GET", "/stories")
    assert [story["text"] for story in answer["items"]] == ["three", "two"]


async def test_the_program_of_the_first_page(server: Server, tmp_path: Path) -> None:
    """README.md's program lists stories and prints a reaction."""
    (program,) = [each.text for each in blocks(ROOT / "README.md") if each.language == "js"]
    token, fan = await signed_up(server, "test"), await signed_up(server, "fan")
    story_id = await server.story(token)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    path = tmp_path / "program.mjs"
    beginning = f"const token = {json.dumps(token)};\n"
    end = "console.log(error ?? data.items[0].id);\n"
    path.write_text(beginning + program.replace("http://localhost:8080", server.url) + end)
    process = await asyncio.create_subprocess_exec(NODE or "", str(path), stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            assert (await process.stdout.readline()).decode().strip() == story_id
            await server.call(fan, "POST", f"/stories/{story_id}/reactions", {"emoji": "👍"})
            assert (await process.stdout.readline()).decode().strip() == "fan 👍"
    finally:
        process.kill()
        await process.wait()

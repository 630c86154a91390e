"""The guide "Start": its commands and its program, as a new user runs them."""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import DOCS, block, blocks
from tests.programs import START_S, Environment, StartServer
from tests.test_imports import ROOT

GUIDE = DOCS / "guides/start.md"

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
    pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed"),
]


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that stand between other output."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        found, end = decoder.raw_decode(text, at)
        yield found
        at = text.find("{", end)


async def test_the_guide_can_be_followed(
    start_server: StartServer, environment: Environment, tmp_path: Path
) -> None:
    """All commands in one shell; then the listener hears of a story that is posted."""
    server = await start_server()

    def here(text: str) -> str:
        text = text.replace("http://localhost:8080", server.doors.url)
        return text.replace(".venv/bin/python", sys.executable)

    commands = [each.text for each in blocks(GUIDE) if each.title == "commands"]
    assert len(commands) >= 4
    script = "\n".join(["set -euo pipefail", *commands, 'echo; echo "$TOKEN"'])
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", here(script), cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
    )
    output, errors = await asyncio.wait_for(shell.communicate(), 2 * START_S)
    assert shell.returncode == 0, errors.decode()
    text = output.decode()
    token = text.splitlines()[-1]
    answers = [*objects_in(text)]
    assert [answer["text"] for answer in answers if "text" in answer] == ["Hello"]
    (page,) = [answer for answer in answers if "items" in answer]
    assert page["items"][0]["text"] == "Hello"
    (refused,) = [answer for answer in answers if "status" in answer]
    assert refused["code"] == "story_not_found"

    program = tmp_path / "listen.py"
    program.write_text(here(block(GUIDE, "listen.py")))
    listener = await asyncio.create_subprocess_exec(
        sys.executable, str(program), token, stdout=PIPE
    )
    assert listener.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            assert (await listener.stdout.readline()).decode().strip() == "newest Hello"
            await server.doors.story(token, text="Again")
            assert (await listener.stdout.readline()).decode().strip() == "story.created Again"
    finally:
        listener.kill()
        await listener.wait()

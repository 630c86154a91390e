"""The guide "Events from other programs": its programs and its command, heard at two servers."""

import os
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from dataclasses import replace

import pytest

from app.__main__ import parser
from app.realtime import emitter
from tests.docs.markdown import DOCS, block, blocks
from tests.programs import free_port

GUIDE = DOCS / "guides/emitting.md"
BUILD = {"number": 7, "ok": True}


@pytest.fixture
async def pair(serve, redis):
    """Two servers on one database and one Redis, and a client of one account at each."""
    servers = [await serve(redis_url=redis.url, process_name=name) for name in ("web.1", "web.2")]
    token = await servers[0].token("ann")
    clients = [await server.socketio(token) for server in servers]
    other = await servers[1].socketio(await servers[1].token("bob"))
    return servers[0], clients, other


@pytest.mark.parametrize("program", ["announce.py", "announce_async.py"])
async def test_a_program_with_one_file_of_ours(pair, tmp_path, program):
    """Both of the account's clients hear it, and nobody else."""
    server, clients, other = pair
    account = await server.account("ann")
    shutil.copy(emitter.__file__, tmp_path)
    (tmp_path / program).write_text(block(GUIDE, program))
    process = await create_subprocess_exec(
        *(sys.executable, program, account.id),
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "REDIS_URL": server.settings.redis_url,
            "MONGODB_DATABASE": server.settings.mongodb_database,
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
    for client in clients:
        assert await client.event() == ("build.finished", BUILD)
    await server.story(await server.token("bob"))
    assert (await other.event())[0] == "story.created"


async def emit(settings, *arguments):
    """Run `python -m app emit`; returns its exit status."""
    args = parser().parse_args(["emit", *arguments])
    return await args.run(settings, args)


def documented_command():
    (text,) = [each.text for each in blocks(GUIDE) if each.language == "sh"]
    words = shlex.split(text)
    assert words[:4] == ["python", "-m", "app", "emit"]
    return words[4:]


async def test_the_command(pair, capsys):
    """It sends what the guide says, and prints the entry's id."""
    server, clients, _ = pair
    namespace, room, event, data = documented_command()
    room = room.replace("4711", (await server.account("ann")).id)
    assert await emit(server.settings, namespace, room, event, data) == 0
    assert capsys.readouterr().out.startswith("emitted 1")
    for client in clients:
        assert await client.event() == ("build.finished", BUILD)


async def test_the_command_to_everyone(pair):
    server, clients, other = pair
    assert await emit(server.settings, "/stories", "*", "restart.planned", '"at noon"') == 0
    for client in (*clients, other):
        assert await client.event() == ("restart.planned", "at noon")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stories", "a", "said"), "begins with a slash"),
        (("/stories", "a", "connect"), "Socket.IO's own"),
        (("/stories", "a", "said", "{hidden"), "not valid JSON"),
        (("/stories", "a", "said", "NaN"), "NaN is not valid JSON"),
        (("/stories", "a", "said", "[" * 100_000), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_what_the_command_refuses(settings, redis, capsys, arguments, message):
    """In one line that repeats nothing."""
    assert await emit(replace(settings, redis_url=redis.url), *arguments) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert "hidden" not in printed.err
    assert printed.out == ""


async def test_the_command_without_its_server(settings, redis, capsys):
    """No REDIS_URL, no stream there, no Redis: each has its sentence, none the address."""
    address = f"redis://:hidden@127.0.0.1:{free_port()}"
    for url, message in (
        (None, "REDIS_URL is not set"),
        (redis.url, "No server has run"),
        (address, "Redis failed"),
    ):
        chosen = replace(settings, redis_url=url)
        assert await emit(chosen, "/stories", "a", "said") == 1
        printed = capsys.readouterr().err
        assert message in printed
        assert "hidden" not in printed

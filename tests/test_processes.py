"""The server as operators run it: started, stopped, killed, and several at once."""

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress

import pytest
from aiohttp import ClientError, ClientSession

from tests.hanging_database import hanging_database
from tests.live import HELLO, PATIENCE_S
from tests.programs import ROOT, START_S, free_port, run

pytestmark = pytest.mark.fault

PASSWORD = "password123"


async def sign_up(doors, name):
    """Make an account over REST; returns its token and id."""
    account = {"email": f"{name}@example.com", "password": PASSWORD}
    status, answer = await doors.call(None, "POST", "/signup", account)
    assert status == 201, answer
    return answer["token"], answer["user"]["id"]


class Writer:
    """Publishes stories one after the other, and keeps the ids of those acknowledged."""

    def __init__(self, doors, token):
        self.acknowledged = []
        self._enough = asyncio.Event()
        self._doors = doors
        self._token = token

    async def write(self):
        """Write until the server is gone, or says that it goes."""
        with suppress(ClientError):
            while True:
                number = len(self.acknowledged)
                story = HELLO | {"text": f"{number}"}
                status, answer = await self._doors.call(self._token, "POST", "/stories", story)
                if status == 503:
                    assert answer["code"] == "server_stopping"
                    return
                assert status == 201
                self.acknowledged.append(answer["id"])
                if number >= 20:
                    self._enough.set()

    async def written_enough(self):
        await asyncio.wait_for(self._enough.wait(), START_S)


async def begin_login(doors, name):
    """Send a login, which takes the server a while, and leave its answer unread."""
    body = json.dumps({"email": f"{name}@example.com", "password": PASSWORD})
    host, port = doors.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return reader, writer


async def answer(reader, writer):
    """Return the status of an answer, 0 for none, and whether it says when to come back."""
    head = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    status = int(head.split()[1]) if head else 0
    return status, b"\r\nRetry-After: " in head


async def test_sigterm_in_mid_traffic(start_server):
    """Clients are told, what was begun is answered, and the process is gone within 5 s with 0.

    Started again, the server knows tokens and every story that it acknowledged.
    """
    program = await start_server()
    doors = program.doors
    (token, _), (other, _) = await sign_up(doors, "ann"), await sign_up(doors, "bob")
    raw, engine_io = await doors.raw(token), await doors.raw(other)
    socket = await doors.socketio(token, transports=("polling", "websocket"))
    writer = Writer(doors, token)
    writing = asyncio.create_task(writer.write())
    pinging = asyncio.create_task(ping_forever(engine_io))
    await writer.written_enough()
    logins = [await begin_login(doors, "ann") for _ in range(6)]
    # When this is answered, the server has read what was sent to it before.
    assert (await doors.call(None, "GET", "/health"))[0] == 200

    program.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert await raw.closed() == 1001
    assert await pinging == 1001
    await socket.gone()
    # A hash that takes longer than the stop, on a machine at work, is answered 503.
    assert {await answer(*login) for login in logins} <= {(200, False), (503, True)}
    assert await program.ended() == 0
    assert time.monotonic() - began < 5
    await writing
    assert not [line for line in program.lines if "Traceback" in line or "ERROR" in line]

    again = (await start_server()).doors
    for story_id in writer.acknowledged:
        status, _ = await again.call(token, "GET", f"/stories/{story_id}")
        assert status == 200


async def test_sigterm_does_not_wait_for_the_slow(start_server):
    """Clients that do not answer, and requests that never end, hold up nobody beyond 5 s."""
    program = await start_server()
    doors = program.doors
    token, _ = await sign_up(doors, "ann")
    deaf = await doors.raw(token, autoclose=False)
    host, port = doors.url.removeprefix("http://").split(":")
    _, unfinished = await asyncio.open_connection(host, int(port))
    unfinished.write(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    poller = await doors.socketio(token, transports=("polling",))
    began = time.monotonic()
    assert await program.stop() == 0
    assert time.monotonic() - began < 5
    assert await deaf.closed() == 1001
    await poller.gone()
    unfinished.close()


async def test_a_request_that_never_begins_is_not_waited_for(start_server):
    """Connections that say nothing, or never finish the head of a request, are closed."""
    program = await start_server(LIMIT_IDLE_CONNECTION_S="1")
    host, port = program.doors.url.removeprefix("http://").split(":")
    for said in (b"", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()
    assert await program.stop() == 0


async def ping_forever(client):
    """Keep frames coming until the server closes; returns the close code."""
    with suppress(ConnectionError):
        for _ in range(5):
            await client.send({"type": "ping"})
    return await client.closed()


async def test_sigterm_while_the_database_hangs(start_server, environment):
    """With commands and requests in a database that does not answer, the process is gone in 5 s."""
    async with hanging_database(answers=True) as database:
        program = await start_server(MONGODB_URI=database.uri)
        doors = program.doors
        database.answers = False
        database.asked.clear()
        login = await begin_login(doors, "ann")
        await asyncio.wait_for(database.asked.wait(), PATIENCE_S)
        began = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        assert await answer(*login) == (503, True)
        assert await program.ended() == 0
        assert time.monotonic() - began < 5
        assert not [line for line in program.lines if "Traceback" in line]


async def test_sigterm_while_it_starts_on_a_database_that_hangs(environment):
    """A server that waits for its database at the start ends at once, too."""
    async with hanging_database(answers=False) as database:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app"),
            cwd=ROOT,
            env=environment | {"PORT": str(free_port()), "MONGODB_URI": database.uri},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        await asyncio.wait_for(database.asked.wait(), START_S)
        began = time.monotonic()
        process.terminate()
        output, _ = await asyncio.wait_for(process.communicate(), START_S)
        assert time.monotonic() - began < 5
        assert (process.returncode, b"Traceback" in output) == (0, False)


async def test_the_health_check_says_when_to_ask_again(start_server):
    """503 while the database is away comes with `Retry-After`."""
    async with hanging_database(answers=True) as database:
        doors = (await start_server(MONGODB_URI=database.uri)).doors
        database.answers = False
        async with ClientSession() as http, http.get(f"{doors.url}/health") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["status"] == "degraded"


@pytest.mark.parametrize("clean", [True, False], ids=["stop", "crash"])
async def test_who_is_present_after_a_restart(start_server, clean):
    """After a stop people are present while they may come back, and that is told to nobody.

    After a crash a server of the same port shows none of them, and coming back is told.
    """
    variables = {"PORT": str(free_port()), "PRESENCE_GRACE_S": "60"}
    program = await start_server(**variables)
    (ann, ann_id), (ben, ben_id) = [await sign_up(program.doors, name) for name in ("ann", "ben")]
    first = await program.doors.socketio(ann, namespace="/chat")
    room = {"conversation_id": "general"}
    assert (await first.call("join_channel", room))["data"]["told"] is True
    if clean:
        assert await program.stop() == 0
    else:
        await program.kill()
    doors = (await start_server(**variables)).doors
    watcher = await doors.socketio(ben, namespace="/chat")
    snapshot = (await watcher.call("join_channel", room))["data"]
    expected = {ann_id, ben_id} if clean else {ben_id}
    assert {who["user_id"] for who in snapshot["present"]} == expected
    again = await doors.socketio(ann, namespace="/chat")
    assert (await again.call("join_channel", room))["data"]["told"] is not clean
    # Everything that was told before this message has been heard when the message is.
    await again.call("send_message", {"channel_id": "general", "content": "Hello"})
    heard = [await watcher.event()]
    while heard[-1][0] != "new_message":
        heard.append(await watcher.event())
    joined = [data["user_id"] for name, data in heard if name == "channel_joined"]
    assert joined == ([ben_id] if clean else [ben_id, ann_id])


async def test_two_processes_on_one_database(start_server):
    """What one writes the other reads; e-mails are unique and views counted across both."""
    one, two = [program.doors for program in [await start_server(), await start_server()]]
    token, _ = await sign_up(one, "ann")
    story_id = await one.story(token)
    status, story = await two.call(token, "GET", f"/stories/{story_id}")
    assert (status, story["text"]) == (200, "Hello World")

    answers = await asyncio.gather(
        *(
            doors.call(None, "POST", "/signup", {"email": email, "password": PASSWORD})
            for doors, email in ((one, "bob@example.com"), (two, "BOB@example.com"))
        )
    )
    assert sorted(status for status, _ in answers) == [201, 409]
    (bob,) = [answer["token"] for status, answer in answers if status == 201]

    views = await asyncio.gather(
        *(doors.call(bob, "POST", f"/stories/{story_id}/view") for doors in (one, two) * 5)
    )
    assert {status for status, _ in views} == {200}
    assert len({view["viewed_at"] for _, view in views}) == 1
    for doors in (one, two):
        _, story = await doors.call(token, "GET", f"/stories/{story_id}")
        assert story["view_count"] == 1


async def test_two_that_do_not_hear_each_other_say_so(start_server, redis):
    """Within ten seconds, in /health and the log; not with a Redis between them."""

    async def reason(doors):
        # As a router asks: more often is refused.
        await asyncio.sleep(0.5)
        status, health = await doors.call(None, "GET", "/health")
        assert status == 200
        return health.get("reason")

    one, two = await start_server(), await start_server()
    began = time.monotonic()
    while not await reason(one.doors) or not await reason(two.doors):
        assert time.monotonic() - began < PATIENCE_S
    assert "REDIS_URL" in await reason(one.doors)
    assert (await one.doors.call(None, "GET", "/ready"))[0] == 200
    assert [line for line in one.lines if "not heard here" in line]
    await two.stop()
    while await reason(one.doors):
        assert time.monotonic() - began < 3 * PATIENCE_S
    await one.stop()
    pair = [await start_server(REDIS_URL=redis.url) for _ in range(2)]
    began = time.monotonic()
    while time.monotonic() - began < 8:
        assert [await reason(each.doors) for each in pair] == [None, None]


async def test_an_account_disabled_by_an_operator_is_put_out(start_server, environment):
    """`users disable` in another process ends live connections and refuses new ones."""
    doors = (await start_server(REVOCATION_CHECK_S="0.1")).doors
    token, account_id = await sign_up(doors, "ann")
    other, _ = await sign_up(doors, "bob")
    raw, socket = await doors.raw(token), await doors.socketio(token)
    bystander = await doors.raw(other)
    disabled = await run("users", "disable", "ann@example.com", environment=environment)
    assert disabled == (0, [f"Account {account_id} (ann@example.com) is disabled."], [])
    assert await raw.closed() == 4003
    await socket.gone()
    assert (await doors.socketio(token)).refusal["data"] == {"code": "account_disabled"}
    assert (await bystander.ask({"type": "ping"}))["type"] == "pong"


async def test_a_newcomers_first_minute(start_server, environment):
    """The examples are loaded beside a running server; a printed token opens its doors."""
    doors = (await start_server()).doors
    status, lines, errors = await run("demo", environment=environment)
    assert (status, errors) == (0, [])
    assert [line for line in lines if "test@example.com / password123" in line]
    status, (token,), errors = await run("token", "test@example.com", environment=environment)
    assert (status, errors) == (0, [])
    client = await doors.open_raw(token)
    assert (await client.frame())["data"]["email"] == "test@example.com"
    login = {"email": "test@example.com", "password": "password123"}
    assert (await doors.call(None, "POST", "/login", login))[0] == 200


async def test_help_explains(environment):
    """`--help` names every command; a command that is not there is a usage error."""
    status, lines, errors = await run("--help", environment=environment)
    assert (status, errors) == (0, [])
    for command in ("serve", "users", "token", "migrate", "demo"):
        assert [line for line in lines if line.strip().startswith(f"{command} ")], command
    status, lines, errors = await run("fly", environment=environment)
    assert (status, lines) == (2, [])
    assert errors


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"MONGODB_URI": ""}, "MONGODB_URI"),
        ({"JWT_SECRET": ""}, "JWT_SECRET"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"ENVIRONMENT": "", "DYNO": "web.1", "JWT_SECRET": ""}, "JWT_SECRET"),
        ({"MONGODB_URI": "mongodb://user:secret@host:port/"}, "MONGODB_URI"),
        ({"PORT": "http"}, "PORT"),
        ({"LEGACY_PORTS": "3000,70000"}, "LEGACY_PORTS"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
    ],
    ids=str,
)
async def test_a_server_that_lacks_something_says_so(environment, variables, names):
    """One sentence names the variable, the exit status is 2, and nothing else is printed."""
    production = {
        "ENVIRONMENT": "production",
        "MONGODB_URI": "mongodb://127.0.0.1:1/realtime",
        "JWT_SECRET": "s" * 32,
    }
    chosen = {key: value for key, value in (production | variables).items() if value}
    status, lines, errors = await run(environment=environment | {"MONGODB_URI": ""} | chosen)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert names in errors[0]
    assert "secret" not in errors[0]


async def test_a_port_that_is_taken(start_server, environment):
    """One sentence says which port, the exit status is 1."""
    port = (await start_server()).doors.url.rpartition(":")[2]
    status, lines, errors = await run(environment=environment | {"PORT": port})
    assert (status, len(errors)) == (1, 1)
    assert port in errors[0]
    assert "in use" in errors[0]
    assert not [line for line in lines if "Ready" in line]


async def test_old_urls_work_on_their_old_ports(start_server):
    """LEGACY_PORTS makes the one application listen on all of them."""
    ports = [free_port(), free_port()]
    program = await start_server(LEGACY_PORTS=",".join(map(str, ports)))
    token, _ = await sign_up(program.doors, "ann")
    async with ClientSession() as http:
        for number, port in enumerate(ports, 1):
            async with http.ws_connect(f"ws://127.0.0.1:{port}/ws?token={token}") as socket:
                assert (await socket.receive_json(timeout=PATIENCE_S))["type"] == "connected"
                async with http.get(f"{program.doors.url}/health") as response:
                    assert (await response.json())["ws_connections"] == 1, number
            # A foreign page or name is refused on each of them.
            for headers, status in (
                ({"Host": "evil.example"}, 421),
                ({"Origin": "http://a.b"}, 403),
            ):
                url = f"http://127.0.0.1:{port}/health"
                async with http.get(url, headers=headers) as response:
                    assert response.status == status


async def test_the_procfile(environment):
    """The release phase migrates; then `web` starts a server on PORT that answers /health."""
    pytest.importorskip("honcho", reason="honcho is not installed")
    port = str(free_port())

    async def start(name):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "honcho", "start", name),
            cwd=ROOT,
            env=environment | {"PORT": port, "PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    release = await start("release")
    released, _ = await asyncio.wait_for(release.communicate(), START_S)
    assert (release.returncode, b"up to date" in released) == (0, True)
    process = await start("web")
    try:
        async with asyncio.timeout(START_S):
            while b"listening on" not in (line := await process.stdout.readline()):
                assert line, "honcho ended"
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/health") as response:
            assert response.status == 200
            assert (await response.json())["status"] == "healthy"
    finally:
        process.terminate()
        output, _ = await asyncio.wait_for(process.communicate(), START_S)
    assert b"stopped" in output

"""What a line says to programs: JSON, ids, one line for each request and connection, samples."""

import asyncio
import io
import json
import logging
from datetime import datetime

import pytest
from aiohttp import ClientSession

from app.logs import JSON, SAMPLED_BURST, Sampling, configure, fields
from app.realtime.lives import Life, Lives
from tests.live import PATIENCE_S

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3MzE5In0.c2lnbmF0dXJl"
SPOKEN = "words of a private message"


class Lines(io.StringIO):
    """Takes the lines of a process, as standard output does."""

    def all(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, **wanted):
        return [line for line in self.all() if wanted.items() <= line.items()]


@pytest.fixture
def lines(logging_as_it_was):
    """The lines of this process as JSON, from now on."""
    out = Lines()
    configure("DEBUG", ["a known secret"], stream=out, form=JSON)
    return out


async def ended(server, lines, **wanted):
    """Return the line of a connection's end, which comes a moment after its close frame."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await server.call(None, "GET", "/live")
            found = [line for line in lines.of(**wanted) if "seconds" in line]
            if found:
                return found[0]


def test_a_line_is_one_json_object(lines):
    """Message, time, level and logger; line breaks of an argument stay within it."""
    before = datetime.now().astimezone()
    logging.getLogger("app.x").info(
        "two\n%s", "lines", extra=fields(id="a", account="7", none=None)
    )
    (line,) = lines.all()
    said_at = datetime.fromisoformat(line.pop("time"))
    assert abs((said_at - before).total_seconds()) < PATIENCE_S
    assert line == {
        "level": "INFO",
        "logger": "app.x",
        "message": "two\nlines",
        "id": "a",
        "account": "7",
    }


def test_no_secret_is_in_any_part_of_it(lines):
    """Message, fields and traceback are redacted."""
    try:
        raise ValueError(f"cannot use {SECRET} or a known secret")
    except ValueError:
        logging.getLogger("app.x").exception("token=%s", SECRET, extra=fields(path=f"/{SECRET}"))
    (line,) = lines.all()
    assert "Traceback" in line["traceback"]
    assert "[redacted]" in line["message"]
    assert "[redacted]" in line["path"]
    assert "eyJ" not in lines.getvalue()
    assert "a known secret" not in lines.getvalue()


def test_fields_do_not_replace_the_line_itself(lines):
    """A field that is named as a part of the line is left out."""
    logging.getLogger("app.x").info("said", extra=fields(level="none", message="other"))
    (line,) = lines.all()
    assert (line["level"], line["message"]) == ("INFO", "said")


def test_a_worker_names_itself(logging_as_it_was):
    """In each line of either form, where there are several."""
    out = Lines()
    configure("INFO", stream=out, form=JSON, worker=2)
    logging.getLogger("app.x").info("hello")
    assert out.all()[0]["worker"] == 2
    text = io.StringIO()
    configure("INFO", stream=text, worker=2)
    logging.getLogger("app.x").info("hello", extra=fields(id="a"))
    assert text.getvalue() == "INFO app.x: hello (worker=2 id=a)\n"


def test_samples():
    """A burst of one kind is written, then one a second; the next says how many were not."""
    now = 0.0
    sampling = Sampling(lambda: now)

    def written(kind):
        record = logging.makeLogRecord(fields(kind))
        return sampling.filter(record), getattr(record, "left_out", None)

    assert [written("a") for _ in range(SAMPLED_BURST + 5)] == [
        *[(True, 0)] * SAMPLED_BURST,
        *[(False, None)] * 5,
    ]
    assert written("b") == (True, 0)
    assert all(written(None) == (True, None) for _ in range(SAMPLED_BURST * 2))
    now = 1.0
    assert written("a") == (True, 5)
    assert written("a") == (False, None)


def test_people_see_what_a_line_is_about(logging_as_it_was):
    """Text has ids and accounts behind the message, and the time on a terminal only."""
    for is_terminal in (False, True):
        out = Lines()
        out.isatty = lambda is_terminal=is_terminal: is_terminal
        configure("INFO", stream=out)
        logging.getLogger("app.x").info("GET /stories 200", extra=fields(id="ab", status=200))
        line = out.getvalue()
        assert line.endswith("INFO app.x: GET /stories 200 (id=ab)\n")
        assert line.startswith("INFO") is not is_terminal


async def test_a_request_has_one_line(server, lines):
    """Whose it was, what was answered, and the id that the client was told."""
    account, token = await server.account("one"), await server.token("one")
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "0123456789abcdef"}
    url = f"{server.url}/stories?limit=5"
    async with ClientSession() as http, http.get(url, headers=headers) as answer:
        request_id = answer.headers["X-Request-Id"]
        body = await answer.read()
    (line,) = lines.of(path="/stories")
    # Nobody in front is trusted here, so the client's own id counts for nothing.
    assert request_id != "0123456789abcdef"
    assert line["id"] == request_id
    assert line["account"] == account.id
    assert (line["method"], line["status"], line["bytes"]) == ("GET", 200, len(body))
    assert line["ms"] >= 0
    assert "address" not in line
    assert "limit" not in json.dumps(line)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0123456789abcdef0123456789abcdef", True),
        ("01234567-89ab-cdef-0123-456789abcdef", True),
        (SECRET, False),
        ("short", False),
    ],
)
async def test_the_id_of_a_trusted_proxy(serve, lines, given, kept):
    """Behind a proxy its id is kept, if it can be one; refusals have an id as well."""
    server = await serve(trusted_proxies=1)
    async with ClientSession() as http:
        headers = {"X-Request-Id": given}
        async with http.get(f"{server.url}/stories", headers=headers) as answer:
            assert answer.status == 401
            request_id = answer.headers["X-Request-Id"]
    assert (request_id == given) is kept
    assert lines.of(path="/stories", id=request_id)


async def test_a_raw_connection_has_one_line(server, lines):
    """At its end: whose, how long, how many bytes, why; the client's own words are not in it."""
    account = await server.account("one")
    client = await server.raw(await server.token("one"))
    await client.send({"type": SPOKEN})
    await client.frame()
    await client.socket.close(code=1000, message=SPOKEN.encode())
    line = await ended(server, lines, door="/ws")
    assert line["account"] == account.id
    assert (line["code"], line["reason"]) == (1000, "closed by the client")
    assert line["bytes_sent"] > 100
    assert line["bytes_received"] > 100
    assert lines.of(path="/ws", id=line["id"], status=101)
    assert SPOKEN not in lines.getvalue()


async def test_a_socketio_connection_has_one_line(server, lines):
    """One for its transport, whatever namespaces it was in."""
    account = await server.account("one")
    client = await server.socketio(await server.token("one"))
    await client.client.disconnect()
    line = await ended(server, lines, door="socket.io")
    assert (line["account"], line["code"]) == (account.id, 1000)
    assert line["bytes_sent"] > 100
    assert len([line for line in lines.of(door="socket.io") if "seconds" in line]) == 1


async def test_a_polling_connection_has_one_line(server, lines):
    """It has no TCP connection of its own, so nothing is said of bytes."""
    client = await server.socketio(await server.token("one"), transports=("polling",))
    await client.client.disconnect()
    line = await ended(server, lines, door="socket.io")
    assert line["reason"] == "client disconnect"
    assert "bytes_sent" not in line


async def test_addresses_by_setting_only(serve, lines):
    """Requests and connections have the client's address where the operator wants it."""
    server = await serve(log_client_addresses=True)
    client = await server.raw(await server.token("one"))
    await client.socket.close()
    assert (await ended(server, lines, door="/ws"))["address"] == "127.0.0.1"
    assert lines.of(path="/live", address="127.0.0.1")


async def test_refusals_are_sampled(server, lines):
    """A flood of refused requests leaves a bounded number of lines."""
    for _ in range(SAMPLED_BURST + 40):
        assert (await server.call(None, "GET", "/stories"))[0] == 401
    refused = lines.of(path="/stories")
    assert SAMPLED_BURST <= len(refused) < SAMPLED_BURST + 40
    for _ in range(SAMPLED_BURST + 40):
        await server.call(None, "GET", "/live")
    assert len(lines.of(path="/live")) == SAMPLED_BURST + 40


async def test_limits_name_the_account(serve, lines):
    """Whoever sends too much is in the log by the account's id."""
    server = await serve(messages_burst=3, message_delay_s=1, messages_per_s=1)
    account = await server.account("one")
    client = await server.socketio(await server.token("one"))
    await asyncio.gather(*(client.call("list_stories", {}) for _ in range(9)))
    assert lines.of(message="too many messages", account=account.id)


async def test_a_refusal_after_the_upgrade(server, lines):
    """The dialects that refuse by a close code have a line of their own for that."""
    account = await server.account("one")
    client = await server.open_at(f"/api/v1/ws/{account.id}?token={SECRET}")
    await client.closed()
    (line,) = [line for line in lines.all() if line["message"].startswith("refused at ")]
    assert line["message"].endswith("token_invalid")
    assert "eyJ" not in lines.getvalue()


def test_a_connection_ends_once():
    """The first end is the one that counts, and observers hear of it once."""
    lives, seen = Lives(), []
    lives.observe(seen.append)
    life = Life(lives, "/ws", "id", None)
    life.end(1013, "too slow")
    life.end(1006, "")
    assert [(each.code, each.reason) for each in seen] == [(1013, "too slow")]

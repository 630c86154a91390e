"""The dialect of `/api/v1/ws/{user_id}`, against the frames of docs/older-apis/diary.md."""

import asyncio
import json

import pytest

from app.legacy.dialects.diary import DiaryDialect
from app.realtime import inbox
from models.diary.motivation.events import MotivationGenerated
from models.diary.motivation.schema import RequestMotivation
from models.errors import Conflict
from models.identity import Identity
from models.rooms import user_room
from namespaces.base import Commands, command
from namespaces.guard import SLOW_AT_ONCE
from tests.frames import golden, spelled
from tests.live import PATIENCE_S

USER = "123456789"
DOCUMENTED = json.loads(golden("diary", "motivation_generated"))
ASKED = json.loads(golden("diary", "sent/motivation_requested"))
PING, PONG = golden("diary", "sent/ping"), golden("diary", "pong")
TEXT = DOCUMENTED["motivation_text"]


class Motivation(Commands):
    """Tells the document's text, when let."""

    domain = "diary"

    def __init__(self):
        self.publisher = None
        self.let = asyncio.Event()
        self.let.set()
        self.refused = False

    @command(RequestMotivation, slow=True)
    async def request_motivation(self, caller, payload):
        if self.refused:
            raise Conflict("Nothing comes to mind.", code="goal_deleted")
        await self.let.wait()
        event = MotivationGenerated(
            id="m1",
            user_id=caller.identity.account_id,
            motivation_text=TEXT,
            source="catalogue",
            created_at="2026-03-01T12:00:00.000Z",
            **payload,
        )
        await self.publisher.publish(event, user_room(event.user_id))
        return event.data()


@pytest.fixture
def motivation():
    return Motivation()


@pytest.fixture
def diary(raw_endpoint, motivation):
    """Start an endpoint that speaks the dialect; returns what opens a client of a user."""

    async def start(**options):
        raw = await raw_endpoint(
            dialect=DiaryDialect([motivation]),
            policy={"connections_per_user": 3},
            **options,
        )
        motivation.publisher = raw.publisher

        async def connect(user=USER):
            return await raw.doors.open_raw(user)

        return connect

    return start


async def is_alive(client):
    """Whether the next frame answers a ping: nothing else was told, and it is kept."""
    await client.send(PING)
    return spelled(await client.text()) == PONG


async def test_a_ping_is_answered_as_documented(diary):
    """With the user and `Pong!`."""
    assert await is_alive(await (await diary())())


async def test_a_motivation_is_told_as_documented(diary):
    """Once to each connection of the user, the asking one among them, and to nobody else."""
    connect = await diary()
    asking, other = await connect(), await connect()
    stranger = await connect("2")
    await asking.send(ASKED)
    for client in (asking, other):
        assert spelled(await client.text()) == golden("diary", "motivation_generated")
        assert await is_alive(client)
    assert (await stranger.ask(PING))["type"] == "pong"


@pytest.mark.parametrize(
    ("sent", "challenge", "level"),
    [
        ({}, "", 5),
        ({"current_challenge": "code"}, "code", 5),
        ({"stress_level": 10}, "", 10),
        ({"current_challenge": "", "stress_level": 1}, "", 1),
        ({"current_challenge": "💪" * 500, "note": "passed over"}, "💪" * 500, 5),
    ],
    ids=str,
)
async def test_what_is_left_out_is_as_the_documents_clients_have_it(diary, sent, challenge, level):
    """An empty challenge and a level of five."""
    client = await (await diary())()
    frame = await client.ask({"type": "motivation_requested"} | sent)
    expected = DOCUMENTED | {"current_challenge": challenge, "stress_level": level}
    assert list(frame.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("sent", "printed"),
    [
        (golden("diary", "sent/custom_message"), None),
        ('{"type":"Ping"}', '{"type": "Ping"}'),
        ('{"type":"","a":[1,[],{}]}', '{"type": "", "a": [1, [], {}]}'),
        ('{"z":1,"type":"x","a":2}', '{"z": 1, "type": "x", "a": 2}'),
        ('{"type":"x","n":[1.0,-0.5,12345678901234567890,true,null]}', None),
        (r'{"type": "x", "t": "Xin ch\u00e0o \ud83d\udcaa \"quoted\" \n"}', "Xin chào 💪"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_rest_is_echoed(diary, sent, printed):
    """As JSON with spaces, characters and the order of keys as they were sent."""
    client = await (await diary())()
    await client.send(sent)
    frame = json.loads(await client.text())
    assert list(frame) == list(json.loads(golden("diary", "echo")))
    assert (frame["type"], frame["user_id"]) == ("echo", USER)
    prefix, text = frame["message"][: len("Received: ")], frame["message"][len("Received: ") :]
    assert prefix == "Received: "
    assert json.loads(text) == json.loads(sent)
    assert (printed or "") in text


async def test_the_documented_echo(diary):
    """The document's message gets the document's frame, word for word."""
    client = await (await diary())()
    await client.send(golden("diary", "sent/custom_message"))
    assert spelled(await client.text()) == golden("diary", "echo")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("{", "not valid JSON"),
        ('{"type": "ping"', "not valid JSON"),
        ("", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('"ping"', "not a JSON object"),
        ('{"type": "x", "n": NaN}', "NaN"),
        ('{"type": "x", "n": 1e999}', "number that is too large"),
        ("{}", "type is missing"),
        ('{"event": "ping"}', "type is missing"),
        ('{"type": null}', "type is not text"),
        ('{"type": 7}', "type is not text"),
        ('{"type": {"$gt": ""}}', "type is not text"),
        (ASKED | {"stress_level": 0}, "stress_level: Must be from 1 to 10"),
        (ASKED | {"stress_level": 11}, "stress_level: Must be from 1 to 10"),
        (ASKED | {"stress_level": "7"}, "stress_level: Not a number"),
        (ASKED | {"stress_level": True}, "stress_level: Not a number"),
        (ASKED | {"stress_level": None}, "stress_level"),
        (ASKED | {"stress_level": 7.5}, "stress_level: Not a whole number"),
        (ASKED | {"current_challenge": "💪" * 501}, "current_challenge: .*500"),
        (ASKED | {"current_challenge": 7}, "current_challenge"),
        (ASKED | {"current_challenge": None}, "current_challenge"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_message_gets_the_error_frame(diary, message, problem):
    """It says what is wrong, and the connection is kept."""
    client = await (await diary())()
    frame = await client.ask(message)
    assert list(frame) == list(json.loads(golden("diary", "error")))
    assert (frame["type"], frame["user_id"]) == ("error", USER)
    head, _, tail = problem.partition(".*")
    assert head in frame["message"]
    assert tail in frame["message"]
    assert await is_alive(client)


async def test_the_documented_error(diary):
    """One error frame is kept word for word."""
    client = await (await diary())()
    await client.send("{}")
    assert spelled(await client.text()) == golden("diary", "error")


async def test_a_refused_motivation_is_told_to_the_asker_only(diary, motivation):
    """What the domain says against it is in the error frame."""
    connect = await diary()
    asking, other = await connect(), await connect()
    motivation.refused = True
    assert (await asking.ask(ASKED))["message"] == "Nothing comes to mind."
    assert await is_alive(other)


async def test_a_slow_motivation_holds_up_nothing(diary, motivation):
    """Pings are answered while it is made; one too many is refused, the others are told."""
    client = await (await diary(messages_per_s=1000))()
    motivation.let.clear()
    for _ in range(SLOW_AT_ONCE):
        await client.send(ASKED)
        assert await is_alive(client)
    assert "under way" in (await client.ask(ASKED))["message"]
    motivation.let.set()
    for _ in range(SLOW_AT_ONCE):
        assert await client.frame() == DOCUMENTED
    assert await client.ask(ASKED) == DOCUMENTED


async def test_a_motivation_whose_asker_has_gone_is_told_to_the_others(diary, motivation):
    """It is finished, and the user's other device has it."""
    connect = await diary()
    asking, other = await connect(), await connect()
    motivation.let.clear()
    await asking.send(ASKED)
    assert await is_alive(asking)
    await asking.socket.close()
    motivation.let.set()
    assert await other.frame() == DOCUMENTED
    await inbox.drain(PATIENCE_S)


async def test_the_connections_of_a_user_share_its_messages(diary):
    """Two connections send no more than one; another user has messages of its own."""
    connect = await diary(messages_per_s=1, messages_burst=8, message_delay_s=0)
    one, two, stranger = await connect(), await connect(), await connect("2")
    for client in (one, two, one, two):
        assert await is_alive(client)
    for client in (one, two):
        assert "slow down" in (await client.ask(PING))["message"]
    assert (await stranger.ask(PING))["type"] == "pong"


async def test_bad_motivations_in_a_row_end_the_connection(diary):
    """A refusal counts against the connection, although it is made beside the other messages."""
    client = await (await diary(messages_per_s=1000))()
    for _ in range(50):
        assert (await client.ask(ASKED | {"stress_level": 11}))["type"] == "error"
    assert await client.closed() == 1008


def test_what_clients_send_is_what_the_document_says():
    """Each field of the message is one of the command's."""
    fields = DiaryDialect.receives["motivation_requested"].fields
    assert set(fields) == set(RequestMotivation().fields)


def test_other_events_are_not_told():
    """Clients of this API know no frame for them, so they get none."""
    dialect = DiaryDialect()
    for domain, event in (("diary", "task.due"), ("chat", "motivation_generated")):
        assert dialect.render(domain, event, DOCUMENTED) is None
    assert dialect.greeting(Identity("1", None, "1")) is None

"""`explain`: real causes, told apart; who may ask; what the command prints."""

import asyncio

import pytest

from app.__main__ import parser
from app.admin.command import lines_of
from app.metrics.live import LIVE
from app.realtime.lives import LAST_KEPT, Life, Lives
from tests.live import PATIENCE_S

ADMIN = "/api/v1/admin"


class Asked:
    """What an operator is told about an account."""

    def __init__(self, server, operator):
        self.server = server
        self.operator = operator

    async def about(self, name):
        account = await self.server.account(name)
        path = f"{ADMIN}/explain?user={account.id}"
        status, answer = await self.server.call(self.operator, "GET", path)
        assert status == 200, answer
        return answer

    async def event(self, name, kind):
        """Return the latest event of a kind."""
        return next(event for event in (await self.about(name))["events"] if event["event"] == kind)

    async def ended(self, name):
        """Return when the account's connection has ended for the server, too."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.about(name))["connections"]:
                pass


@pytest.fixture
async def asked(server):
    return Asked(server, await server.token("operator"))


async def say(server, token, channel):
    """Join a channel and say something in it."""
    client = await server.socketio(token, namespace="/chat")
    assert "data" in await client.call("join_channel", {"channel_id": channel})
    answer = await client.call(
        "send_message", {"channel_id": channel, "content": "secret words", "message_type": "text"}
    )
    assert "data" in answer, answer
    return client


async def test_told(server, asked):
    """Where an event went, and in which rooms the connections are."""
    bob = await server.account("bob")
    client = await server.socketio(await server.token("bob"))
    story_id = await server.story(await server.token("ann"))
    await client.event()
    answer = await asked.about("bob")
    (connection,) = answer["connections"]
    assert connection["door"] == "socket.io"
    assert f"user:{bob.id}" in connection["rooms"]["/stories"]
    assert answer["account"]["id"] == bob.id
    event = await asked.event("bob", "story.created")
    assert (event["about"], event["told"], event["missed"]) == (story_id, ["/stories"], [])


async def test_away_since(server, asked):
    """Nobody was connected; how the last connection ended is said."""
    client = await server.raw(await server.token("bob"))
    await client.socket.close()
    await asked.ended("bob")
    await server.story(await server.token("ann"))
    event = await asked.event("bob", "story.created")
    assert event["told"] == []
    (why,) = event["missed"]
    assert why.startswith("away since ")
    assert why.endswith("/ws ended with 1000 (closed by the client)")


async def test_never_connected(server, asked):
    """Nothing is remembered of an account that was never here."""
    await server.story(await server.token("ann"))
    event = await asked.event("bob", "story.created")
    assert event["missed"] == [
        "not connected at the time, and no connection before it is remembered here"
    ]


async def test_not_in_the_room(server, asked):
    """A member who is connected and has not joined the channel by this connection."""
    ann, bob = await server.token("ann"), await server.token("bob")
    first = await say(server, bob, "general")
    await first.client.disconnect()
    await asked.ended("bob")
    await server.socketio(bob, namespace="/chat")
    await say(server, ann, "general")
    event = await asked.event("bob", "new_message")
    assert event["missed"][0] == "/chat: not in the room"
    assert event["told"] == []


async def test_another_namespace(server, asked):
    """Connected, but not where the event is told."""
    await server.socketio(await server.token("bob"), namespace="/market")
    await server.story(await server.token("ann"))
    event = await asked.event("bob", "story.created")
    assert event["missed"] == ["not connected to /stories, only to /market"]


async def test_an_older_api_without_a_frame(server, asked):
    """Its documents do not have every event."""
    await server.raw(await server.token("bob"))
    await server.story(await server.token("ann"))
    event = await asked.event("bob", "story.created")
    assert event["missed"] == ["/ws: the API at /ws has no frame for story.created"]


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1013, "too slow", "with 1013 (too slow), so it may not have read the event"),
        (1006, "", "with 1006, so it may not have read the event"),
        (1000, "closed by the client", "with 1000 (closed by the client); it was open at the time"),
    ],
)
async def test_a_connection_that_ended_after_it(server, asked, code, reason, expected):
    """Written, but a connection that broke off soon after may not have read it."""
    account = await server.account("bob")
    lives = server.app[LIVE].server.eio._lives
    life = Life(lives, "/ws", "some-id", None)
    life.account_id = account.id
    await server.story(await server.token("ann"))
    life.end(code, reason)
    (why,) = (await asked.event("bob", "story.created"))["missed"]
    assert why.startswith("/ws: this connection ended at ")
    assert why.endswith(expected)


async def test_muted(server, asked):
    """A muted type is stored as read and told nobody."""
    token = await server.token("bob")
    bob = await server.account("bob")
    path = "/api/v1/notifications/preferences"
    status, _ = await server.call(token, "PATCH", path, {"order_shipped": False})
    assert status == 200
    status, _ = await server.call(
        None,
        "POST",
        "/api/v1/notifications",
        {
            "user_id": int(bob.id),
            "type": "order_shipped",
            "title": "On its way",
            "message": "secret words",
            "link": "/orders/1",
        },
    )
    assert status == 201
    answer = await asked.about("bob")
    assert answer["muted"] == ["order_shipped"]
    assert [(one["type"], one["told"]) for one in answer["notifications"]] == [
        ("order_shipped", False)
    ]
    assert "secret words" not in str(answer)


async def test_nothing_that_was_said_is_remembered(server, asked):
    """Records have ids, rooms and names of events only."""
    await say(server, await server.token("ann"), "general")
    answer = await asked.about("ann")
    assert any(event["event"] == "new_message" for event in answer["events"])
    assert "secret words" not in str(answer)
    assert "secret words" not in str(list(server.app[LIVE].meter.recent))


async def test_records_are_bounded():
    """However many connections end, a bounded number is remembered, the last of an account."""
    lives = Lives()
    for number in range(LAST_KEPT + 5):
        life = Life(lives, "/ws", str(number), None)
        life.account_id = str(number)
        life.end(1000, "")
    assert lives.ended_of("4") == []
    assert [life.id for life in lives.ended_of("5")] == ["5"]
    assert [life.id for life in lives.ended_of(str(LAST_KEPT))] == [str(LAST_KEPT)]


async def test_only_operators_ask(serve):
    """Other accounts get 403, in development too once an operator is named."""
    first = await serve()
    operator = await first.account("operator")
    server = await serve(operator_accounts=(operator.id,))
    path = f"{ADMIN}/explain?user={operator.id}"
    assert (await server.call(None, "GET", path))[0] == 401
    status, problem = await server.call(await server.token("bob"), "GET", path)
    assert (status, problem["code"]) == (403, "not_an_operator")
    assert (await server.call(await server.token("operator"), "GET", path))[0] == 200


async def test_production_has_no_operator_by_itself(serve):
    """Without OPERATOR_ACCOUNTS nobody is one."""
    server = await serve(environment="production")
    token = await server.token("bob")
    assert (await server.call(token, "GET", f"{ADMIN}/explain?user=1"))[0] == 403


@pytest.mark.parametrize("name", ["nobody@example.com", "99999999", "x"])
async def test_an_account_that_is_not_there(server, asked, name):
    """404, by whichever name."""
    status, problem = await server.call(asked.operator, "GET", f"{ADMIN}/explain?user={name}")
    assert (status, problem["code"]) == (404, "account_not_found")


async def test_the_command_asks_the_running_server(server, capsys):
    """It makes its own token, and prints the server's answer."""
    await server.raw(await server.token("bob"))
    await server.story(await server.token("ann"))
    arguments = parser().parse_args(["explain", "bob@example.com", "--url", server.url])
    assert await arguments.run(server.settings, arguments) == 0
    printed = capsys.readouterr().out
    assert "Connections: 1\n  /ws  since " in printed
    assert "not sent: /ws: the API at /ws has no frame for story.created" in printed
    assert "eyJ" not in printed


async def test_the_command_without_a_server(settings, accounts, capsys):
    """One sentence, and status 1."""
    await accounts.find_or_create_by_email("bob@example.com")
    arguments = parser().parse_args(["explain", "bob@example.com", "--url", "http://127.0.0.1:1"])
    assert await arguments.run(settings, arguments) == 1
    assert "no answer from a server" in capsys.readouterr().err


def test_the_printed_form():
    """Every part of an answer has its line."""
    answer = {
        "account": {"id": "1", "email": None, "name": "Ann", "disabled": True},
        "sessions": [{"id": "s", "client": None, "last_used_at": "T"}],
        "silent_processes": 2,
        "connections": [
            {"process": "a:1", "door": "/ws", "opened_at": "T", "id": "i", "rooms": {"/ws": []}}
        ],
        "ended": [
            {"process": "b:2", "closed_at": "T", "door": "/ws", "code": 1006, "reason": None}
        ],
        "muted": ["sale"],
        "notifications": [
            {"id": 1, "type": "sale", "created_at": "T", "told": False, "why": "muted"},
            {"id": 2, "type": "sale", "created_at": "T", "told": True, "why": None},
        ],
        "events": [
            {
                "at": "T",
                "namespace": "/n",
                "event": "e",
                "about": None,
                "told": ["/n"],
                "missed": ["/ws: not in the room"],
            }
        ],
    }
    assert "\n".join(lines_of(answer)) == (
        "Account 1 (Ann), DISABLED\n"
        "2 processes have not answered: what they know is missing\n"
        "Sessions: 1\n"
        "  s  -  last used T\n"
        "Connections: 1\n"
        "  /ws  since T  id i  at a:1\n"
        "    /ws: in no room\n"
        "Ended: 1\n"
        "  T  /ws  1006  at b:2\n"
        "Muted: sale\n"
        "  T  notification 1 sale: muted\n"
        "Events: 1, the latest first\n"
        "  T  /n e\n"
        "    sent to: /n\n"
        "    not sent: /ws: not in the room"
    )

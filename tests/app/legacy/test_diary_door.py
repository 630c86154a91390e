"""`/api/v1/ws/{user_id}` of a whole server: motivation as in docs/older-apis/diary.md."""

import asyncio
import json

import pytest
from aiohttp import WSMsgType, web

from app.http.runner import build_runner
from app.main import create_app
from app.stopping import STOP
from tests.diary_doors import device
from tests.frames import golden, spelled
from tests.live import PATIENCE_S

USER = "123456789"
PHONE = "+84912345678"
PING, PONG = golden("diary", "sent/ping"), golden("diary", "pong")
ASKED = json.loads(golden("diary", "sent/motivation_requested"))
AT = "/api/v1/ws"


async def answers_as(client):
    """Return the user that a connection answers for: it is kept, and nothing else was told."""
    pong = await client.ask(PING)
    assert spelled(json.dumps(pong | {"user_id": USER})) == PONG
    return pong["user_id"]


async def refusal(client):
    """Return the code of a connection that is upgraded, then closed with a reason."""
    message = await client.socket.receive(PATIENCE_S)
    assert message.type is WSMsgType.CLOSE
    assert message.extra
    return message.data


async def test_the_documents_user_is_let_in_by_the_path(server):
    """The URL works as printed: the account has exactly the path's id."""
    client = await server.open_at(f"{AT}/{USER}")
    await client.send(PING)
    assert spelled(await client.text()) == PONG
    frame = await client.ask(ASKED)
    documented = json.loads(golden("diary", "motivation_generated"))
    assert frame["motivation_text"]
    assert list((frame | {"motivation_text": documented["motivation_text"]}).items()) == list(
        documented.items()
    )
    assert (await server.accounts.get(USER)).public_id == USER


async def test_a_path_may_name_the_account_in_several_ways(server):
    """By its id, phone number and Firebase uid; frames have the account's id."""
    account = await server.accounts.sign_up("user@example.com", "password123", phone=PHONE)
    by_uid = await server.accounts.find_or_create_by_firebase("uid-A")
    for token in ("", f"?token={server.issue(account)}"):
        for user_id in (account.id, PHONE, "%2B84912345678", "0912345678"):
            assert await answers_as(await server.open_at(f"{AT}/{user_id}{token}")) == account.id
    assert await answers_as(await server.open_at(f"{AT}/uid-A")) == by_uid.id


async def test_who_is_nobody_is_closed_with_4001(server):
    """Also in development mode a path must name somebody or be a number; a bad token is bad."""
    for target in (f"{AT}/nobody", f"{AT}/0", f"{AT}/user@example.com", f"{AT}/1?token=nonsense"):
        assert await refusal(await server.open_at(target)) == 4001
    assert await server.accounts.list_after() == []


async def test_production_wants_a_token(serve):
    """The bare path, a phone number as token and a bad token are closed with 4001."""
    server = await serve(environment="production")
    account = await server.accounts.sign_up("user@example.com", "password123", phone=PHONE)
    for target in (f"/{account.id}", f"/{USER}", f"/{PHONE}?token=%2B84912345678", "/1?token="):
        assert await refusal(await server.open_at(AT + target)) == 4001
    token = server.issue(account)
    assert await answers_as(await server.open_at(f"{AT}/{account.id}?token={token}")) == account.id
    bearer = {"Authorization": f"Bearer {token}"}
    assert await answers_as(await server.open_at(f"{AT}/{account.id}", bearer)) == account.id


async def test_a_token_of_another_user_is_closed_with_4002(server):
    """The token counts where there is one, and must be that of the user in the path."""
    user, other = await server.account("user"), await server.account("other")
    for user_id in (other.id, PHONE, USER):
        client = await server.open_at(f"{AT}/{user_id}?token={server.issue(user)}")
        assert await refusal(client) == 4002
    assert await server.accounts.find(USER) is None


async def test_a_disabled_account_is_closed_with_4003(serve):
    """Both the one that comes, with a token or without, and the one that is there."""
    server = await serve(revocation_check_s=0.05)
    client = await server.open_at(f"{AT}/{USER}")
    assert await answers_as(client) == USER
    account = await server.accounts.disable(USER)
    assert await client.closed() == 4003
    for token in ("", f"?token={server.issue(account)}"):
        assert await refusal(await server.open_at(f"{AT}/{USER}{token}")) == 4003


async def test_the_status_counts_users(serve):
    """Two connections of one user count once; those who left do not count."""
    server = await serve(connections_per_user=2)
    assert await server.call(None, "GET", f"{AT}/status") == (
        200,
        {"connected_users": 0, "status": "active"},
    )
    clients = [await server.open_at(f"{AT}/{user_id}") for user_id in (USER, USER, "2")]
    for client in clients:
        await answers_as(client)
    assert await refusal(await server.open_at(f"{AT}/{USER}")) == 1008
    _, status = await server.call(None, "GET", f"{AT}/status")
    assert status == {"connected_users": 2, "status": "active"}
    await clients[2].socket.close()
    _, status = await server.call(None, "GET", f"{AT}/status")
    assert status["connected_users"] == 1


async def test_stats_and_status_are_not_users(server):
    """They are plain requests; any other name is told to upgrade."""
    for name, status in (("stats", 200), ("status", 200), ("1", 426)):
        assert (await server.call(None, "GET", f"{AT}/{name}"))[0] == status


@pytest.mark.parametrize("door", ["raw", "socketio", "rest"])
async def test_a_motivation_is_told_at_every_door_once(server, door):
    """Whichever one it was asked for by: the raw ones have the documented frame."""
    account, token = await server.account("ann"), await server.token("ann")
    raws = [await server.open_at(f"{AT}/{account.id}?token={token}") for _ in range(2)]
    sockets = [await device(server, "ann") for _ in range(2)]
    stranger = await server.open_at(f"{AT}/{USER}")
    for client in raws:
        await answers_as(client)
    asked = {name: value for name, value in ASKED.items() if name != "type"}
    if door == "raw":
        await raws[0].send(ASKED)
    elif door == "socketio":
        assert "data" in await sockets[0].call("request_motivation", asked)
    else:
        assert (await server.call(token, "POST", "/api/v1/diary/motivations", asked))[0] == 201
    heard = []
    for client in sockets:
        name, data = await client.event()
        assert name == "motivation_generated"
        heard.append(data)
    assert heard[0] == heard[1]
    shown = {name: heard[0][name] for name in ("user_id", "motivation_text", *asked)}
    for client in raws:
        assert await client.frame() == {"type": "motivation_generated"} | shown
        assert await answers_as(client) == account.id
    assert await answers_as(stranger) == USER


class Ponderer:
    """A generator that thinks until it is let go."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.let = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, prompt):
        self.begun.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        # The same words again would not be told.
        return f"Words that took long, for {prompt.challenge or 'nothing'}."


@pytest.fixture
def ponderer(monkeypatch):
    """Stand for the language model of every server of the test."""
    made = Ponderer()
    monkeypatch.setattr("app.main.add_generator", lambda app, settings: made)
    return made


async def test_a_slow_generator_holds_up_nothing(ponderer, server):
    """Neither the pings of the asking connection, nor the commands of the asking client."""
    account, token = await server.account("ann"), await server.token("ann")
    raw = await server.open_at(f"{AT}/{account.id}?token={token}")
    socket = await device(server, "ann")
    await raw.send(ASKED)
    await asyncio.wait_for(ponderer.begun.wait(), PATIENCE_S)
    asking = asyncio.create_task(socket.call("request_motivation", {}))
    for _ in range(3):
        assert await answers_as(raw) == account.id
        assert (await socket.call("list_tasks", {}))["data"]["items"] == []
    assert not asking.done()
    ponderer.let.set()
    for _ in range(2):
        assert (await raw.frame())["motivation_text"].startswith("Words that took long")
        assert (await socket.event())[0] == "motivation_generated"
    assert (await asking)["data"]["source"] == "llm"


async def test_a_stopping_server_does_not_wait_for_a_generator(
    settings, listening, ponderer, caplog
):
    """What it began is given up in time, while there is still a store, and without an error."""
    app = await create_app(settings)
    app[STOP].finish_s = 0.05
    runner = build_runner(app, settings.limits)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    doors = listening.doors(f"http://127.0.0.1:{runner.addresses[0][1]}")
    client = await doors.open_at(f"{AT}/{USER}")
    await client.send(ASKED)
    await asyncio.wait_for(ponderer.begun.wait(), PATIENCE_S)
    closing = asyncio.create_task(client.closed())
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)
    assert await closing == 1001
    assert ponderer.cancelled.is_set()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []

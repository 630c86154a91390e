"""Nobody else, by any door, ever sees what is in a diary, or changes it."""

import json

import pytest

from app.main import create_app
from namespaces.diary import DiaryCommands
from tests.app.identity.jwks_server import PROJECT, JwksServer
from tests.diary_doors import ROOT, ROUTES, ByRest, device, hand, succeed
from tests.live import PATIENCE_S

SECRET = "geheim"
SCHEMAS = {name: each.request for name, each in DiaryCommands.declared().items()}
DOORS = ("rest", "socketio")
CLIENT_ID = "once"

OTHERWISE = {
    "text": "mine",
    "title": "mine",
    "notes": "mine",
    "mood": 3,
    "tags": ["mine"],
    "tag": SECRET,
    "date": "2026-03-01",
    "from": "2026-01-01",
    "to": "2026-12-31",
    "due_date": "2026-03-01",
    "due_time": "09:00",
    "due_from": "2026-01-01",
    "due_to": "2026-12-31",
    "completed_from": "2026-01-01",
    "completed_to": "2026-12-31",
    "done": True,
    "priority": "normal",
    "repeat": "none",
    "kind": "number",
    "target": 5,
    "unit": "mine",
    "amount": 1,
    "value": 1,
    "limit": 100,
    "if_version": 1,
    "weeks": 4,
    "client_id": CLIENT_ID,
    "current_challenge": "mine",
    "stress_level": 5,
}
"""What the intruder sends where no id is asked for."""

SHOWING = (
    "export_diary",
    "list_entries",
    "list_tasks",
    "list_goals",
    "list_tags",
    "list_motivations",
    "summary",
)
"""What gives all that a diary has."""

FOR_MEMBERS = {
    *("get_goal", "set_step", "add_progress", "set_progress"),
    *("leave_goal", "accept_goal", "decline_goal"),
}
"""What somebody with whom a goal is shared may do with it."""


async def test_every_command_has_its_route_and_every_route_its_command(settings):
    """So what is tried below by each command is tried at each route."""
    app = await create_app(settings)
    routes = {
        f"{route.method} {route.resource.canonical.removeprefix(ROOT)}"
        for route in app.router.routes()
        if route.resource.canonical.startswith(ROOT) and route.method != "HEAD"
    }
    await app.cleanup()
    assert routes == set(ROUTES.values())
    assert set(SCHEMAS) == set(ROUTES)


class Victim:
    """Somebody whose diary has something of each kind, all of it with the secret in it."""

    def __init__(self, who, ids):
        self.who = who
        self.ids = ids
        """By the names that payloads have for them."""

    @classmethod
    async def of(cls, who, friend):
        """Fill a diary; one goal is shared with `friend`, a public id."""
        entry = await succeed(
            who, "create_entry", text=SECRET, mood=1, tags=[SECRET], client_id=CLIENT_ID
        )
        task = await succeed(
            who,
            "create_task",
            title=SECRET,
            notes=SECRET,
            due_date="2026-03-01",
            client_id=CLIENT_ID,
        )
        goal = await succeed(
            who, "create_goal", title=SECRET, kind="steps", steps=[SECRET], client_id=CLIENT_ID
        )
        await succeed(
            who,
            "create_goal",
            title=SECRET,
            kind="number",
            target=10,
            unit=SECRET,
            members=[friend],
        )
        await succeed(who, "request_motivation", current_challenge=SECRET, stress_level=9)
        ids = {
            "entry_id": entry["id"],
            "task_id": task["id"],
            "goal_id": goal["id"],
            "step_id": goal["steps"][0]["id"],
        }
        return cls(who, ids)

    async def everything(self):
        """Return all that the owner sees."""
        everything = {name: await succeed(self.who, name) for name in SHOWING}
        del everything["export_diary"]["exported_at"]
        return everything


async def attempt(name, victim, member):
    """Return a payload of a command that names what is the victim's wherever it can."""
    cursors = {}
    lists = {"list_entries", "search_entries", "list_tasks", "list_goals", "list_motivations"}
    if name in lists:
        query = {"text": SECRET} if name == "search_entries" else {}
        page = await succeed(victim.who, name, limit=1, **query)
        cursors = {"after": page["next"]} if page["next"] else {}
    known = OTHERWISE | victim.ids | cursors | {"members": [member]}
    payload = {}
    for field_name, field in SCHEMAS[name].fields.items():
        sent = field.data_key or field_name
        if sent in known:
            payload[sent] = known[sent]
        else:
            assert not field.required, f"{name}: say what the intruder sends as {sent}"
    if "text" in payload and name == "search_entries":
        payload["text"] = SECRET
    if payload.get("kind") == "steps":
        payload.pop("target")
    return payload


@pytest.mark.parametrize("door", DOORS)
async def test_an_intruder_gets_nothing(serve, door):
    """Each command, with the victim's ids, finds nothing, shows nothing and changes nothing."""
    server = await serve(messages_per_s=1000)
    friend = await server.account("ben")
    victim = await Victim.of(await hand("rest", server, "ann"), friend.public_id)
    before = await victim.everything()
    assert SECRET in json.dumps(before)
    eve = await hand(door, server, "eve")
    for name in SCHEMAS:
        payload = await attempt(name, victim, friend.public_id)
        answer = await eve.do(name, **payload)
        assert SECRET not in json.dumps(answer), name
        if payload.keys() & victim.ids.keys():
            assert answer["error"]["code"] in (
                "entry_not_found",
                "task_not_found",
                "goal_not_found",
            )
        else:
            assert "data" in answer, (name, answer)
            shown = json.dumps(answer)
            assert not [thing for thing in victim.ids.values() if thing in shown], name
    assert await victim.everything() == before


async def test_a_member_of_a_goal_gets_that_goal_only(serve):
    """Sharing one goal opens nothing else, and the goal stays its owner's to change."""
    server = await serve(messages_per_s=1000)
    friend, other = await server.account("ben"), await server.account("eve")
    victim = await Victim.of(await hand("rest", server, "ann"), friend.public_id)
    before = await victim.everything()
    ben = await hand("rest", server, "ben")
    (invitation,) = (await succeed(ben, "list_goal_invitations"))["items"]
    shared = await succeed(ben, "accept_goal", goal_id=invitation["goal_id"])
    before |= await victim.everything()
    for name in SCHEMAS:
        answer = await ben.do(name, **await attempt(name, victim, other.public_id))
        if name not in ("list_goals", "export_diary"):
            assert SECRET not in json.dumps(answer), name
        if name == "export_diary":
            assert json.dumps(answer).count(SECRET) == json.dumps(shared).count(SECRET)
    # `delete_diary` has just ended the membership.
    assert (await succeed(ben, "list_goals"))["items"] == []
    await succeed(victim.who, "share_goal", goal_id=shared["id"], members=[friend.public_id])
    await succeed(ben, "accept_goal", goal_id=shared["id"])
    before |= await victim.everything()
    mine = victim.ids
    victim.ids = {"goal_id": shared["id"], "step_id": "x"}
    for name, schema in SCHEMAS.items():
        if "goal_id" in schema.fields and name not in FOR_MEMBERS:
            answer = await ben.do(name, **await attempt(name, victim, other.public_id))
            assert answer["error"]["code"] == "not_the_owner", name
    victim.ids = mine
    assert await victim.everything() == before


@pytest.mark.parametrize("door", DOORS)
async def test_naming_people_tells_nothing_about_them(serve, door):
    """An account and names of nobody are answered alike, and an invitation shows only its owner's
    name and public id. An e-mail address is no public id, and look-ups are limited."""
    server = await serve(messages_per_s=1000)
    ben, eve = await server.account("ben"), await hand(door, server, "eve")
    answers = []
    for name in (ben.public_id, "99", "no such", "ben@example.com", "vic@example.com"):
        goal = await succeed(eve, "create_goal", title="x", kind="steps", steps=["a"])
        invited = await succeed(eve, "share_goal", goal_id=goal["id"], members=[name])
        assert (invited["members"], invited["pending"]) == ([], [name])
        varying = dict.fromkeys(("id", "steps", "pending", "created_at", "updated_at"))
        answers.append(invited | varying)
    assert answers == [answers[0]] * 5
    his = await hand(door, server, "ben")
    (invitation,) = (await succeed(his, "list_goal_invitations"))["items"]
    assert invitation["owner"].keys() == {"public_id", "name"}
    assert "eve@example.com" not in json.dumps(invitation)
    refused = [
        await eve.do("create_goal", title="x", kind="steps", steps=["a"], members=members)
        for members in [[f"{n}-{i}" for i in range(50)] for n in range(5)]
    ]
    assert refused[-1]["error"]["code"] == "too_many_lookups"


async def test_nobody_else_is_told(serve):
    """While a diary is written, those at all the other doors hear nothing of it."""
    server = await serve(messages_per_s=1000)
    eve, token = await server.account("eve"), await server.token("eve")
    ann = await server.account("ann")
    namespaces = [
        await server.socketio(token, namespace=f"/{domain}")
        for domain in ("stories", "chat", "notifications", "market", "diary")
    ]
    raws = [
        await server.raw(token),
        await server.open_at(f"/api/v1/ws?token={token}"),
        await server.open_at(f"/ws/{eve.id}?token={token}"),
        await server.open_at(f"/api/v1/ws/{eve.id}?token={token}"),
    ]
    refused = await server.open_at(f"/api/v1/ws/{ann.id}?token={token}")
    assert (await refused.socket.receive(PATIENCE_S)).data == 4002
    watching = await device(server, "ann")
    victim = await Victim.of(await hand("rest", server, "ann"), (await server.account("ben")).id)
    await succeed(victim.who, "complete_task", task_id=victim.ids["task_id"])
    await succeed(victim.who, "delete_diary")
    while (await watching.event())[0] != "diary.cleared":
        pass
    for client in namespaces:
        # What was told before the answer would have come before it.
        assert (await client.call("no_such_command"))["error"]["code"] == "unknown_command"
        assert client._events.empty()
    for client, word in zip(raws, ("type", "type", "event", "type"), strict=True):
        ask = "heartbeat" if word == "event" else "ping"
        assert (await client.ask({word: ask}))[word] in ("pong", "heartbeat_ack")


async def test_a_verified_owner_shares_nothing_of_the_former_holder(serve, listening):
    """Whoever proves to own an address ends the goals that its former holder shared.

    A Firebase uid that looks like an address gets nothing that was meant for the address.
    """
    jwks = JwksServer()
    jwks.add_key("one")
    await jwks.server.start_server()
    listening.stack.push_async_callback(jwks.server.close)
    server = await serve(firebase_project_id=PROJECT, firebase_jwks_url=jwks.url)
    squatter, ben = await hand("rest", server, "ann"), await hand("rest", server, "ben")
    ann, friend = await server.account("ann"), await server.account("ben")
    goal = await succeed(
        squatter, "create_goal", title="x", kind="steps", steps=["a"], members=[friend.public_id]
    )
    await succeed(ben, "accept_goal", goal_id=goal["id"])
    await succeed(ben, "create_goal", title="y", kind="steps", steps=["a"], members=[ann.public_id])
    owner = ByRest(server, jwks.token(sub="uid-A", email="ann@example.com"))
    assert (await succeed(owner, "get_goal", goal_id=goal["id"]))["members"] == []
    assert (await succeed(owner, "list_goal_invitations"))["items"] == []
    assert (await ben.do("get_goal", goal_id=goal["id"]))["error"]["code"] == "goal_not_found"

    alike = ByRest(server, jwks.token(sub="vic@example.com", email=None, email_verified=None))
    assert (await succeed(alike, "list_goals"))["items"] == []
    await succeed(
        ben, "create_goal", title="z", kind="steps", steps=["a"], members=["vic@example.com"]
    )
    assert (await succeed(alike, "list_goal_invitations"))["items"] == []


async def test_contacts_of_chat_share_at_once_and_blocked_people_never(serve):
    """Who has accepted the owner in chat is a member without being asked, until one is blocked."""
    server = await serve()
    friend, token = await server.account("ben"), await server.token("ben")
    ann, ben = await hand("rest", server, "ann"), await hand("rest", server, "ben")
    status, opened = await server.call(
        await server.token("ann"),
        "POST",
        "/api/v1/conversations",
        {"participants": [friend.public_id]},
    )
    assert status == 201
    wanted = {"title": "x", "kind": "steps", "steps": ["a"], "members": [friend.public_id]}
    before = await succeed(ann, "create_goal", **wanted)
    assert (before["members"], before["pending"]) == ([], [friend.public_id])
    path = f"/api/v1/conversations/{opened['id']}"
    status, _ = await server.call(token, "POST", f"{path}/accept")
    assert status == 200
    after = await succeed(ann, "create_goal", **wanted)
    assert (after["members"], after["pending"]) == ([friend.public_id], [])
    ann_id = (await server.account("ann")).id
    status, _ = await server.call(token, "POST", f"/api/v1/users/{ann_id}/block")
    assert status == 200
    blocked = await succeed(ann, "create_goal", **wanted)
    assert (blocked["members"], blocked["pending"]) == ([], [friend.public_id])
    assert (await succeed(ben, "list_goal_invitations"))["items"] == []
    assert [goal["id"] for goal in (await succeed(ben, "list_goals"))["items"]] == [after["id"]]

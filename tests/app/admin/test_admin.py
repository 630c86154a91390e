"""What operators see and do, and that every step of theirs is noted."""

import asyncio

import pytest

from tests.live import PATIENCE_S

ADMIN = "/api/v1/admin"


class Operator:
    """Asks and acts as an operator."""

    def __init__(self, server, token, account):
        self.server = server
        self.token = token
        self.id = account.id

    async def __call__(self, method, path, body=None, *, status=None):
        got, answer = await self.server.call(self.token, method, ADMIN + path, body)
        assert got == status if status else got < 300, (path, got, answer)
        return answer

    async def actions(self):
        """Return what was done: by whom, what, to whom."""
        page = await self("GET", "/actions")
        return [(one["operator_id"], one["action"], one["subject"]) for one in page["items"]]


@pytest.fixture
async def operator(serve):
    first = await serve()
    account = await first.account("operator")
    server = await serve(operator_accounts=(account.id,))
    return Operator(server, await server.token("operator"), account)


ROUTES = [
    ("GET", "/overview"),
    ("GET", "/connections"),
    ("GET", "/explain?user=1"),
    ("POST", "/users/1/kick"),
    ("POST", "/users/1/disable"),
    ("POST", "/users/1/enable"),
    ("POST", "/users/1/reset-link"),
    ("POST", "/invites"),
    ("PUT", "/sign-ups"),
    ("POST", "/notices"),
    ("GET", "/webhooks"),
    ("GET", "/orders"),
    ("GET", "/reports"),
    ("POST", "/reports/1/decide"),
    ("GET", "/actions"),
]


async def test_nobody_else_may(operator):
    """Every route is there, and refuses whoever is no operator before it looks at anything."""
    server = operator.server
    served = {
        (route.method, route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource.canonical.startswith(f"{ADMIN}/") and route.method != "HEAD"
    }
    assert len(served) == len(ROUTES)
    token = await server.token("somebody")
    for method, path in ROUTES:
        assert (await server.call(None, method, ADMIN + path))[0] == 401, path
        status, problem = await server.call(token, method, ADMIN + path)
        assert (status, problem["code"]) == (403, "not_an_operator"), path
    assert await operator.actions() == []


async def test_the_overview(operator):
    """What this process does now."""
    server = operator.server
    await server.raw(await server.token("ann"))
    await server.socketio(await server.token("bob"))
    await server.story(await server.token("ann"))
    seen = await operator("GET", "/overview")
    assert seen["connections"]["/ws websocket"] == 1
    assert seen["connections"]["socket.io websocket"] == 1
    assert seen["namespaces"]["/stories"] == 1
    assert seen["events"] == 1
    assert seen["sign_ups"] == "open"
    assert {"namespace": "/stories", "room": "stories:public", "members": 1} in seen["rooms"]
    listed = await operator("GET", "/connections")
    bob = await server.account("bob")
    assert listed["total"] == 2
    assert (listed["items"][0]["door"], listed["items"][0]["account_id"]) == ("socket.io", bob.id)


async def test_kick(operator):
    """Connections end at once by every transport, and the tokens with them."""
    server = operator.server
    bob, token = await server.account("bob"), await server.token("bob")
    raw, client = await server.raw(token), await server.socketio(token)
    await operator("POST", f"/users/{bob.id}/kick", status=204)
    assert await raw.closed() == 4001
    await client.gone()
    assert (await server.call(token, "GET", "/stories"))[0] == 401
    # It may come back: with a new token.
    assert (await server.call(await server.token("bob"), "GET", "/stories"))[0] == 200
    assert await operator.actions() == [(operator.id, "kick", bob.id)]


async def test_disable_and_enable(operator):
    """A disabled account is refused, whichever credential it shows."""
    server = operator.server
    bob, token = await server.account("bob"), await server.token("bob")
    raw = await server.raw(token)
    await operator("POST", "/users/bob@example.com/disable", status=204)
    assert await raw.closed() == 4003
    fresh = server.issue(await server.accounts.get(bob.id))
    assert (await server.call(fresh, "GET", "/stories"))[0] == 403
    await operator("POST", f"/users/{bob.id}/enable", status=204)
    fresh = server.issue(await server.accounts.get(bob.id))
    assert (await server.call(fresh, "GET", "/stories"))[0] == 200
    expected = [(operator.id, "enable", bob.id), (operator.id, "disable", bob.id)]
    assert await operator.actions() == expected


async def test_an_operator_cannot_disable_itself(operator):
    """Nobody would be left to undo it."""
    problem = await operator("POST", f"/users/{operator.id}/disable", status=409)
    assert problem["code"] == "own_account"
    assert await operator.actions() == []


async def test_a_reset_link(operator):
    """It works once, and is in no log of actions and no kept answer."""
    server = operator.server
    bob = await server.accounts.sign_up("b@example.com", "password123", "Bob")
    headers = {"Idempotency-Key": "once"}
    path = f"{ADMIN}/users/{bob.id}/reset-link"
    _, first = await server.call(operator.token, "POST", path, headers=headers)
    _, second = await server.call(operator.token, "POST", path, headers=headers)
    assert first["link"].startswith("http://localhost:")
    assert first["link"] != second["link"]
    page = await operator("GET", "/actions")
    assert "http" not in str(page)


async def test_sign_ups_are_switched(operator):
    """At once and for every process; an invitation of the operator lets people in."""
    server = operator.server
    person = {"email": "new@example.com", "password": "password123", "name": "New"}
    await operator("PUT", "/sign-ups", {"mode": "invite"})
    _, config = await server.call(None, "GET", "/api/v1/client-config")
    assert config["sign_up"] == "invite"
    status, problem = await server.call(None, "POST", "/api/v1/auth/signup", person)
    assert (status, problem["code"]) == (403, "invite_required")
    code = (await operator("POST", "/invites", {}, status=201))["code"]
    invited = person | {"invite": code}
    assert (await server.call(None, "POST", "/api/v1/auth/signup", invited))[0] == 201
    await operator("PUT", "/sign-ups", {"mode": "open"})
    other = person | {"email": "other@example.com"}
    assert (await server.call(None, "POST", "/api/v1/auth/signup", other))[0] == 201
    assert code not in str(await operator("GET", "/actions"))


async def test_a_notice_reaches_everybody(operator):
    """In every namespace, once."""
    server = operator.server
    clients = [
        await server.socketio(await server.token("bob"), namespace=namespace)
        for namespace in ("/stories", "/chat", "/notifications", "/market", "/diary")
    ]
    await operator("POST", "/notices", {"text": "Back in five minutes"}, status=204)
    for client in clients:
        async with asyncio.timeout(PATIENCE_S):
            while (event := await client.event())[0] != "server.notice":
                pass
        assert event[1]["text"] == "Back in five minutes"
    assert await operator.actions() == [(operator.id, "notice", None)]


async def report(server, token, path, reason="spam"):
    status, answer = await server.call(
        token, "POST", f"{path}/report", {"reason": reason, "note": "look"}
    )
    assert status == 200, answer
    return answer


async def test_a_story_is_reported_and_removed(operator):
    """All reports about it are closed, its readers hear that it is gone, and the step is noted."""
    server = operator.server
    ann, bob = await server.token("ann"), await server.token("bob")
    story_id = await server.story(ann)
    first = await report(server, bob, f"/stories/{story_id}")
    await report(server, await server.token("carl"), f"/stories/{story_id}", "other")
    # Once for each account.
    again = await report(server, bob, f"/stories/{story_id}", "violence")
    assert again == first
    page = await operator("GET", "/reports")
    assert [one["subject_id"] for one in page["items"]] == [story_id] * 2
    author = await server.account("ann")
    assert {one["author_id"] for one in page["items"]} == {author.id}
    _, story = await server.call(bob, "GET", f"/stories/{story_id}")
    assert {one["content"] for one in page["items"]} == {story["text"]}
    reader = await server.socketio(bob)
    decided = await operator("POST", f"/reports/{first['id']}/decide", {"status": "removed"})
    assert (decided["status"], decided["decided_by"]) == ("removed", operator.id)
    assert (await reader.event())[0] == "story.deleted"
    assert (await server.call(bob, "GET", f"/stories/{story_id}"))[0] == 404
    assert (await operator("GET", "/reports"))["items"] == []
    assert len((await operator("GET", "/reports?status=removed"))["items"]) == 2
    assert await operator.actions() == [(operator.id, "remove", author.id)]
    # Deciding it once more changes nothing.
    same = await operator("POST", f"/reports/{first['id']}/decide", {"status": "dismissed"})
    assert same == decided
    assert len(await operator.actions()) == 1


async def test_a_message_is_reported_and_removed(operator):
    """By a command as by a route; what is left is the tombstone that its author would leave."""
    server = operator.server
    ann = await server.socketio(await server.token("ann"), namespace="/chat")
    bob = await server.socketio(await server.token("bob"), namespace="/chat")
    for client in (ann, bob):
        assert "data" in await client.call("join_channel", {"channel_id": "general"})
    sent = await ann.call("send_message", {"channel_id": "general", "content": "rude"})
    message_id = sent["data"]["id"]
    reported = await bob.call("report_message", {"message_id": message_id, "reason": "harassment"})
    assert reported["data"]["subject_id"] == message_id
    report_id = reported["data"]["id"]
    # What was reported stays to be judged, as far as it is kept, also when its author changes it.
    long = {"message_id": message_id, "content": "polite" * 1_000}
    assert "data" in await ann.call("edit_message", long)
    (first,) = (await operator("GET", "/reports"))["items"]
    assert first["content"] == "rude"
    await report(server, await server.token("carl"), f"/api/v1/messages/{message_id}")
    newest = (await operator("GET", "/reports"))["items"][0]
    assert newest["content"] == ("polite" * 1_000)[:1_000]
    await operator("POST", f"/reports/{report_id}/decide", {"status": "removed"})
    async with asyncio.timeout(PATIENCE_S):
        while (await bob.event())[0] != "message_deleted":
            pass
    page = await bob.call("history", {"channel_id": "general"})
    assert [(one["id"], one["content"]) for one in page["data"]["items"]] == [(message_id, "")]


async def test_a_report_is_dismissed(operator):
    """What it was about stays."""
    server = operator.server
    bob = await server.token("bob")
    story_id = await server.story(await server.token("ann"))
    made = await report(server, bob, f"/stories/{story_id}")
    decided = await operator("POST", f"/reports/{made['id']}/decide", {"status": "dismissed"})
    assert decided["status"] == "dismissed"
    assert (await server.call(bob, "GET", f"/stories/{story_id}"))[0] == 200


async def test_what_is_gone_already_is_closed(operator):
    """Its author was quicker."""
    server = operator.server
    ann = await server.token("ann")
    story_id = await server.story(ann)
    made = await report(server, await server.token("bob"), f"/stories/{story_id}")
    assert (await server.call(ann, "DELETE", f"/stories/{story_id}"))[0] == 204
    decided = await operator("POST", f"/reports/{made['id']}/decide", {"status": "removed"})
    assert decided["status"] == "removed"


async def test_only_what_one_can_see_is_reported(operator):
    """A story outside its audience does not exist, for a report as for anything else."""
    server = operator.server
    friend = await server.account("friend")
    story_id = await server.story(
        await server.token("ann"), visibility="PRIVATE", audience_user_ids=[friend.id]
    )
    path = f"/stories/{story_id}/report"
    status, problem = await server.call(await server.token("bob"), "POST", path, {"reason": "spam"})
    assert (status, problem["code"]) == (404, "story_not_found")
    assert (await operator("GET", "/reports"))["items"] == []


async def test_lists_of_what_is_stuck(operator):
    """Empty where nothing is; a report that is not there is 404."""
    assert await operator("GET", "/webhooks") == {"items": [], "next": None}
    assert await operator("GET", "/orders") == {"items": [], "next": None}
    problem = await operator("POST", "/reports/none/decide", {"status": "removed"}, status=404)
    assert problem["code"] == "report_not_found"


async def test_pages_of_actions(operator):
    """Newest first, by cursor."""
    server = operator.server
    people = [await server.account(f"p{number}") for number in range(3)]
    for person in people:
        await operator("POST", f"/users/{person.id}/enable")
    first = await operator("GET", "/actions?limit=2")
    second = await operator("GET", f"/actions?limit=2&after={first['next']}")
    subjects = [one["subject"] for one in first["items"] + second["items"]]
    assert sorted(subjects) == sorted(person.id for person in people)
    assert second["next"] is None

"""The REST routes of chat, from request to answer."""

import pytest

ANN, BEN, EVE = "1", "2", "9"
HELLO = {"channel_id": "general", "content": "Hello world!"}


async def send(call, who=ANN, **changes):
    status, answer = await call(who, "POST", "/messages", json=HELLO | changes)
    assert status == 201
    return answer["data"]


async def begin(call, *participants, **more):
    body = {"participants": [*participants], **more}
    status, conversation = await call(ANN, "POST", "/conversations", json=body)
    assert status == 201
    return f"/conversations/{conversation['id']}", conversation


async def test_the_request_of_the_channel_document(call):
    """The call of docs/older-apis/channel-chat.md is answered in its envelope."""
    status, answer = await call(ANN, "POST", "/messages", json=HELLO)
    assert status == 201
    assert answer["success"] is True
    documented = {
        "id": "general:0000000001",
        "channel_id": "general",
        "user_email": "user1@example.com",
        "content": "Hello world!",
        "created_at": "2026-03-01T12:00:00.000Z",
    }
    assert documented.items() <= answer["data"].items()
    stranger = {"data": answer["data"] | {"user_email": None}}
    path = f"/messages/{answer['data']['id']}"
    assert await call(BEN, "GET", path) == (200, answer | stranger)


async def test_the_life_of_a_message(call, hall):
    """PUT and PATCH edit, reactions come and go, reading counts, DELETE leaves a tombstone."""
    path = f"/messages/{(await send(call))['id']}"
    for method, content in (("PUT", "one"), ("PATCH", "two")):
        status, answer = await call(ANN, method, path, json={"content": content})
        assert (status, answer["data"]["content"]) == (200, content)
    status, answer = await call(BEN, "POST", f"{path}/reactions", json={"emoji": "👍"})
    assert (status, answer["data"]["reactions"]) == (200, [{"emoji": "👍", "user_ids": ["2"]}])
    status, answer = await call(BEN, "DELETE", f"{path}/reactions", params={"emoji": "👍"})
    assert (status, answer["data"]["reactions"]) == (200, [])
    await send(call, BEN)
    status, answer = await call(BEN, "POST", f"{path}/read")
    assert (status, answer["data"]["read_seq"], answer["data"]["unread"]) == (200, 2, 0)
    status, answer = await call(ANN, "DELETE", path)
    assert (status, answer["data"]["content"]) == (200, "")
    assert [event.name for event in hall.published] == [
        "member_added",
        "new_message",
        "message_updated",
        "message_updated",
        "message_reacted",
        "message_unreacted",
        "member_added",
        "new_message",
        "message_deleted",
    ]


async def test_history_by_cursor(call):
    """Pages before and after a seq; `page` says how far messages and changes go."""
    for n in range(1, 6):
        await send(call, content=str(n))
    for query, contents, more in (
        ({"limit": "2"}, ["4", "5"], (True, True, False)),
        ({"before": "4", "limit": "2"}, ["2", "3"], (True, True, True)),
        ({"after": "3"}, ["4", "5"], (False, True, False)),
    ):
        status, answer = await call(
            BEN, "GET", "/messages", params={"channel_id": "general"} | query
        )
        assert status == 200
        assert [message["content"] for message in answer["data"]] == contents
        page = answer["page"]
        assert (page["seq"], page["revision"]) == (5, 0)
        assert (page["more"], page["more_before"], page["more_after"]) == more


async def test_channels(call):
    """Create, list with member counts, invite and leave."""
    status, answer = await call(ANN, "POST", "/channels", json={"name": "den", "private": True})
    assert (status, answer["success"], answer["data"]["private"]) == (201, True, True)
    assert (await call(ANN, "POST", "/channels", json={"name": "den"}))[0] == 409
    assert (await call(BEN, "POST", "/messages", json=HELLO | {"channel_id": "den"}))[0] == 403
    status, _ = await call(ANN, "POST", "/channels/den/invite", json={"participants": ["2"]})
    assert status == 200
    await send(call, BEN, channel_id="den")
    status, answer = await call(BEN, "GET", "/channels")
    assert [(c["id"], c["member_count"]) for c in answer["data"]] == [("den", 2), ("general", 0)]
    assert answer["page"] == {"next": None}
    assert (await call(BEN, "POST", "/channels/den/leave"))[0] == 200
    assert [c["id"] for c in (await call(BEN, "GET", "/channels"))[1]["data"]] == ["general"]
    assert (await call(BEN, "GET", "/messages", params={"channel_id": "den"}))[0] == 403


async def test_conversations(call):
    """Create, write with `messageType`, list with last message and unread, read, search, leave."""
    path, conversation = await begin(call, "+84912340002", "3", title="us")
    status, message = await call(
        ANN, "POST", f"{path}/messages", json={"content": "Xin chào", "messageType": "text"}
    )
    assert (status, message["message_type"], message["seq"]) == (201, "text", 1)
    status, listed = await call(BEN, "GET", "/conversations")
    assert [(i["id"], i["unread"], i["last_message"]) for i in listed["items"]] == [
        (conversation["id"], 1, message)
    ]
    status, page = await call(BEN, "GET", f"{path}/messages", params={"limit": 5})
    assert page == {
        "items": [message],
        "seq": 1,
        "revision": 0,
        "more": False,
        "more_before": False,
        "more_after": False,
    }
    status, found = await call(BEN, "GET", f"{path}/search", params={"text": "XIN"})
    assert found == {"items": [message], "before": None}
    status, state = await call(BEN, "POST", f"{path}/read", json={"messageId": message["id"]})
    assert (status, state["unread"]) == (200, 0)
    status, changes = await call(BEN, "GET", f"{path}/changes", params={"after": 0})
    assert changes == {"messages": [], "revision": 0, "more": False}
    status, _ = await call(BEN, "POST", f"{path}/participants", json={"participants": ["4"]})
    assert status == 200
    assert await call(BEN, "POST", f"{path}/leave") == (204, None)
    status, shown = await call(ANN, "GET", path)
    # The others have not answered yet.
    assert [member["user_id"] for member in shown["members"]] == ["1"]


ROUTES = [
    ("POST", "/messages", HELLO | {"channel_id": "{id}"}),
    ("GET", "/messages?channel_id={id}", None),
    ("GET", "/messages/{id}:0000000001", None),
    ("PUT", "/messages/{id}:0000000001", {"content": "x"}),
    ("PATCH", "/messages/{id}:0000000001", {"content": "x"}),
    ("DELETE", "/messages/{id}:0000000001", None),
    ("POST", "/messages/{id}:0000000001/reactions", {"emoji": "👍"}),
    ("DELETE", "/messages/{id}:0000000001/reactions?emoji=👍", None),
    ("POST", "/messages/{id}:0000000001/read", None),
    ("POST", "/channels/{id}/invite", {"participants": ["9"]}),
    ("POST", "/channels/{id}/leave", None),
    ("GET", "/conversations/{id}", None),
    ("POST", "/conversations/{id}/messages", {"content": "x"}),
    ("GET", "/conversations/{id}/messages", None),
    ("GET", "/conversations/{id}/changes?after=0", None),
    ("GET", "/conversations/{id}/search?text=x", None),
    ("POST", "/conversations/{id}/read", {"messageId": "{id}:0000000001"}),
    ("POST", "/conversations/{id}/participants", {"participants": ["9"]}),
    ("POST", "/conversations/{id}/leave", None),
    ("POST", "/conversations/{id}/accept", None),
    ("POST", "/conversations/{id}/decline", None),
]


def filled(value, conversation_id):
    if isinstance(value, dict):
        return {key: filled(item, conversation_id) for key, item in value.items()}
    return value.replace("{id}", conversation_id) if isinstance(value, str) else value


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_outsiders_find_nothing(call, hall, method, path, body):
    """Every route answers an outsider as if the conversation were not there, and tells nobody."""
    path_of, conversation = await begin(call, "2")
    await call(ANN, "POST", f"{path_of}/messages", json={"content": "psst"})
    hall.take()
    status, answer = await call(
        EVE, method, filled(path, conversation["id"]), json=filled(body, conversation["id"])
    )
    assert status == 404, answer
    assert answer["code"] in {"conversation_not_found", "message_not_found"}
    assert hall.take() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, path) for method, path, _ in ROUTES),
        ("GET", "/conversations"),
        ("POST", "/conversations"),
        ("GET", "/channels"),
        ("POST", "/channels"),
        ("POST", "/uploads"),
        ("GET", "/uploads/x"),
        ("POST", "/users/2/block"),
        ("POST", "/users/2/unblock"),
        ("GET", "/blocked-users"),
    ],
)
async def test_strangers_are_refused(call, method, path):
    """Without a good token every route answers 401; User-Email is no credential here."""
    for who in (None, "x"):
        status, _ = await call(
            who, method, path.replace("{id}", "general"), headers={"User-Email": "a@example.com"}
        )
        assert status == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", "/messages", {}, {"conversation_id"}),
        ("POST", "/messages", HELLO | {"content": ""}, {"content"}),
        ("POST", "/messages", HELLO | {"content": "x" * 65_536}, {"content"}),
        ("POST", "/messages", HELLO | {"content": "\0"}, {"content"}),
        ("POST", "/messages", HELLO | {"messageType": "text"}, {"messageType"}),
        ("POST", "/messages", HELLO | {"message_type": "html"}, {"message_type"}),
        ("GET", "/messages?channel_id=general&limit=0", None, {"limit"}),
        ("GET", "/messages?channel_id=general&before=x", None, {"before"}),
        ("GET", "/messages", None, {"conversation_id"}),
        ("POST", "/channels", {"name": "a b"}, {"name"}),
        ("POST", "/channels", {}, {"name"}),
        ("POST", "/conversations", {}, {"participants"}),
        ("POST", "/conversations", {"participants": ["nobody"]}, {"participants"}),
        ("POST", "/conversations/general/messages", {"content": 5}, {"content"}),
        (
            "POST",
            "/conversations/general/messages",
            {"content": "x", "messageType": "html"},
            {"message_type"},
        ),
        ("POST", "/conversations/general/read", {}, {"message_id"}),
        ("POST", f"/users/{'9' * 200}/block", None, {"user_id"}),
        ("POST", "/users/%00/unblock", None, {"user_id"}),
        ("POST", "/users/1/block", None, {"user_id"}),
        ("GET", "/conversations?after=a.b", None, {"after"}),
        ("GET", "/conversations?request=maybe", None, {"request"}),
        ("POST", "/conversations", {"participants": [str(n) for n in range(51)]}, {"participants"}),
        ("GET", "/conversations/general/search", None, {"text"}),
    ],
)
async def test_bad_input_is_refused_by_field(call, hall, database, method, path, body, fields):
    """A wrong request is answered 422 with the names of its fields, and nothing is written."""
    status, problem = await call(ANN, method, path, json=body)
    assert (status, set(problem["errors"])) == (422, fields)
    assert hall.take() == []
    for name, count in (("conversations", 1), ("chat_messages", 0), ("chat_members", 0)):
        assert await database[name].count_documents({}) == count


async def test_anothers_message_is_403(call):
    """Only the author edits and deletes."""
    path = f"/messages/{(await send(call))['id']}"
    for method in ("PUT", "DELETE"):
        status, problem = await call(BEN, method, path, json={"content": "mine"})
        assert (status, problem["code"]) == (403, "not_the_author")

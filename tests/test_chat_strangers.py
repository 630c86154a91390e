"""What strangers can learn of somebody and do to them, tried at the doors of a whole server."""

import asyncio
import json

import pytest

from tests.chat_doors import (
    accepted,
    befriend,
    channel_client,
    conversation_client,
    email_of,
    send,
)

PHONE = "+84912345678"


class Person:
    """An account, and its connections; everything it is ever told is kept as text."""

    def __init__(self, server, account):
        self.server = server
        self.account = account
        self.token = server.issue(account)
        self.told = []

    async def connect(self):
        self.socket = await self.server.socketio(self.token, namespace="/chat")
        target = f"/ws/{self.account.id}?token={self.token}"
        self.raw = await self.server.open_at(target)
        await self.raw.ask({"event": "heartbeat"})
        return self

    async def call(self, method, path, body=None):
        status, answer = await self.server.call(self.token, method, f"/api/v1{path}", body)
        self.told.append(json.dumps(answer))
        return status, answer

    async def heard(self):
        """Return the names of what came by both doors since the last time, and keep it."""
        names = []
        # Whatever came before the answer to the second has come.
        for status in ("busy", "available"):
            await self.raw.send({"event": "status_change", "status": status})
            while (frame := await self.raw.frame())["event"] != "status_change_ack":
                self.told.append(json.dumps(frame))
                names.append(frame["event"])
        while (event := await self.socket.event())[1].get("status") != "available" or (
            event[0] != "own_status_change"
        ):
            self.told.append(json.dumps(event))
            names.append(event[0])
        return [name for name in names if name != "own_status_change"]

    def knows(self, *secrets):
        return any(secret in text for text in self.told for secret in secrets)


@pytest.fixture
async def people(serve):
    """A stranger, and somebody with a name, an e-mail and a phone number."""
    server = await serve(messages_per_s=1000)
    vic = await server.accounts.sign_up("vic@secret.example", "password123", "Vic", PHONE)
    eve = await server.accounts.sign_up("eve@example.com", "password123", "Eve")
    return await Person(server, eve).connect(), await Person(server, vic).connect()


async def say(person, conversation_id, content):
    status, message = await person.call(
        "POST", f"/conversations/{conversation_id}/messages", {"content": content}
    )
    assert status == 201
    return message


async def test_from_stranger_to_silence(people):
    """E-mail and presence show when the other side has written, and end when it blocks."""
    eve, vic = people
    _, made = await eve.call("POST", "/conversations", {"participants": [vic.account.id]})
    path = f"/conversations/{made['id']}"
    asked = await say(eve, made["id"], "who are you?")
    assert {"conversation_added", "new_message"} <= set(await vic.heard())
    await vic.raw.send({"event": "typing", "conversationId": made["id"]})
    await vic.call("POST", f"{path}/read", {"messageId": asked["id"]})
    names = await eve.heard()
    assert {"typing", "message_read"} <= set(names)
    assert "user_status_change" not in names
    _, shown = await eve.call("GET", path)
    side = next(each for each in shown["members"] if each["user_id"] == vic.account.id)
    assert (side["user_name"], side["user_email"], side["status"]) == ("Vic", None, "offline")
    await eve.socket.call("join_channel", {"conversation_id": made["id"]})
    await vic.socket.call("join_channel", {"conversation_id": made["id"]})
    await vic.raw.ask({"event": "status_change", "status": "away"})
    assert not {"channel_joined", "user_status_change"} & set((await eve.heard())[1:])
    assert not eve.knows("vic@secret.example", PHONE)
    # Vic answers, and is seen.
    await say(vic, made["id"], "nobody")
    assert {"contact.accepted", "channel_joined"} <= set(await eve.heard())
    assert eve.knows("vic@secret.example")
    await vic.heard()
    assert "user_status_change" in await eve.heard()
    # Vic blocks, and is silent.
    status, _ = await vic.call("POST", f"/users/{eve.account.id}/block")
    assert status == 200
    assert "user_status_change" in await eve.heard()
    await vic.heard()
    kept = await say(eve, made["id"], "hello?")
    assert kept.keys() == asked.keys()
    await eve.raw.send({"event": "typing", "conversationId": made["id"]})
    assert (await eve.call("POST", "/conversations", {"participants": [vic.account.id]}))[0] == 201
    group = {"participants": [vic.account.id], "title": "come"}
    assert (await eve.call("POST", "/conversations", group))[0] == 201
    assert await vic.heard() == []
    # Told of its own message only, by both doors.
    assert set(await eve.heard()) == {"new_message", "conversation_added"}
    _, refused = await vic.call("POST", f"{path}/messages", {"content": "x"})
    assert refused["code"] == "user_blocked"
    _, listed = await vic.call("GET", "/conversations")
    assert listed["items"] == []
    _, blocked = await vic.call("GET", "/blocked-users")
    assert [each["user_id"] for each in blocked["items"]] == [eve.account.id]
    # Unblocking brings nothing back.
    await vic.call("POST", f"/users/{eve.account.id}/unblock")
    await say(eve, made["id"], "at last")
    _, page = await vic.call("GET", f"{path}/messages")
    said = [message["content"] for message in page["items"]]
    assert said == ["who are you?", "nobody", "at last"]
    assert not vic.knows("hello?")
    _, page = await eve.call("GET", f"{path}/messages")
    assert [message["content"] for message in page["items"]] == [*said[:2], "hello?", said[2]]


async def test_a_name_that_means_nobody_is_answered_like_any_other(people):
    """Neither status, nor fields, nor what is seen afterwards tells whether an address exists."""
    eve, vic = people
    shapes = []
    for names in (["vic@secret.example"], ["nobody@secret.example"], ["+84912345679"]):
        for title in (None, "us"):
            status, made = await eve.call(
                "POST", "/conversations", {"participants": names, "title": title}
            )
            _, shown = await eve.call("GET", f"/conversations/{made['id']}")
            people_shown = [
                {name: value for name, value in each.items() if not name.endswith("_id")}
                for each in shown["members"]
                if each["user_id"] != eve.account.id
            ]
            ids = [len(each) > 10 for each in shown["member_ids"]]
            shapes.append((title, status, sorted(made), sorted(shown), people_shown, len(ids)))
    by_title = {title: [shape for shape in shapes if shape[0] == title] for title in (None, "us")}
    for alike in by_title.values():
        assert alike[0] == alike[1] == alike[2]
    assert not eve.knows(vic.account.id, PHONE, "Vic")


async def test_look_ups_are_limited(serve):
    """An account names so many people a minute, known or not, in so many requests."""
    server = await serve(lookups_per_minute=3)
    token = await server.token("eve")
    body = {"participants": ["a@example.com", "b@example.com"]}
    assert (await server.call(token, "POST", "/api/v1/conversations", body))[0] == 201
    status, answer = await server.call(token, "POST", "/api/v1/conversations", body)
    assert (status, answer["code"]) == (429, "too_many_lookups")
    many = {"participants": [str(number) for number in range(1, 200)]}
    assert (await server.call(token, "POST", "/api/v1/conversations", many))[0] == 422


OF_MESSAGES = {"edit_message", "delete_message", "react", "unreact", "message_read"}
COMMANDS = {
    **{key: {} for key in ("history", "typing", "join_channel", "leave_conversation")},
    **{key: {} for key in ("accept_conversation", "decline_conversation")},
    **{key: {} for key in ("delete_message", "message_read")},
    **{key: {"content": "x"} for key in ("send_message", "edit_message")},
    **{key: {"emoji": "👍"} for key in ("react", "unreact")},
    "changes": {"after": 0},
    "search": {"text": "x"},
    "invite": {"participants": ["1"]},
}
"""Every command that names a conversation, or a message in one."""

ROUTES = [
    ("", None),
    ("/messages", None),
    ("/messages", {"content": "x"}),
    ("/changes?after=0", None),
    ("/search?text=x", None),
    ("/read", {}),
    ("/participants", {"participants": ["1"]}),
    ("/leave", {}),
    ("/accept", {}),
    ("/decline", {}),
]


async def test_nobody_learns_who_talks_with_whom(people):
    """Every route and command answers about another's conversation as about none."""
    eve, vic = people
    await eve.server.account("ann")
    _, made = await vic.call("POST", "/conversations", {"participants": ["ann@example.com"]})
    await say(vic, made["id"], "psst")
    answers = []
    for conversation_id in (made["id"], f"c-{'0' * 32}"):
        message_id = f"{conversation_id}:0000000001"
        found = []
        for rest, body in ROUTES:
            path = f"/conversations/{conversation_id}{rest}"
            if rest == "/read":
                body = {"messageId": message_id}
            status, answer = await eve.call("GET" if body is None else "POST", path, body)
            found.append((rest, status, answer["code"], answer.get("detail")))
        for name, more in COMMANDS.items():
            which = {"conversation_id": conversation_id}
            if name in OF_MESSAGES:
                which = {"message_id": message_id}
            found.append((name, await eve.socket.call(name, {**which, **more})))
        answers.append(found)
    assert answers[0] == answers[1]
    for name, *answer in answers[0]:
        code = answer[0]["error"]["code"] if len(answer) == 1 else answer[1]
        about = "message" if name in OF_MESSAGES or name == "/read" else "conversation"
        assert code == f"{about}_not_found", name


async def test_a_public_channel_shows_addresses_in_its_older_frames_only(people):
    """Frames of docs/older-apis/channel-chat.md have e-mails; `/chat` and REST have not."""
    eve, vic = people
    listener = await channel_client(eve.server, "old", "general")
    await eve.socket.call("join_channel", {"channel_id": "general"})
    await vic.socket.call("join_channel", {"channel_id": "general"})
    await vic.socket.call("send_message", {"channel_id": "general", "content": "hello @eve"})
    await vic.raw.ask({"event": "status_change", "status": "busy"})
    seen = [await listener.frame() for _ in range(3)]
    assert [frame.get("user_email") for frame in seen[:2]] == [
        "eve@example.com",
        "vic@secret.example",
    ]
    assert seen[2]["data"]["user_email"] == "vic@secret.example"
    answer = await eve.socket.call("join_channel", {"channel_id": "general"})
    eve.told.append(json.dumps(answer))
    for path in ("/messages?channel_id=general", "/messages/general:0000000001", "/channels"):
        await eve.call("GET", path)
    await eve.call("GET", "/conversations/general")
    names = await eve.heard()
    assert {"new_message", "mentioned", "channel_joined"} <= set(names)
    assert "user_status_change" not in names
    assert not eve.knows("vic@secret.example", PHONE)


async def test_a_flood_of_groups_stays_in_its_corner(people):
    """A friend's conversation comes first; of a stranger's groups the latest 20 are heard."""
    eve, _ = people
    server = eve.server
    friend = await befriend(server, "friend", "vic2")
    vic2 = await Person(server, await server.account("vic2")).connect()
    groups = []
    for number in range(23):
        body = {"participants": [vic2.account.id], "title": f"group {number}"}
        groups.append((await eve.call("POST", "/conversations", body))[1]["id"])
    await vic2.heard()
    for group in groups:
        await say(eve, group, "buy this")
    assert (await vic2.heard()).count("new_message") == 2 * 20
    items, after = [], ""
    while after is not None:
        query = f"?limit=10{f'&after={after}' if after else ''}"
        _, page = await vic2.call("GET", f"/conversations{query}")
        items += page["items"]
        after = page["next"]
    assert items[0]["id"] == friend
    assert {item["id"] for item in items} == {friend, *groups}
    assert len(items) == 24
    assert [item["request"] for item in items] == [False] + [True] * 23
    unread = {item["id"]: item["unread"] for item in items}
    assert [unread[group] for group in groups] == [0] * 3 + [1] * 20
    _, only = await vic2.call("GET", "/conversations?request=false")
    assert [item["id"] for item in only["items"]] == [friend]
    _, requests = await vic2.call("GET", "/conversations?request=true&limit=100")
    assert len(requests["items"]) == 23
    # Answers: accepted is heard, declined is gone and not asked again.
    await accepted(server, "vic2", groups[0])
    await vic2.call("POST", f"/conversations/{groups[1]}/decline")
    await eve.call(
        "POST", f"/conversations/{groups[1]}/participants", {"participants": [vic2.account.id]}
    )
    await vic2.heard()
    for group in groups[:2]:
        await say(eve, group, "again")
    assert (await vic2.heard()).count("new_message") == 2
    assert (await vic2.call("GET", f"/conversations/{groups[1]}"))[0] == 404


async def test_invitations_to_channels_stop_no_later_channel(serve):
    """However many private channels a stranger asks one into, those one joins are still heard."""
    server = await serve(messages_per_s=1000, channels_per_connection=24)
    eve = await server.token("eve")
    await server.account("vic")
    for number in range(26):
        body = {"name": f"den{number}", "private": True}
        await server.call(eve, "POST", "/api/v1/channels", body)
        invited = {"participants": [email_of("vic")]}
        path = f"/api/v1/channels/den{number}/invite"
        assert (await server.call(eve, "POST", path, invited))[0] == 200
    watcher = await channel_client(server, "eve", "den25")
    vic = await conversation_client(server, "vic")
    # Following a request is not seen by those who asked.
    assert (await watcher.ask({"type": "ping"}))["type"] == "pong"
    await (await channel_client(server, "vic", "friends")).socket.close()
    await send(server, "eve", "den3", "quiet")
    await send(server, "eve", "den25", "heard")
    await send(server, "friend", "friends", "hello")
    assert [(await vic.frame())["content"] for _ in range(2)] == ["heard", "hello"]
    status, _ = await server.call(
        await server.token("vic"), "POST", "/api/v1/conversations/den25/accept"
    )
    assert status == 200
    frames = [await watcher.frame() for _ in range(2)]
    assert [frame["type"] for frame in frames] == ["new_message", "channel_joined"]


async def test_a_thousand_conversations_do_not_hide_a_friend(serve, database):
    """The first page begins with a friend's conversation; the pages have all the others once."""
    server = await serve()
    friend = await befriend(server, "friend", "vic")
    vic = await server.account("vic")
    pattern = await database["conversations"].find_one({"_id": friend})
    strangers = {
        "member_ids": ["7"],
        "request_ids": [vic.id],
        "shown_ids": ["7"],
        "created_by": "7",
    }
    collection = database["conversations"]
    await asyncio.gather(
        *(
            collection.insert_one(
                {**pattern, **strangers, "_id": f"c-{number:032x}", "kind": "group"}
            )
            for number in range(1010)
        )
    )
    token = await server.token("vic")
    seen, after = [], ""
    while after is not None:
        query = f"limit=100{f'&after={after}' if after else ''}"
        _, page = await server.call(token, "GET", f"/api/v1/conversations?{query}")
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
    assert seen[0] == friend
    assert len(seen) == len(set(seen)) == 1011

"""Channels and conversations: who may begin them, who is let in, who leaves."""

import asyncio
import uuid

import pytest

from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.migrations import MIGRATIONS
from tests.chat_world import ANN, BEN, CAT, CHANNEL, EVE, chat_on, open_channel, person

TEXT = {"content": "hello", "message_type": "text"}


@pytest.fixture
async def chat(database, hall, clock):
    """A chat without any channel."""
    made = chat_on(database, hall, clock)
    await made.prepare()
    return made


async def channel(chat, name=CHANNEL, **changes):
    return await chat.membership.create_channel(
        ANN, **({"name": name, "private": True, "title": None} | changes)
    )


async def begin(chat, *participants, who=ANN, title=None):
    return await chat.membership.create_conversation(
        who, participants=list(participants), title=title
    )


async def test_a_direct_conversation_is_there_once(chat, connect):
    """Whoever begins it, at once or later, two accounts have one direct conversation."""
    ben = await connect(BEN)
    ben.take()
    begun = await asyncio.gather(
        *(begin(chat, "2") for _ in range(5)), *(begin(chat, "1", who=BEN) for _ in range(5))
    )
    assert len({conversation["id"] for conversation in begun}) == 1
    assert {conversation["kind"] for conversation in begun} == {"direct"}
    assert len(ben.take("conversation_added")) == 1
    assert (await begin(chat, "3"))["id"] != begun[0]["id"]


@pytest.mark.parametrize("called", ["2", "+84912340002", "user2@example.com"])
async def test_people_are_found_by_what_they_are_called(chat, called):
    """Participants are account ids, public ids or e-mail addresses."""
    conversation = await begin(chat, called, "3", title="us")
    for who in (BEN, CAT):
        await chat.standings.accept(who, conversation["id"])
    item = await chat.lists.get(BEN, conversation["id"])
    assert [member["user_id"] for member in item["members"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("participants", "fields"),
    [(["1"], {"participants"}), (["2", "nobody"], {"participants"})],
)
async def test_nobody_to_talk_to(chat, hall, database, participants, fields):
    """Oneself alone, and what can be nobody's name, make no conversation."""
    with pytest.raises(Invalid) as caught:
        await begin(chat, *participants)
    assert set(caught.value.fields) == fields
    assert hall.take() == []
    assert await database["chat_members"].count_documents({}) == 0


async def test_a_private_channel_refuses_outsiders(chat, connect, database):
    """Who is not invited may not read, join or write, and is not in its room."""
    await channel(chat)
    eve = await connect(EVE)
    eve.take()
    for attempt in (
        chat.join(EVE, eve, CHANNEL),
        chat.messages.send(EVE, CHANNEL, **TEXT),
        chat.reading.history(EVE, CHANNEL, limit=5),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "channel_private"
    await chat.messages.send(ANN, CHANNEL, **TEXT)
    assert eve.take() == []
    assert await database["chat_members"].count_documents({}) == 1


async def test_an_invitation_opens_a_private_channel(chat, connect):
    """The invited is told, joins, reads what is said and may invite others."""
    await channel(chat)
    await chat.messages.send(ANN, CHANNEL, **TEXT)
    ben = await connect(BEN)
    ben.take()
    await chat.membership.invite(ANN, CHANNEL, participants=["2"])
    (told,) = ben.take()
    assert (told["conversation"]["id"], told["user_id"]) == (CHANNEL, "1")
    snapshot = await chat.join(BEN, ben, CHANNEL)
    assert (snapshot["seq"], snapshot["unread"]) == (1, 0)
    await chat.membership.invite(BEN, CHANNEL, participants=["3", "2"])
    await chat.messages.send(CAT, CHANNEL, **TEXT)
    # Who was asked is a member when it has answered, here by writing.
    assert ben.take_names() == [
        "member_added",
        "request.answered",
        "channel_joined",
        "member_added",
        "new_message",
    ]


async def test_names_are_taken_once(chat, hall):
    """A channel's name is of the first who used it, by creating it or by joining."""
    await open_channel(chat, hall, "used")
    await channel(chat)
    for name in ("used", CHANNEL):
        for private in (True, False):
            with pytest.raises(Conflict) as caught:
                await channel(chat, name, private=private)
            assert caught.value.code == "channel_taken"


async def test_no_channel_is_named_like_a_conversation(chat, connect):
    """Nobody gets into a direct conversation that is to come by naming a channel after it."""
    conversation_id = (await begin(chat, "2"))["id"]
    other_id = conversation_id[:-1] + ("0" if conversation_id[-1] != "0" else "1")
    eve = await connect(EVE)
    for name in (conversation_id, other_id, "", "a b", "x" * 65, "ä", "a/b", "a|b"):
        with pytest.raises(NotFound):
            await chat.join(EVE, eve, name)


async def test_leaving_a_group(chat, connect):
    """Who leaves hears no more and may read no more; the others are told."""
    conversation_id = (await begin(chat, "2", "3"))["id"]
    await chat.standings.accept(BEN, conversation_id)
    ann, ben = await connect(ANN), await connect(BEN)
    for connection in (ann, ben):
        connection.take()
    await chat.membership.leave(BEN, conversation_id)
    assert [data["user_id"] for data in ann.take("member_left")] == ["2"]
    ben.take()
    await chat.messages.send(ANN, conversation_id, **TEXT)
    assert ben.take() == []
    with pytest.raises(NotFound):
        await chat.reading.history(BEN, conversation_id, limit=5)
    assert (await chat.lists.conversations(BEN, after=None, limit=50))["items"] == []
    with pytest.raises(NotFound) as caught:
        await chat.membership.leave(BEN, conversation_id)
    assert caught.value.code == "conversation_not_found"


async def test_leaving_a_channel_ends_its_connections(chat, join):
    """All connections of the account leave a channel that it leaves."""
    ben, telephone, ann = await join(BEN), await join(BEN), await join(ANN)
    for connection in (ben, telephone, ann):
        connection.take()
    await chat.membership.leave(BEN, CHANNEL)
    assert ann.take_names() == ["channel_left", "member_left"]
    for connection in (ben, telephone):
        connection.take()
    await chat.messages.send(ANN, CHANNEL, **TEXT)
    assert ben.take() == telephone.take() == []
    assert ann.take_names() == ["new_message"]


async def test_a_direct_conversation_stays(chat):
    """It is neither left nor opened to others."""
    conversation_id = (await begin(chat, "2"))["id"]
    for attempt in (
        chat.membership.leave(ANN, conversation_id),
        chat.membership.invite(ANN, conversation_id, participants=["3"]),
    ):
        with pytest.raises(Conflict):
            await attempt


async def test_a_group_has_its_bound(chat, monkeypatch):
    """An invitation that would make it too many lets nobody in."""
    monkeypatch.setattr("models.chat.membership.MAX_MEMBERS", 4)
    conversation_id = (await begin(chat, "2", "3"))["id"]
    with pytest.raises(Conflict) as caught:
        await chat.membership.invite(ANN, conversation_id, participants=["4", "5"])
    assert caught.value.code == "too_many_members"
    await chat.membership.invite(ANN, conversation_id, participants=["4", "2"])
    members = (await chat.lists.get(ANN, conversation_id))["members"]
    assert [member["user_id"] for member in members] == ["1"]
    for name in ("6", "nobody@example.com"):
        with pytest.raises(Conflict) as caught:
            await chat.membership.invite(ANN, conversation_id, participants=[name])
        assert caught.value.code == "too_many_members"


async def test_the_list_of_conversations(chat, clock, join):
    """It has all that one belongs to, the latest active first, with last message and unread."""
    direct = (await begin(chat, "2"))["id"]
    await join(BEN)
    for where in (direct, CHANNEL, direct):
        clock.move((clock() - clock().replace(hour=11)) / 100)
        last = await chat.messages.send(ANN, where, **TEXT)
    items = (await chat.lists.conversations(BEN, after=None, limit=50))["items"]
    assert [(i["id"], i["seq"], i["read_seq"], i["unread"], i["request"]) for i in items] == [
        (CHANNEL, 1, 0, 1, False),
        (direct, 2, 0, 2, True),
    ]
    assert items[1]["last_message"] == last
    assert items[1]["member_ids"] == ["1", "2"]
    await chat.standings.accept(BEN, direct)
    items = (await chat.lists.conversations(BEN, after=None, limit=50))["items"]
    assert [item["id"] for item in items] == [direct, CHANNEL]


async def test_the_list_of_channels(chat, join):
    """Public channels and one's own private ones by name, with member counts, page by page."""
    for name in ("d", "b"):
        await channel(chat, name, private=False)
    await channel(chat, "c")
    await channel(chat, "e")
    await chat.membership.invite(ANN, "c", participants=["2"])
    await chat.standings.accept(BEN, "c")
    for n in range(10, 13):
        await join(person(n), "a")
    await begin(chat, "2")
    names, counts, after = [], {}, ""
    while after is not None:
        page = await chat.lists.channels(BEN, after=after, limit=2)
        names += [item["id"] for item in page["items"]]
        counts |= {item["id"]: item["member_count"] for item in page["items"]}
        after = page["next"]
    assert names == ["a", "b", "c", "d"]
    assert counts == {"a": 3, "b": 1, "c": 2, "d": 1}


async def test_a_half_made_conversation_is_nothing(chat, database):
    """What a crash leaves of beginning a conversation gives no access and is in no list."""
    conversation_id = (await begin(chat, "2", "3"))["id"]
    await database["conversations"].delete_one({"_id": conversation_id})
    assert (await chat.lists.conversations(BEN, after=None, limit=50))["items"] == []
    with pytest.raises(NotFound):
        await chat.messages.send(BEN, conversation_id, **TEXT)


async def test_existing_conversations_count_as_accepted(chat, connect, database, clock):
    """One of before there were requests keeps its id, and its members are contacts."""
    older = f"c-{uuid.uuid5(uuid.UUID('0b3f6f0e-6f5c-4d2c-9a53-5d1f8f6d8a10'), '1:2').hex}"
    stored = {"kind": "direct", "listed": False, "member_ids": ["1", "2"], "title": None}
    stored |= {"created_by": "1", "created_at": clock(), "last_at": clock()}
    stored |= {"last_seq": 0, "revision": 0}
    await database["conversations"].insert_one({"_id": older, **stored})
    for migration in MIGRATIONS:
        await migration.apply(database)
    assert (await begin(chat, "2"))["id"] == older
    ann, ben = await connect(ANN), await connect(BEN)
    assert [each["status"] for each in ann.take("user_status_change")] == ["available"]
    (item,) = (await chat.lists.conversations(BEN, after=None, limit=5))["items"]
    assert (item["id"], item["request"]) == (older, False)
    group = await begin(chat, "2", title="us", who=ANN)
    assert [each["conversation"]["request"] for each in ben.take("conversation_added")] == [False]
    assert group["request"] is False


async def test_no_id_of_a_new_conversation_can_be_computed(chat, database):
    """It is made with a key that the database has made for itself."""
    made = (await begin(chat, "2"))["id"]
    assert made == (await begin(chat, "1", who=BEN))["id"]
    older = uuid.uuid5(uuid.UUID("0b3f6f0e-6f5c-4d2c-9a53-5d1f8f6d8a10"), "1:2").hex
    assert made != f"c-{older}"
    key = await database["server_keys"].find_one({"_id": "direct_conversations"})
    assert len(key["key"]) == 32


async def test_an_account_with_a_new_owner_has_no_conversations(chat, connect):
    """What the former holder was in is not theirs, nor are its requests; others lose nothing."""
    direct = (await begin(chat, "2"))["id"]
    group = (await begin(chat, "2", "3", title="us"))["id"]
    await chat.standings.accept(BEN, group)
    await channel(chat)
    await chat.membership.invite(ANN, CHANNEL, participants=["2"])
    ben = await connect(BEN)
    await chat.join(BEN, ben, "town")
    await chat.messages.send(BEN, direct, content="secret", message_type="text")
    ann = await connect(ANN)
    ann.take()
    await chat.standings.depart_from_all("2")
    assert [left["user_id"] for left in ann.take("member_left")] == ["2"]
    assert (await chat.lists.conversations(BEN, after=None, limit=9))["items"] == []
    for conversation_id in (direct, group):
        with pytest.raises(NotFound):
            await chat.reading.history(BEN, conversation_id, limit=5)
        with pytest.raises(NotFound):
            await chat.standings.accept(BEN, conversation_id)
    with pytest.raises(Forbidden):
        await chat.reading.history(BEN, CHANNEL, limit=5)
    ben = await connect(BEN)
    ben.take()
    await chat.messages.send(ANN, direct, **TEXT)
    assert ben.take() == []
    assert len((await chat.reading.history(ANN, direct, limit=5))["items"]) == 2
    assert len((await chat.lists.get(ANN, direct))["members"]) == 1
    anew = (await begin(chat, "1", who=BEN))["id"]
    assert anew != direct
    assert anew == (await begin(chat, "2"))["id"]
    assert (await chat.reading.history(BEN, anew, limit=5))["items"] == []

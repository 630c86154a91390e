"""What authors may do, and who hears of it."""

import asyncio

import pytest

from models.chat import schema
from models.chat.reactions import MAX_EMOJI, MAX_OF_ACCOUNT
from models.errors import Conflict, Forbidden, Invalid, NotFound
from tests.chat_world import ANN, BEN, CAT, CHANNEL, EVE, open_channel, person

TEXT = {"content": "hello", "message_type": "text"}


async def send(chat, who=ANN, where=CHANNEL, **changes):
    return await chat.messages.send(who, where, **(TEXT | changes))


async def group(chat, *others, title="us"):
    made = await chat.membership.create_conversation(
        ANN, participants=[who.account_id for who in others], title=title
    )
    return made["id"]


async def test_a_new_message(chat, join):
    """A message has its number, its author in every spelling and its times, live and stored."""
    listener = await join(BEN)
    sent = await send(chat, who=ANN)
    assert sent == {
        "id": f"{CHANNEL}:0000000001",
        "conversation_id": CHANNEL,
        "seq": 1,
        "author_id": "1",
        "author_email": None,
        "author_public_id": "1",
        "author_name": "Ann",
        "content": "hello",
        "message_type": "text",
        "reply_to": None,
        "mentions": [],
        "attachments": [],
        "reactions": [],
        "client_id": None,
        "created_at": "2026-03-01T12:00:00.000Z",
        "edited_at": None,
        "deleted_at": None,
        "revision": 0,
    }
    joined, told = listener.take()
    assert (joined["user_id"], told) == ("1", sent)
    assert await chat.messages.get(BEN, sent["id"]) == sent


async def test_members_of_a_conversation_hear_it_without_joining(chat, connect):
    """A direct or group conversation is heard on every connection of its members only."""
    conversation_id = await group(chat, BEN)
    members = [await connect(who) for who in (ANN, BEN, BEN)]
    outsider = await connect(EVE)
    for connection in (*members, outsider):
        connection.take()
    sent = await send(chat, where=conversation_id)
    await chat.messages.edit(ANN, sent["id"], content="bye")
    await chat.messages.delete(ANN, sent["id"])
    for member in members:
        assert member.take_names() == ["new_message", "message_updated", "message_deleted"]
    assert outsider.take() == []


async def test_a_channel_is_heard_by_those_who_joined(chat, join, connect):
    """A message in a channel reaches the connections that joined it, the author's included."""
    ann, ben, elsewhere = await join(ANN), await join(BEN), await connect(BEN)
    for connection in (ann, elsewhere):
        connection.take()
    await send(chat)
    assert [connection.take_names() for connection in (ann, ben, elsewhere)] == [
        ["new_message"],
        ["new_message"],
        [],
    ]


async def test_editing(chat, join, clock):
    """An edit changes the text and its time, is told once, and the same text changes nothing."""
    listener = await join(BEN)
    sent = await send(chat)
    listener.take()
    edited = await chat.messages.edit(ANN, sent["id"], content="bye")
    expected = {"content": "bye", "edited_at": "2026-03-01T12:00:00.000Z", "revision": 1}
    assert edited == sent | expected
    assert listener.take() == [edited]
    assert await chat.messages.edit(ANN, sent["id"], content="bye") == edited
    assert listener.take() == []


async def test_deleting_leaves_a_tombstone(chat, join):
    """A deleted message keeps its place and its author and nothing of what it said."""
    listener = await join(BEN)
    sent = await send(chat, content="secret @ben")
    await chat.reactions.react(BEN, sent["id"], emoji="👍")
    listener.take()
    gone = await chat.messages.delete(ANN, sent["id"])
    assert gone["deleted_at"] == "2026-03-01T12:00:00.000Z"
    assert (gone["content"], gone["mentions"], gone["reactions"]) == ("", [], [])
    assert (gone["seq"], gone["author_id"]) == (1, "1")
    assert listener.take() == [gone]
    assert (await chat.reading.history(BEN, CHANNEL, limit=5))["items"] == [gone]
    assert await chat.messages.delete(ANN, sent["id"]) == gone
    assert listener.take() == []


async def test_a_tombstone_stays_one(chat, hall):
    """Nobody edits or reacts to what was deleted."""
    sent = await send(chat)
    await chat.messages.delete(ANN, sent["id"])
    hall.take()
    for attempt in (
        chat.messages.edit(ANN, sent["id"], content="back"),
        chat.reactions.react(BEN, sent["id"], emoji="👍"),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "message_deleted"
    assert hall.take() == []


async def test_only_the_author_changes_a_message(chat, hall):
    """Another reader may not edit or delete it, and it stays as it was."""
    sent = await send(chat)
    hall.take()
    for attempt in (
        chat.messages.edit(BEN, sent["id"], content="mine"),
        chat.messages.delete(BEN, sent["id"]),
    ):
        with pytest.raises(Forbidden) as caught:
            await attempt
        assert caught.value.code == "not_the_author"
    assert await chat.messages.get(ANN, sent["id"]) == sent
    assert hall.take() == []


async def test_racing_edits_leave_what_was_told_last(chat, join):
    """Of edits at once the last one told is the one stored, with rising revisions."""
    listener = await join(BEN)
    sent = await send(chat)
    listener.take()
    await asyncio.gather(*(chat.messages.edit(ANN, sent["id"], content=str(n)) for n in range(20)))
    told = listener.take("message_updated")
    assert [message["revision"] for message in told] == [*range(1, 21)]
    assert told[-1] == await chat.messages.get(ANN, sent["id"])


async def test_replies_stay_in_their_conversation(chat, hall):
    """A reply names a message of the same conversation; anything else is refused unwritten."""
    first = await send(chat)
    reply = await send(chat, who=BEN, reply_to=first["id"])
    assert reply["reply_to"] == first["id"]
    await open_channel(chat, hall, "other")
    elsewhere = await send(chat, where="other")
    hall.take()
    for reply_to in (elsewhere["id"], f"{CHANNEL}:0000000099", "x", f"{CHANNEL}:1"):
        with pytest.raises(Invalid) as caught:
            await send(chat, reply_to=reply_to)
        assert set(caught.value.fields) == {"reply_to"}
    assert hall.take() == []
    assert (await chat.reading.history(ANN, CHANNEL, limit=9))["seq"] == 2


@pytest.mark.parametrize("spelled", ["ben", "BEN", "user2@example.com", "user2", "+84912340002"])
async def test_mentions_call_the_member(chat, join, connect, spelled):
    """A member is called by name, e-mail, its local part or public id, on all connections."""
    ben, at_home, cat = await join(BEN), await connect(BEN), await join(CAT)
    for connection in (ben, at_home, cat):
        connection.take()
    await send(chat)
    for connection in (ben, at_home, cat):
        connection.take()
    sent = await send(chat, content=f"hey @{spelled}, look")
    assert sent["mentions"] == ["2"]
    assert ben.take_names() == ["new_message", "mentioned"]
    assert at_home.take() == [sent]
    assert cat.take_names() == ["new_message"]


async def test_mentions_call_nobody_who_is_not_a_member(chat, connect, join):
    """Strangers, oneself and parts of e-mail addresses are not called."""
    outsider, conversation_id = await connect(EVE), await group(chat, BEN)
    outsider.take()
    for content in ("@eve hello", "@ann it is me", "write to x@ben", "@nobody"):
        assert (await send(chat, where=conversation_id, content=content))["mentions"] == []
    assert outsider.take() == []


async def test_an_edit_calls_those_it_newly_names(chat, join):
    """Who was called before is not called again."""
    ben, cat = await join(BEN), await join(CAT)
    sent = await send(chat, content="@ben")
    for connection in (ben, cat):
        connection.take()
    await chat.messages.edit(ANN, sent["id"], content="@ben and @cat")
    assert ben.take_names() == ["message_updated"]
    assert cat.take_names() == ["message_updated", "mentioned"]


async def test_reactions_add_up(chat, join):
    """Each account gives an emoji once; repeats, and taking back what is not there, are quiet."""
    listener = await join(CAT)
    sent = await send(chat)
    listener.take()
    for who, emoji in ((BEN, "👍"), (ANN, "👍"), (BEN, "🎉"), (BEN, "👍")):
        shown = await chat.reactions.react(who, sent["id"], emoji=emoji)
    assert shown["reactions"] == [
        {"emoji": "👍", "user_ids": ["2", "1"]},
        {"emoji": "🎉", "user_ids": ["2"]},
    ]
    told = listener.take("message_reacted")
    assert [(data["user_id"], data["emoji"], data["revision"]) for data in told] == [
        ("2", "👍", 1),
        ("1", "👍", 2),
        ("2", "🎉", 3),
    ]
    for _ in range(2):
        shown = await chat.reactions.unreact(BEN, sent["id"], emoji="👍")
    assert shown["reactions"] == [
        {"emoji": "👍", "user_ids": ["1"]},
        {"emoji": "🎉", "user_ids": ["2"]},
    ]
    assert [data["emoji"] for data in listener.take("message_unreacted")] == ["👍"]


async def test_old_spellings_of_reactions_are_the_same(chat, database):
    """What stands in a message in another spelling counts as the emoji, once, and is taken back."""
    sent = await send(chat)
    stored = {"reactions": ["2:👍\ufe0f", "1:👍", "2:❤"]}
    await database["chat_messages"].update_one({"_id": sent["id"]}, {"$set": stored})
    before = await chat.messages.get(ANN, sent["id"])
    assert before["reactions"] == [
        {"emoji": "👍", "user_ids": ["2", "1"]},
        {"emoji": "❤️", "user_ids": ["2"]},
    ]
    assert await chat.reactions.react(BEN, sent["id"], emoji="👍") == before
    shown = await chat.reactions.unreact(BEN, sent["id"], emoji="👍")
    assert shown["reactions"][0] == {"emoji": "👍", "user_ids": ["1"]}


async def test_nothing_to_see_is_no_edit(chat):
    """A message keeps its text where the new one shows nothing; as sending does."""
    sent = await send(chat)
    content = schema.EditMessage().load({"message_id": sent["id"], "content": "\u200b "})["content"]
    with pytest.raises(Invalid) as refusal:
        await chat.messages.edit(ANN, sent["id"], content=content)
    assert refusal.value.fields.keys() == {"content"}


async def test_fifty_react_at_once(chat):
    """None of many reactions at once is lost."""
    sent = await send(chat)
    await asyncio.gather(
        *(chat.reactions.react(person(n), sent["id"], emoji="👍") for n in range(10, 60))
    )
    (reaction,) = (await chat.messages.get(ANN, sent["id"]))["reactions"]
    assert sorted(reaction["user_ids"], key=int) == [str(n) for n in range(10, 60)]


async def test_outsiders_find_nothing(chat, connect, hall):
    """What is said in a conversation is, to outsiders, not there; nothing they try is told."""
    conversation_id = await group(chat, BEN)
    sent = await send(chat, where=conversation_id)
    eve = await connect(EVE)
    hall.take()
    for attempt in (
        send(chat, who=EVE, where=conversation_id),
        chat.messages.get(EVE, sent["id"]),
        chat.messages.edit(EVE, sent["id"], content="x"),
        chat.messages.delete(EVE, sent["id"]),
        chat.reactions.react(EVE, sent["id"], emoji="👍"),
        chat.reactions.unreact(EVE, sent["id"], emoji="👍"),
        chat.reading.mark(EVE, sent["id"]),
        chat.reading.history(EVE, conversation_id, limit=5),
        chat.reading.changed(EVE, conversation_id, after=0, limit=5),
        chat.reading.search(EVE, conversation_id, text="e", limit=5),
        chat.typing(EVE, eve, conversation_id),
        chat.lists.get(EVE, conversation_id),
        chat.membership.invite(EVE, conversation_id, participants=["9"]),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert hall.take() == []
    assert (await chat.reading.history(BEN, conversation_id, limit=5))["items"] == [sent]


async def test_one_account_does_not_fill_a_message(chat):
    """An account gives a message 20 emoji, all accounts 100 different ones; others still react."""
    sent = await chat.messages.send(ANN, CHANNEL, **TEXT)
    emoji = [chr(0x1F600 + n) for n in range(MAX_EMOJI + 1)]
    for who in range(10, 15):
        for place in range(MAX_OF_ACCOUNT):
            given = emoji[(who - 10) * MAX_OF_ACCOUNT + place]
            await chat.reactions.react(person(who), sent["id"], emoji=given)
    for who, one_more in ((person(10), emoji[-2]), (BEN, emoji[-1])):
        with pytest.raises(Conflict) as refused:
            await chat.reactions.react(who, sent["id"], emoji=one_more)
        assert refused.value.code == "too_many_reactions"
    shown = await chat.reactions.react(BEN, sent["id"], emoji=emoji[0])
    assert shown["reactions"][0]["user_ids"] == ["10", "2"]
    await chat.reactions.unreact(person(10), sent["id"], emoji=emoji[1])
    shown = await chat.reactions.react(person(10), sent["id"], emoji=emoji[-2])
    assert len(shown["reactions"]) == MAX_EMOJI - 1

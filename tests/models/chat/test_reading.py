"""Pages, read marks, unread counts, search."""

import pytest

from models.errors import Forbidden, NotFound
from models.rooms import user_room
from tests.chat_world import ANN, BEN, CAT, CHANNEL

TEXT = {"content": "hello", "message_type": "text"}


@pytest.fixture
async def ten(chat):
    return [
        await chat.messages.send(ANN, CHANNEL, content=f"No {n}", message_type="text")
        for n in range(1, 11)
    ]


@pytest.mark.parametrize(
    ("query", "seqs", "more"),
    [
        ({"limit": 4}, [7, 8, 9, 10], True),
        ({"limit": 10}, [*range(1, 11)], False),
        ({"limit": 99}, [*range(1, 11)], False),
        ({"before": 7, "limit": 4}, [3, 4, 5, 6], True),
        ({"before": 3, "limit": 4}, [1, 2], False),
        ({"before": 1, "limit": 4}, [], False),
        ({"before": 0, "limit": 4}, [], False),
        ({"before": 999, "limit": 2}, [9, 10], True),
        ({"after": 0, "limit": 3}, [1, 2, 3], True),
        ({"after": 8, "limit": 3}, [9, 10], False),
        ({"after": 10, "limit": 3}, [], False),
        ({"after": 999, "limit": 3}, [], False),
        ({"after": 2, "before": 5, "limit": 9}, [3, 4], False),
        ({"after": 2, "before": 9, "limit": 3}, [3, 4, 5], True),
    ],
)
async def test_pages(chat, ten, query, seqs, more):
    """A page has the messages next to its cursor, in order, and says whether there are more."""
    page = await chat.reading.history(BEN, CHANNEL, **query)
    assert [message["seq"] for message in page["items"]] == seqs
    assert (page["more"], page["seq"], page["revision"]) == (more, 10, 0)


async def test_a_channel_nobody_named_is_empty(chat, database):
    """Reading a public channel that is not there yet gives nothing and makes nothing."""
    page = await chat.reading.history(BEN, "fresh", limit=5)
    assert page == {"items": [], "seq": 0, "revision": 0, "more": False}
    assert await database["conversations"].find_one({"_id": "fresh"}) is None


async def test_reading_counts_down(chat, connect):
    """Unread counts fall as one reads, never rise by reading older, and tell one's own devices."""
    conversation_id = (
        await chat.membership.create_conversation(ANN, participants=["2", "3"], title="us")
    )["id"]
    sent = [await chat.messages.send(ANN, conversation_id, **TEXT) for _ in range(5)]
    ann, ben = await connect(ANN), await connect(BEN)
    for connection in (ann, ben):
        connection.take()
    state = await chat.reading.mark(BEN, sent[2]["id"])
    assert state == {"conversation_id": conversation_id, "read_seq": 3, "unread": 2}
    assert ben.take() == [state]
    assert ann.take("message_read") == [
        {
            "conversation_id": conversation_id,
            "message_id": sent[2]["id"],
            "seq": 3,
            "at": "2026-03-01T12:00:00.000Z",
            "user_id": "2",
            "user_email": "user2@example.com",
            "user_public_id": "+84912340002",
            "user_name": "Ben",
        }
    ]
    assert await chat.reading.mark(BEN, sent[0]["id"]) == state
    assert ann.take() == ben.take() == []
    unread = [(await chat.lists.get(who, conversation_id))["unread"] for who in (ANN, BEN, CAT)]
    assert unread == [0, 2, 5]


async def test_writing_reads_what_was_before(chat):
    """Who answers has read: the own message and all before it are not unread."""
    conversation_id = (
        await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    )["id"]
    for _ in range(3):
        await chat.messages.send(ANN, conversation_id, **TEXT)
    await chat.messages.send(BEN, conversation_id, **TEXT)
    assert (await chat.lists.get(BEN, conversation_id))["unread"] == 0
    assert (await chat.lists.get(ANN, conversation_id))["unread"] == 1


async def test_who_joins_a_channel_has_nothing_unread(chat, ten, join):
    """What was said before one came does not count; what comes afterwards does."""
    await join(BEN)
    await chat.messages.send(ANN, CHANNEL, **TEXT)
    item = await chat.lists.get(BEN, CHANNEL)
    assert (item["read_seq"], item["unread"]) == (10, 1)


async def test_strangers_to_a_channel_mark_nothing(chat, ten, hall):
    """A read mark is of a member; whoever never joined is told so."""
    hall.take()
    with pytest.raises(Forbidden) as caught:
        await chat.reading.mark(BEN, ten[0]["id"])
    assert caught.value.code == "not_a_member"
    assert hall.take() == []


async def test_a_message_of_another_conversation_marks_nothing(chat, ten, join):
    """A read mark that names a conversation is about a message in it."""
    await join(BEN)
    with pytest.raises(NotFound):
        await chat.reading.mark(BEN, ten[0]["id"], conversation_id="other")
    for message_id in (f"{CHANNEL}:0000000099", "x", f"{CHANNEL}:1", ":0000000001", CHANNEL):
        with pytest.raises(NotFound):
            await chat.reading.mark(BEN, message_id)


async def test_search(chat):
    """Search finds text in any case and script, latest first, and no tombstones."""
    sent = [
        await chat.messages.send(ANN, CHANNEL, content=content, message_type="text")
        for content in ("Phở bò", "straße", "a.c", "abc", "PHỞ GÀ")
    ]
    for text, found in (("phở", [4, 0]), ("STRASSE", [1]), ("a.c", [2]), ("xyz", [])):
        page = await chat.reading.search(BEN, CHANNEL, text=text, limit=10)
        assert page == {"items": [sent[n] for n in found], "before": None}
    await chat.messages.delete(ANN, sent[4]["id"])
    page = await chat.reading.search(BEN, CHANNEL, text="phở", limit=10)
    assert [m["id"] for m in page["items"]] == [sent[0]["id"]]


async def test_search_goes_on_where_it_stopped(chat, ten, monkeypatch):
    """Pages of a search together have every message found, once, however far one page looks."""
    monkeypatch.setattr("models.chat.reading.SEARCH_WINDOW", 2)
    monkeypatch.setattr("models.chat.reading.SEARCH_MAX", 3)
    seen, before, pages = [], None, 0
    while before is not None or not pages:
        page = await chat.reading.search(BEN, CHANNEL, text="no", before=before, limit=2)
        seen += [message["seq"] for message in page["items"]]
        before, pages = page["before"], pages + 1
    assert seen == [*range(10, 0, -1)]


async def test_typing_reaches_the_others_and_nothing_else(chat, connect, database, hall):
    """Typing is heard by the other members, by none of one's own devices, and is not stored."""
    conversation_id = (
        await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    )["id"]
    ann, ann_too, ben = await connect(ANN), await connect(ANN), await connect(BEN)
    for connection in (ann, ann_too, ben):
        connection.take()
    await chat.typing(ANN, conversation_id)
    (told,) = ben.take()
    assert (told["conversation_id"], told["user_public_id"]) == (conversation_id, "1")
    assert ann.take() == ann_too.take() == []
    assert user_room("1") in ann.rooms
    assert await database["chat_messages"].count_documents({}) == 0

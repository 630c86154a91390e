"""Pages, read marks, unread counts, search."""

import unicodedata

import pytest

from models.errors import Conflict, Forbidden, NotFound
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


@pytest.mark.parametrize(
    ("query", "seqs", "before", "after"),
    [
        ({"around": 5, "limit": 4}, [3, 4, 5, 6], True, True),
        ({"around": 5, "limit": 5}, [3, 4, 5, 6, 7], True, True),
        ({"around": 5, "limit": 1}, [5], True, True),
        ({"around": 1, "limit": 4}, [1, 2, 3, 4], False, True),
        ({"around": 10, "limit": 4}, [8, 9, 10], True, False),
        ({"around": 99, "limit": 4}, [8, 9, 10], True, False),
        ({"around": 0, "limit": 2}, [1, 2], False, True),
        ({"around": 5, "limit": 99}, [*range(1, 11)], False, False),
        ({"before": 7, "limit": 2}, [5, 6], True, True),
        ({"after": 8, "limit": 5}, [9, 10], True, False),
        ({"limit": 3}, [8, 9, 10], True, False),
    ],
)
async def test_a_page_around_a_message(chat, ten, query, seqs, before, after):
    """A found message stands amid those around it, and each end says whether there are more."""
    page = await chat.reading.history(BEN, CHANNEL, **query)
    assert [message["seq"] for message in page["items"]] == seqs
    assert (page["more_before"], page["more_after"]) == (before, after)
    if "around" in query:
        assert page["more"] is (before or after)


async def test_only_a_join_or_a_creation_makes_a_channel(chat, connect, hall, database):
    """Whatever else names a channel that is not there is not found, tells nobody, makes nothing."""
    ben = await connect(BEN)
    hall.take()
    for attempt in (
        chat.messages.send(BEN, "undefined", **TEXT),
        chat.messages.send(BEN, "undefined", **TEXT, client_id="1"),
        chat.reading.history(BEN, "undefined", limit=5),
        chat.reading.changed(BEN, "undefined", after=0, limit=5),
        chat.reading.search(BEN, "undefined", text="x", limit=5),
        chat.lists.get(BEN, "undefined"),
        chat.typing(BEN, ben, "undefined"),
        chat.membership.invite(BEN, "undefined", participants=["1"]),
        chat.membership.leave(BEN, "undefined"),
        chat.standings.accept(BEN, "undefined"),
        chat.standings.decline(BEN, "undefined"),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "conversation_not_found"
    assert hall.take() == []
    assert await database["conversations"].find_one({"_id": "undefined"}) is None
    snapshot = await chat.join(BEN, ben, "undefined")
    assert snapshot["conversation"]["created_by"] == "2"
    assert (await chat.lists.get(ANN, "undefined"))["created_by"] == "2"


async def test_typing_in_a_channel_needs_a_join(chat, join, connect):
    """In a channel that the connection has not joined, typing is refused and told to nobody."""
    listener, ann = await join(BEN), await connect(ANN)
    with pytest.raises(Conflict) as caught:
        await chat.typing(ANN, ann, CHANNEL)
    assert caught.value.code == "not_joined"
    assert listener.take() == []
    await chat.join(ANN, ann, CHANNEL)
    await chat.typing(ANN, ann, CHANNEL)
    assert listener.take_names()[-1] == "typing"


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
            "user_email": None,
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


async def test_deleted_messages_are_not_unread(chat, connect):
    """What was deleted before it was read counts nowhere; what was read before changes nothing."""
    conversation_id = (
        await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    )["id"]
    sent = [await chat.messages.send(ANN, conversation_id, **TEXT) for _ in range(4)]
    await chat.reading.mark(BEN, sent[0]["id"])
    for message in (sent[0], sent[1], sent[3]):
        await chat.messages.delete(ANN, message["id"])
    shown = await chat.lists.get(BEN, conversation_id)
    listed = (await chat.lists.conversations(BEN, after=None, limit=20))["items"]
    snapshot = await chat.join(BEN, await connect(BEN), conversation_id)
    state = await chat.reading.mark(BEN, sent[0]["id"])
    assert [each["unread"] for each in (shown, *listed, snapshot, state)] == [1, 1, 1, 1]
    assert (await chat.reading.mark(BEN, sent[2]["id"]))["unread"] == 0


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
    decomposed = unicodedata.normalize("NFD", "phở")
    for text in (decomposed, decomposed.upper()):
        page = await chat.reading.search(BEN, CHANNEL, text=text, limit=10)
        assert page["items"] == [sent[4], sent[0]]
    await chat.messages.delete(ANN, sent[4]["id"])
    page = await chat.reading.search(BEN, CHANNEL, text="phở", limit=10)
    assert [m["id"] for m in page["items"]] == [sent[0]["id"]]


async def test_search_goes_on_where_it_stopped(chat, ten, monkeypatch):
    """Pages of a search together have every message found, once, however far one page looks."""
    monkeypatch.setattr("models.chat.reading.SEARCH_MAX", 3)
    seen, before, pages = [], None, 0
    while before is not None or not pages:
        page = await chat.reading.search(BEN, CHANNEL, text="no", before=before, limit=2)
        seen += [message["seq"] for message in page["items"]]
        before, pages = page["before"], pages + 1
    assert seen == [*range(10, 0, -1)]
    assert pages == 5


async def test_one_search_looks_through_a_bounded_part(chat, ten, monkeypatch):
    """What has nothing to show says where to go on, and ends at the first message."""
    monkeypatch.setattr("models.chat.reading.SEARCH_MAX", 4)
    before = None
    for following in (7, 3, None):
        page = await chat.reading.search(BEN, CHANNEL, text="nothing", before=before, limit=9)
        assert page == {"items": [], "before": following}
        before = following


async def test_one_search_takes_a_bounded_time(chat, ten, monkeypatch):
    """A search that has taken its time says where to go on, having looked at something."""
    monkeypatch.setattr("models.chat.reading.SEARCH_S", 0)
    monkeypatch.setattr("models.chat.reading.SEARCH_FIRST", 4)
    before = None
    for following in (7, 3, None):
        page = await chat.reading.search(BEN, CHANNEL, text="nothing", before=before, limit=9)
        assert page == {"items": [], "before": following}
        before = following


async def test_a_search_looks_at_more_and_more(chat, ten, monkeypatch):
    """What a search looks at piece by piece is found once, in order, to the first message."""
    monkeypatch.setattr("models.chat.reading.SEARCH_FIRST", 1)
    monkeypatch.setattr("models.chat.reading.SEARCH_S", 60)
    page = await chat.reading.search(BEN, CHANNEL, text="no", limit=20)
    assert [message["seq"] for message in page["items"]] == [*range(10, 0, -1)]
    assert page["before"] is None
    page = await chat.reading.search(BEN, CHANNEL, text="no", limit=5)
    assert [message["seq"] for message in page["items"]] == [10, 9, 8, 7, 6]
    assert page["before"] == 6


async def test_what_was_changed_is_found_as_it_is(chat):
    """An edit is found by its new text, in any spelling, and no more by the former."""
    sent = await chat.messages.send(ANN, CHANNEL, content="Hà Nội", message_type="text")
    edited = await chat.messages.edit(ANN, sent["id"], content="ĐÀ NẴNG")
    for text, found in (("hà nội", []), ("đà nẵng", [edited])):
        page = await chat.reading.search(BEN, CHANNEL, text=text, limit=10)
        assert page == {"items": found, "before": None}


async def test_an_edit_that_was_not_heard_is_found_by_its_author(chat):
    """Each side of a direct conversation finds the text that it sees, and only that."""
    made = await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    send = {"content": "good morning", "message_type": "text"}
    sent = await chat.messages.send(ANN, made["id"], **send)
    await chat.standings.decline(BEN, made["id"])
    await chat.messages.edit(ANN, sent["id"], content="good night")
    await chat.messages.send(ANN, made["id"], **send | {"content": "good heavens"})
    for caller, text, seqs in (
        (ANN, "GOOD", [2, 1]),
        (ANN, "night", [1]),
        (ANN, "morning", []),
        (BEN, "good", [1]),
        (BEN, "night", []),
        (BEN, "morning", [1]),
    ):
        page = await chat.reading.search(caller, made["id"], text=text, limit=10)
        assert [message["seq"] for message in page["items"]] == seqs, (caller, text)


async def test_typing_reaches_the_others_and_nothing_else(chat, connect, database, hall):
    """Typing is heard by the other members, by none of one's own devices, and is not stored."""
    conversation_id = (
        await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    )["id"]
    ann, ann_too, ben = await connect(ANN), await connect(ANN), await connect(BEN)
    for connection in (ann, ann_too, ben):
        connection.take()
    await chat.typing(ANN, ann, conversation_id)
    (told,) = ben.take()
    assert (told["conversation_id"], told["user_public_id"]) == (conversation_id, "1")
    assert ann.take() == ann_too.take() == []
    assert user_room("1") in ann.rooms
    assert await database["chat_messages"].count_documents({}) == 0

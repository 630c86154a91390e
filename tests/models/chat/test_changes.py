"""How a client that was away learns of changes to old messages."""

import asyncio
from datetime import timedelta

from models.chat.changes import WRITING
from tests.chat_world import ANN, BEN, CHANNEL, chat_on, person

TEXT = {"content": "hello", "message_type": "text"}


async def announce(database, number, seq, at):
    """Leave what a process does that dies, or waits, between announcing a change and making it."""
    await database["chat_changes"].insert_one(
        {
            "_id": f"{CHANNEL}:{number:010d}",
            "conversation_id": CHANNEL,
            "number": number,
            "seq": seq,
            "at": at,
        }
    )


async def test_changes_after_a_revision(chat):
    """Each message changed since is given once, as it is now; new ones are not among them."""
    sent = [await chat.messages.send(ANN, CHANNEL, **TEXT) for _ in range(4)]
    await chat.messages.edit(ANN, sent[0]["id"], content="one")
    known = (await chat.reading.history(BEN, CHANNEL, limit=4))["revision"]
    await chat.messages.edit(ANN, sent[2]["id"], content="three")
    await chat.reactions.react(BEN, sent[2]["id"], emoji="👍")
    await chat.messages.delete(ANN, sent[1]["id"])
    await chat.messages.send(ANN, CHANNEL, **TEXT)
    page = await chat.reading.changed(BEN, CHANNEL, after=known, limit=10)
    now = {m["id"]: m for m in (await chat.reading.history(BEN, CHANNEL, limit=9))["items"]}
    assert page == {
        "messages": [now[sent[1]["id"]], now[sent[2]["id"]]],
        "revision": 4,
        "more": False,
    }
    again = await chat.reading.changed(BEN, CHANNEL, after=4, limit=10)
    assert again == {"messages": [], "revision": 4, "more": False}


async def test_changes_come_in_pages(chat):
    """With more changes than the limit one goes on from the revision given, and misses none."""
    sent = [await chat.messages.send(ANN, CHANNEL, **TEXT) for _ in range(7)]
    for message in sent:
        await chat.messages.edit(ANN, message["id"], content="new")
    seen, after, more = [], 0, True
    while more:
        page = await chat.reading.changed(BEN, CHANNEL, after=after, limit=3)
        seen += [message["id"] for message in page["messages"]]
        after, more = page["revision"], page["more"]
    assert seen == [message["id"] for message in sent]
    assert after == 7


async def test_two_processes_change_the_same_message(chat, hall, clock, database):
    """Reactions of 20 accounts through two processes at once all stay, each with its number."""
    second = chat_on(database, hall, clock)
    sent = await chat.messages.send(ANN, CHANNEL, **TEXT)
    await asyncio.gather(
        *(
            (chat, second)[n % 2].reactions.react(person(n), sent["id"], emoji="👍")
            for n in range(10, 30)
        )
    )
    message = await chat.messages.get(ANN, sent["id"])
    assert len(message["reactions"][0]["user_ids"]) == 20
    told = hall.take("message_reacted")
    assert len({data["revision"] for data in told}) == 20
    page = await chat.reading.changed(BEN, CHANNEL, after=0, limit=100)
    assert page["messages"] == [message]
    assert page["revision"] >= max(data["revision"] for data in told)


async def test_a_reader_waits_for_a_change_that_is_under_way(chat, database, clock):
    """A change announced and not made yet is not passed over: the cursor stays before it."""
    first, second = [await chat.messages.send(ANN, CHANNEL, **TEXT) for _ in range(2)]
    await announce(database, 1, 1, clock())
    await announce(database, 2, 2, clock())
    await database["chat_messages"].update_one(
        {"_id": second["id"]}, {"$set": {"content": "new", "revision": 2}}
    )
    waiting = await chat.reading.changed(BEN, CHANNEL, after=0, limit=10)
    assert waiting == {"messages": [], "revision": 0, "more": False}
    assert (await chat.reading.history(BEN, CHANNEL, limit=5))["revision"] == 0
    await database["chat_messages"].update_one(
        {"_id": first["id"]}, {"$set": {"content": "late", "revision": 1}}
    )
    page = await chat.reading.changed(BEN, CHANNEL, after=0, limit=10)
    assert [m["content"] for m in page["messages"]] == ["late", "new"]
    assert page["revision"] == 2


async def test_a_change_whose_writer_died_holds_nobody_up(chat, database, clock):
    """After a while the announced change is passed, and the next one gets the next number."""
    sent = await chat.messages.send(ANN, CHANNEL, **TEXT)
    await announce(database, 1, 1, clock())
    clock.move(WRITING + timedelta(milliseconds=1))
    page = await chat.reading.changed(BEN, CHANNEL, after=0, limit=10)
    assert page == {"messages": [sent], "revision": 1, "more": False}
    edited = await chat.messages.edit(ANN, sent["id"], content="new")
    assert edited["revision"] == 2
    page = await chat.reading.changed(BEN, CHANNEL, after=1, limit=10)
    assert page == {"messages": [edited], "revision": 2, "more": False}


async def test_an_earlier_number_never_changes_after_a_later_one(chat, database, clock):
    """A change that comes after a later one takes a new number, so no cursor has passed it."""
    sent = await chat.messages.send(ANN, CHANNEL, **TEXT)
    await announce(database, 1, 1, clock())
    await announce(database, 2, 1, clock())
    await database["chat_messages"].update_one({"_id": sent["id"]}, {"$set": {"revision": 5}})
    edited = await chat.messages.edit(ANN, sent["id"], content="new")
    assert edited["revision"] == 6
    page = await chat.reading.changed(BEN, CHANNEL, after=5, limit=10)
    assert page["messages"] == [edited]

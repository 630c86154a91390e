"""Numbers without gaps, and messages stored once, whoever sends at the same time or dies."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from app.storage import open_store
from models.errors import Invalid
from tests.chat_world import ANN, BEN, CHANNEL, chat_on, open_channel, person

ROOT = Path(__file__).parents[3]
TEXT = {"content": "hello", "message_type": "text"}


async def stored(database, conversation_id=CHANNEL):
    found = await database["chat_messages"].find({"conversation_id": conversation_id}).to_list(None)
    return sorted(found, key=lambda message: message["seq"])


def seqs(messages):
    return [message["seq"] for message in messages]


async def test_fifty_senders_at_once(chat, join, database):
    """50 messages at once get 1 to 50, and every connection hears them in that order."""
    listeners = [await join(who) for who in (ANN, BEN, ANN)]
    answers = await asyncio.gather(
        *(chat.messages.send(person(n + 10), CHANNEL, **TEXT) for n in range(50))
    )
    assert sorted(seqs(answers)) == [*range(1, 51)]
    for listener in listeners:
        assert seqs(listener.take("new_message")) == [*range(1, 51)]
    assert seqs(await stored(database)) == [*range(1, 51)]


async def test_two_processes_at_once(settings, chat, hall, clock, database):
    """Two processes on one store number 60 messages without a gap, none twice, none lost."""
    second_store = await open_store(settings)
    second = chat_on(second_store.database, hall, clock)
    answers = await asyncio.gather(
        *(
            (chat, second)[n % 2].messages.send(ANN, CHANNEL, content=str(n), message_type="text")
            for n in range(60)
        )
    )
    await second_store.close()
    kept = await stored(database)
    assert seqs(kept) == [*range(1, 61)]
    assert {message["content"] for message in kept} == {str(n) for n in range(60)}
    assert {(a["seq"], a["content"]) for a in answers} == {(m["seq"], m["content"]) for m in kept}


@pytest.mark.skipif("os.environ.get('MONGODB_URI')", reason="about files; MONGODB_URI is set")
async def test_a_process_killed_while_sending(settings, database, chat):
    """After SIGKILL in mid-sending every acknowledged message is there, and numbers go on."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.models.chat.sender",
        str(settings.data_dir),
        settings.mongodb_database,
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    acknowledged = []
    writer.stdin.write(b"\n\n\n")
    for _ in range(40):
        writer.stdin.write(b"\n")
        acknowledged.append(int(await writer.stdout.readline()))
        await chat.messages.send(BEN, CHANNEL, **TEXT)
    writer.stdin.write(b"\n" * 1_000)
    acknowledged.append(int(await writer.stdout.readline()))
    writer.kill()
    rest = await writer.stdout.read()
    await writer.wait()
    acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    last = await chat.messages.send(BEN, CHANNEL, **TEXT)
    kept = await stored(database)
    assert seqs(kept) == [*range(1, last["seq"] + 1)]
    assert set(acknowledged) <= {m["seq"] for m in kept if m["author"]["id"] == ANN.account_id}


async def test_sent_again_it_is_the_same_message(chat, join, clock):
    """A retry gives the first answer, also to another process, and is told and stored once."""
    listener = await join(BEN)
    first = await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x")
    clock.moment = clock.moment.replace(hour=13)
    again = await asyncio.gather(
        *(chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x") for _ in range(10))
    )
    assert again == [first] * 10
    assert [heard["id"] for heard in listener.take("new_message")] == [first["id"]]
    assert (await chat.reading.history(ANN, CHANNEL, limit=10))["seq"] == 1


async def test_racing_retries_in_two_processes(settings, chat, hall, clock, database):
    """One client_id sent 20 times at once to two processes is one message among others."""
    second_store = await open_store(settings)
    second = chat_on(second_store.database, hall, clock)
    answers = await asyncio.gather(
        *(
            (chat, second)[n % 2].messages.send(ANN, CHANNEL, **TEXT, client_id="x")
            for n in range(20)
        ),
        *((chat, second)[n % 2].messages.send(BEN, CHANNEL, **TEXT) for n in range(20)),
    )
    await second_store.close()
    assert len({answer["id"] for answer in answers[:20]}) == 1
    kept = await stored(database)
    assert seqs(kept) == [*range(1, 22)]
    assert [m["client_id"] for m in kept].count("x") == 1
    # What has a client_id is told in two parts: to others without it, to its maker with it.
    told = hall.take("new_message")
    assert len({message["id"] for message in told}) == 21
    assert [message["client_id"] for message in told].count("x") == 1
    assert len(told) == 22


async def test_client_ids_are_of_an_author_and_a_conversation(chat, hall):
    """The same client_id of another author, or elsewhere, is another message."""
    for name in ("other", f"{CHANNEL}:1"):
        await open_channel(chat, hall, name)
    sent = [
        await chat.messages.send(who, channel, **TEXT, client_id="x")
        for who in (ANN, BEN)
        for channel in (CHANNEL, "other", f"{CHANNEL}:1")
    ]
    assert len({message["id"] for message in sent}) == 6


@pytest.mark.parametrize(
    "other", [{"content": "bye"}, {"message_type": "image"}, {"reply_to": f"{CHANNEL}:0000000001"}]
)
async def test_a_client_id_with_other_content_is_refused(chat, hall, other):
    """What was sent under a client_id is not replaced and not silently given for something else."""
    await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x")
    hall.take()
    with pytest.raises(Invalid) as caught:
        await chat.messages.send(ANN, CHANNEL, **(TEXT | other), client_id="x")
    assert caught.value.code == "key_reused"
    assert hall.take() == []
    assert (await chat.reading.history(ANN, CHANNEL, limit=10))["seq"] == 1


@pytest.mark.parametrize("others", [0, 1, 3])
async def test_a_crash_after_the_key(chat, database, others):
    """When only the key was written, the retry stores the message once, after what came since."""
    await chat.messages.send(BEN, CHANNEL, **TEXT)
    await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x")
    # What a process leaves that dies between its two writes: the key, and no message.
    await database["chat_messages"].delete_one({"_id": f"{CHANNEL}:0000000002"})
    await database["conversations"].update_one({"_id": CHANNEL}, {"$set": {"last_seq": 1}})
    for _ in range(others):
        await chat.messages.send(BEN, CHANNEL, **TEXT)
    retried = await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x")
    assert retried["seq"] == 2 + others
    assert await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x") == retried
    kept = await stored(database)
    assert seqs(kept) == [*range(1, 3 + others)]
    assert [message["client_id"] for message in kept].count("x") == 1


async def test_a_crash_after_the_message(chat, database):
    """When the message was stored and not counted, it is read, and the next one follows it."""
    await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x")
    await database["conversations"].update_one({"_id": CHANNEL}, {"$set": {"last_seq": 0}})
    assert (await chat.reading.history(BEN, CHANNEL, limit=10))["seq"] == 1
    assert (await chat.messages.send(ANN, CHANNEL, **TEXT, client_id="x"))["seq"] == 1
    assert (await chat.messages.send(BEN, CHANNEL, **TEXT))["seq"] == 2
    assert seqs(await stored(database)) == [1, 2]

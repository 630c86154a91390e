"""Bytes of uploads: what counts, for whom, and when they are given back."""

import asyncio
from datetime import timedelta

import pytest

from models.chat.attachments import ABANDONED
from models.chat.usage import Quotas
from models.errors import Conflict, TooManyRequests
from tests.chat_world import ANN, BEN, CHANNEL, Hall, chat_on, open_channel
from tests.models.diary.dying import Died, Dying
from tests.pictures import png

PICTURE = {"content": "", "message_type": "image"}
SIZE = 1_000
OTHER = "other"
LONG_AFTER = timedelta(hours=3)


@pytest.fixture
async def small(database, hall, clock):
    """Chat with room for five files of an account, eight of a conversation, on this database.

    The channels `CHANNEL` and `OTHER` exist, without members.
    """
    for channel in (CHANNEL, OTHER):
        await open_channel(chat_on(database, hall, clock), hall, channel)

    def small(on=database, **changes):
        quotas = {"upload_quotas": Quotas(5 * SIZE, 8 * SIZE), "uploads_per_account": 100}
        return chat_on(on, hall, clock, **(quotas | changes))

    return small


async def upload(chat, who=ANN, where=CHANNEL, content=None):
    async def parts():
        yield content or png(SIZE)

    return await chat.attachments.upload(who, where, filename="a.png", content=parts())


async def send(chat, stored, who=ANN, where=CHANNEL):
    return await chat.messages.send(who, where, **PICTURE, attachments=[stored["id"]])


async def counted(database):
    """Return the counters without those of nothing; no change of one is under way."""
    counters = await database["upload_usage"].find({}).to_list(None)
    assert [counter for counter in counters if counter["pending"] or counter["open"]] == []
    return {counter["_id"]: counter["bytes"] for counter in counters if counter["bytes"]}


async def stored(database):
    """Return what the counters should say, by the files that are there."""
    found = {}
    for file in await database["uploads.files"].find({}).to_list(None):
        metadata = file["metadata"]
        assert metadata["complete"]
        for key in (
            f"account|{metadata['uploader_id']}",
            f"conversation|{metadata['conversation_id']}",
        ):
            found[key] = found.get(key, 0) + file["length"]
    return found


async def refused(*arguments, **options):
    with pytest.raises(Conflict) as caught:
        await upload(*arguments, **options)
    assert caught.value.code == "upload_quota_exceeded"
    return caught.value.message


async def test_quotas(small, database):
    """An account, and a conversation, have so many bytes of uploads; other ones have their own."""
    chat = small()
    for _ in range(5):
        await upload(chat)
    assert "Your uploads" in await refused(chat)
    assert "Your uploads" in await refused(chat, where=OTHER)
    for _ in range(3):
        await upload(chat, BEN)
    assert "this conversation" in await refused(chat, BEN)
    await upload(chat, BEN, OTHER)
    assert await counted(database) == await stored(database)


async def test_what_counts_is_what_is_kept(small, database):
    """A file counts with what is left of it, to the last byte of the quota."""
    chat = small(upload_quotas=Quotas(3 * SIZE, 8 * SIZE))
    await upload(chat, content=png(2 * SIZE) + bytes(50_000))
    assert (await counted(database))["account|1"] == 2 * SIZE
    await refused(chat, content=png(SIZE + 1))
    await upload(chat, content=png(SIZE))
    await refused(chat, content=png(67))


async def test_full_before_anything_is_sent(small):
    """Without any room left not a byte is received."""
    chat = small(upload_quotas=Quotas(SIZE, SIZE))
    await upload(chat)

    async def parts():
        pytest.fail("it was read")
        yield b""

    with pytest.raises(Conflict):
        await chat.attachments.upload(ANN, CHANNEL, filename="a", content=parts())


async def test_bytes_come_back(small, database, clock):
    """Deleting a message gives its bytes back, once; so does an upload that no message took."""
    chat = small()
    sent = [await send(chat, await upload(chat)) for _ in range(2)]
    for _ in range(3):
        await upload(chat)
    await refused(chat)
    await chat.messages.delete(ANN, sent[0]["id"])
    await chat.messages.delete(ANN, sent[0]["id"])
    await upload(chat)
    await refused(chat)
    clock.move(ABANDONED)
    await asyncio.gather(chat.sweep(), small().sweep(), small().sweep())
    assert await counted(database) == {"account|1": SIZE, f"conversation|{CHANNEL}": SIZE}
    await chat.messages.delete(ANN, sent[1]["id"])
    assert await counted(database) == {}


async def test_refused_files_do_not_count(small, database):
    """What is refused or breaks off counts nothing."""
    chat = small()

    async def broken():
        yield png(SIZE)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await chat.attachments.upload(ANN, CHANNEL, filename="a", content=broken())
    for _ in range(8):
        await upload(chat, BEN if _ % 2 else ANN)
    await refused(chat, BEN)
    assert await counted(database) == await stored(database)


async def test_many_at_once(small, database):
    """Uploads at the same time from several processes never pass a quota together."""
    processes = [small(), small()]
    results = await asyncio.gather(
        *(upload(processes[n % 2], BEN if n % 3 else ANN) for n in range(24)),
        return_exceptions=True,
    )
    # One that is refused by the conversation holds its account's bytes for a moment.
    assert 0 < sum(isinstance(result, dict) for result in results) <= 8
    assert {result.code for result in results if not isinstance(result, dict)} == {
        "upload_quota_exceeded"
    }
    assert await counted(database) == await stored(database)
    sent = [
        await send(processes[0], result, who)
        for n, result in enumerate(results)
        if isinstance(result, dict)
        for who in [BEN if n % 3 else ANN]
    ]
    await asyncio.gather(
        *(
            process.messages.delete(
                ANN if message["author_id"] == ANN.account_id else BEN, message["id"]
            )
            for message in sent
            for process in processes
        )
    )
    assert await counted(database) == await stored(database) == {}


@pytest.mark.parametrize("act", ["upload", "delete"])
async def test_processes_that_die(small, database, clock, act):
    """Wherever a process dies, the counters are right again after the next sweeps."""
    whole = small()
    for dies_after in range(1, 40):
        sent = await send(whole, await upload(whole))
        dying = small(Dying(database, Hall(), after=dies_after))
        try:
            if act == "upload":
                await upload(dying)
            else:
                await dying.messages.delete(ANN, sent["id"])
            died = False
        except Died:
            died = True
        clock.move(LONG_AFTER)
        await whole.sweep()
        assert await counted(database) == await stored(database), dies_after
        await whole.messages.delete(ANN, sent["id"])
        await whole.sweep()
        assert await counted(database) == {} == await stored(database), dies_after
        if not died:
            break
    assert not died
    assert dies_after > 4


async def test_first_uploads_at_once(small, database):
    """An account's first uploads, all at once, are within its quota: none is refused."""
    chat = small(upload_quotas=Quotas(30 * SIZE, 30 * SIZE))
    await asyncio.gather(*(upload(chat) for _ in range(30)))
    assert (await counted(database))["account|1"] == 30 * SIZE
    await refused(chat)


async def test_uploads_under_way(small, database):
    """An account may have so many uploads under way; another one does not wait for them."""
    chat = small(uploads_per_account=2)
    going_on = asyncio.Event()

    begun = asyncio.Semaphore(0)

    async def slow():
        begun.release()
        await going_on.wait()
        yield png(SIZE)

    def begin(who):
        uploading = chat.attachments.upload(who, CHANNEL, filename="a", content=slow())
        return asyncio.create_task(uploading)

    first, second = begin(ANN), begin(ANN)
    for _ in range(2):
        begins = asyncio.create_task(begun.acquire())
        # A refused upload never begins to receive: fail at once instead of waiting for it.
        await asyncio.wait({begins, first, second}, return_when=asyncio.FIRST_COMPLETED)
        assert begins.done(), [each for each in (first, second) if each.done()]
    with pytest.raises(TooManyRequests) as caught:
        await upload(chat)
    assert (caught.value.code, caught.value.retry_after_s) == ("too_many_uploads", 1.0)
    await upload(chat, BEN)
    second.cancel()
    await asyncio.wait([second])
    third = begin(ANN)
    going_on.set()
    assert {(await first)["size"], (await third)["size"]} == {SIZE}
    await upload(chat)
    assert await counted(database) == await stored(database)

"""Files for messages: what is taken, who may see it, what is left of it."""

import asyncio
from datetime import timedelta

import pytest

from models.chat.attachments import ABANDONED
from models.errors import Conflict, Invalid, NotFound
from models.files import CHUNK_BYTES, TooLarge
from tests.chat_world import ANN, BEN, CHANNEL, EVE, open_channel
from tests.pictures import GIF, PNG, WAV, png

PICTURE = {"content": "", "message_type": "image"}


async def parts(*content):
    for part in content:
        yield part


async def upload(chat, content=PNG, who=ANN, where=CHANNEL, filename="a.png"):
    return await chat.attachments.upload(who, where, filename=filename, content=parts(content))


async def read(chat, upload_id, first=0, last=None, who=ANN):
    file = await chat.attachments.find(who, upload_id)
    last = file["length"] - 1 if last is None else last
    return b"".join([part async for part in chat.attachments.read(file, first, last)])


async def left(database):
    names = ("uploads.files", "uploads.chunks")
    return [await database[name].count_documents({}) for name in names]


@pytest.mark.parametrize("size", [67, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
async def test_what_is_read_is_what_was_sent(chat, size):
    """A file comes back byte for byte, whole and in any part, over the borders of its chunks."""
    content = png(size)
    stored = await upload(chat, content)
    assert stored == {
        "id": stored["id"],
        "name": "a.png",
        "content_type": "image/png",
        "size": size,
    }
    assert await read(chat, stored["id"]) == content
    for first, last in ((0, 0), (size - 1, size - 1), (3, size - 2), (size // 2, size // 2 + 3)):
        assert await read(chat, stored["id"], first, last) == content[first : last + 1]


async def test_the_first_bytes_may_come_one_by_one(chat):
    """How a client cuts its upload into pieces changes nothing."""
    content = png(200)
    pieces = parts(*(content[n : n + 1] for n in range(len(content))))
    stored = await chat.attachments.upload(ANN, CHANNEL, filename="", content=pieces)
    assert (stored["content_type"], stored["name"]) == ("image/png", "file")
    assert await read(chat, stored["id"]) == content


async def test_too_large_or_of_no_kind_leaves_nothing(chat, database):
    """A file that is refused leaves no chunk behind, and neither does one that breaks off."""

    async def broken():
        yield PNG + b"x" * CHUNK_BYTES
        raise ConnectionError

    with pytest.raises(TooLarge):
        await upload(chat, PNG + b"x" * 1_000_000)
    with pytest.raises(Invalid) as caught:
        await upload(chat, b"<html><script>alert(1)</script>", filename="a.png")
    assert caught.value.code == "media_type_refused"
    with pytest.raises(ConnectionError):
        await chat.attachments.upload(ANN, CHANNEL, filename="a", content=broken())
    assert await left(database) == [0, 0]
    assert (await upload(chat, png(1_000_000)))["size"] == 1_000_000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.png", "a.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"),
        ("ảnh 🎉.png", "ảnh 🎉.png"),
        ("x" * 999, "x" * 255),
        ("\0", "file"),
        ("\u0645\u06cc\u200c\u0631\u0648\u0645.pdf", "\u0645\u06cc\u200c\u0631\u0648\u0645.pdf"),
        ("\u0915\u094d\u200d\u0937.png", "\u0915\u094d\u200d\u0937.png"),
        ("👩\u200d👧 ❤\ufe0f.png", "👩\u200d👧 ❤\ufe0f.png"),
        ("Screenshot 9.41\u202fPM.png", "Screenshot 9.41 PM.png"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("\u2067a\u2069.png", "a.png"),
        ("\u200d\u200c", "file"),
        ("\u200d \u3164\u200c", "file"),
        ("x" * 254 + "\u200dy", "x" * 254),
    ],
)
async def test_names_are_harmless(chat, sent, kept):
    """Of a name stays what is printable and no path, joiners included."""
    assert (await upload(chat, filename=sent))["name"] == kept


async def test_a_message_takes_uploads(chat, join):
    """A message with uploads shows them, live and in history, and each is taken once."""
    listener = await join(BEN)
    uploads = [await upload(chat), await upload(chat, GIF, filename="b.gif")]
    ids = [stored["id"] for stored in uploads]
    sent = await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=ids)
    assert sent["attachments"] == uploads
    assert listener.take("new_message") == [sent]
    with pytest.raises(Conflict) as caught:
        await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=ids[:1])
    assert caught.value.code == "attachment_used"


async def test_a_refused_message_takes_none_of_its_uploads(chat):
    """When one upload is taken already, the others can still be sent."""
    used, fresh = (await upload(chat))["id"], (await upload(chat))["id"]
    await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[used])
    with pytest.raises(Conflict):
        await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[fresh, used])
    sent = await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[fresh])
    assert sent["seq"] == 2


async def test_a_retry_takes_its_own_uploads(chat, database):
    """A message whose process died after taking the uploads is sent with them by the retry."""
    stored = await upload(chat)
    message = {**PICTURE, "attachments": [stored["id"]], "client_id": "x"}
    first = await chat.messages.send(ANN, CHANNEL, **message)
    await database["chat_messages"].delete_one({"_id": first["id"]})
    await database["chat_sends"].delete_many({})
    await database["conversations"].update_one({"_id": CHANNEL}, {"$set": {"last_seq": 0}})
    assert await chat.messages.send(ANN, CHANNEL, **message) == first
    assert await chat.messages.send(ANN, CHANNEL, **message) == first


@pytest.mark.parametrize("case", ["unknown", "another's", "elsewhere", "of another type"])
async def test_uploads_that_do_not_fit(chat, hall, case):
    """A message takes uploads of its author, its conversation and its type only."""
    await open_channel(chat, hall, "other")
    other_type = WAV if case == "of another type" else PNG
    stored = await upload(
        chat,
        other_type,
        who=BEN if case == "another's" else ANN,
        where="other" if case == "elsewhere" else CHANNEL,
    )
    wanted = "0" * 32 if case == "unknown" else stored["id"]
    with pytest.raises(Invalid) as caught:
        await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[wanted])
    assert set(caught.value.fields) == {"attachments"}
    assert (await chat.reading.history(ANN, CHANNEL, limit=5))["seq"] == 0


async def test_readers_of_the_conversation_see_it(chat):
    """Whoever may read the conversation may see the file; to others it is not there."""
    conversation = await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    stored = await upload(chat, where=conversation["id"])
    assert await read(chat, stored["id"], who=BEN) == PNG
    for who, upload_id in ((EVE, stored["id"]), (ANN, "0" * 32), (ANN, "")):
        with pytest.raises(NotFound) as caught:
            await chat.attachments.find(who, upload_id)
        assert caught.value.code == "upload_not_found"
    with pytest.raises(NotFound):
        await upload(chat, who=EVE, where=conversation["id"])


async def test_a_deleted_message_has_no_files(chat, database):
    """With the message its files are gone from the database."""
    stored = await upload(chat)
    sent = await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[stored["id"]])
    gone = await chat.messages.delete(ANN, sent["id"])
    assert gone["attachments"] == []
    with pytest.raises(NotFound):
        await chat.attachments.find(ANN, stored["id"])
    assert await left(database) == [0, 0]


async def test_abandoned_uploads_are_removed(chat, database, clock):
    """An upload that no message took is gone after an hour; one that a message has stays."""
    sent, abandoned = await upload(chat), await upload(chat)
    await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[sent["id"]])
    clock.move(ABANDONED - timedelta(milliseconds=1))
    await chat.sweep()
    assert await left(database) == [2, 2]
    clock.move(timedelta(milliseconds=1))
    await chat.sweep()
    assert await left(database) == [1, 1]
    assert await read(chat, sent["id"]) == PNG
    with pytest.raises(NotFound):
        await chat.attachments.find(ANN, abandoned["id"])


async def test_one_upload_for_two_messages_at_once(chat):
    """Of messages racing for an upload one has it, and no other is written."""
    stored = await upload(chat)
    results = await asyncio.gather(
        *(
            chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=[stored["id"]])
            for _ in range(10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 9
    assert (await chat.reading.history(ANN, CHANNEL, limit=5))["seq"] == 1

"""Files for messages: what is taken, who may see it, what is left of it."""

import asyncio
from datetime import timedelta

import pytest

from models.chat.attachments import ABANDONED
from models.chat.media import media_type
from models.errors import Conflict, Invalid, NotFound
from models.files import CHUNK_BYTES, TooLarge
from tests.chat_world import ANN, BEN, CHANNEL, EVE

PNG = b"\x89PNG\r\n\x1a\n"
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


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (PNG, "image/png"),
        (b"GIF89a", "image/gif"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypheic", None),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", None),
        (b"OggS\0\x02", "audio/ogg"),
        (b"ID3\x04\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xfb\xf0\x64", None),
        (b"\xff\xfe<\0h\0t\0m\0l\0", None),
        (b"<html><script>", None),
        (b"<svg xmlns=", None),
        (b"%PDF-1.7", None),
        (b"MZ\x90\0", None),
        (b"", None),
        (b"\x89PN", None),
    ],
)
def test_the_bytes_say_what_it_is(head, expected):
    """Types that browsers show as pictures, sound or film are known by their bytes, no other is."""
    assert media_type(head) == expected


@pytest.mark.parametrize("size", [8, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
async def test_what_is_read_is_what_was_sent(chat, size):
    """A file comes back byte for byte, whole and in any part, over the borders of its chunks."""
    content = PNG + bytes(n * 7 % 251 for n in range(size - len(PNG)))
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
    content = PNG + b"x" * 100
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
    assert (await upload(chat, PNG + b"x" * (1_000_000 - len(PNG))))["size"] == 1_000_000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.png", "a.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"),
        ("ảnh 🎉.png", "ảnh 🎉.png"),
        ("x" * 999, "x" * 255),
        ("\0", "file"),
    ],
)
async def test_names_are_harmless(chat, sent, kept):
    """Of a name stays what is printable and no path."""
    assert (await upload(chat, filename=sent))["name"] == kept


async def test_a_message_takes_uploads(chat, join):
    """A message with uploads shows them, live and in history, and each is taken once."""
    listener = await join(BEN)
    uploads = [await upload(chat), await upload(chat, b"GIF89a", filename="b.gif")]
    ids = [stored["id"] for stored in uploads]
    sent = await chat.messages.send(ANN, CHANNEL, **PICTURE, attachments=ids)
    assert sent["attachments"] == uploads
    assert listener.take() == [sent]
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
async def test_uploads_that_do_not_fit(chat, case):
    """A message takes uploads of its author, its conversation and its type only."""
    other_type = b"ID3\x04" if case == "of another type" else PNG
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
    """An upload that no message took is gone after a day; one that a message has stays."""
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

"""Uploads over HTTP: forms in, files and parts of them out."""

import asyncio
import time
from hashlib import sha256
from io import BytesIO

import pytest
from aiohttp import FormData

from models.chat.usage import Quotas
from models.files import CHUNK_BYTES
from tests import media_files
from tests.media_files import SECRET
from tests.pictures import PNG, chunk, png

ANN, BEN, EVE = "1", "2", "9"
SIZE = 2 * CHUNK_BYTES + 8
PICTURE = png(SIZE)


def form(content=PICTURE, name="a.png", **fields):
    made = FormData(quote_fields=False)  # names as browsers write them
    for field, value in (fields or {"channel_id": "general"}).items():
        made.add_field(field, value)
    made.add_field("file", content, filename=name, content_type="text/html")
    return made


async def upload(call, **options):
    status, stored = await call(ANN, "POST", "/uploads", data=form(**options))
    assert status == 201
    return f"/api/v1/uploads/{stored['id']}"


@pytest.fixture
def get(client):
    async def get(path, who=ANN, method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        async with client.request(
            method, path, headers={"Authorization": f"Bearer {who}"} | headers
        ) as response:
            return response.status, response.headers, await response.read()

    return get


async def test_what_was_uploaded_comes_back(call, get):
    """A file is served whole, as what its bytes say it is, and as nothing a browser would run."""
    path = await upload(call, name="ảnh đẹp.png")
    status, headers, body = await get(path)
    assert (status, body) == (200, PICTURE)
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(SIZE)
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cache-Control"] == "private, no-cache"
    disposition = headers["Content-Disposition"]
    assert disposition == "inline; filename*=UTF-8''%E1%BA%A3nh%20%C4%91%E1%BA%B9p.png"
    status, headed, nothing = await get(path, method="HEAD")
    assert (status, nothing) == (200, b"")
    assert headed["Content-Length"] == str(SIZE)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        (f"bytes={CHUNK_BYTES - 2}-{CHUNK_BYTES + 2}", CHUNK_BYTES - 2, CHUNK_BYTES + 2),
        ("bytes=5-", 5, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=7-{SIZE * 9}", 7, SIZE - 1),
    ],
)
async def test_a_part(call, get, asked, first, last):
    """A range gives exactly its bytes with 206 and says which they are."""
    status, headers, body = await get(await upload(call), Range=asked)
    assert (status, body) == (206, PICTURE[first : last + 1])
    assert headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "x"])
async def test_ranges_that_may_be_ignored(call, get, asked):
    """What is no single range of bytes gets the whole file."""
    status, headers, body = await get(await upload(call), Range=asked)
    assert (status, body) == (200, PICTURE)
    assert "Content-Range" not in headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=999999999-", "bytes=-0"])
async def test_a_range_behind_the_end(call, get, asked):
    """416 says how long the file is."""
    status, headers, body = await get(await upload(call), Range=asked)
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{SIZE}"


async def test_a_copy_that_is_still_good(call, get):
    """The ETag saves sending again, and keeps parts of two versions apart."""
    path = await upload(call)
    etag = (await get(path))[1]["ETag"]
    status, headers, body = await get(path, If_None_Match=etag)
    assert (status, body, headers["ETag"]) == (304, b"", etag)
    assert (await get(path, If_None_Match='"other"'))[0] == 200
    assert (await get(path, Range="bytes=0-9", If_Range=etag))[0] == 206
    assert (await get(path, Range="bytes=0-9", If_Range='"other"'))[0] == 200


async def test_readers_only(call, get):
    """A file of a conversation is for its members; others get 404, and may not upload to it."""
    _, conversation = await call(ANN, "POST", "/conversations", json={"participants": ["2"]})
    path = await upload(call, conversation_id=conversation["id"])
    assert (await get(path, who=BEN))[0] == 200
    assert (await get(path, who=EVE))[0] == 404
    status, _ = await call(EVE, "POST", "/uploads", data=form(channel_id=conversation["id"]))
    assert status == 404


VOICES = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@pytest.mark.parametrize(
    ("name", "make", "content_type"),
    [
        ("photo.jpg", media_files.jpeg, "image/jpeg"),
        ("photo.heic", media_files.heic, "image/heic"),
        ("photo.avif", media_files.avif, "image/avif"),
        ("scan.tiff", media_files.tiff, "image/tiff"),
        ("drawing.bmp", media_files.bmp, "image/bmp"),
        ("voice.webm", lambda: media_files.av_file("webm", None, "libopus"), "audio/webm"),
        ("voice.m4a", lambda: media_files.av_file("mp4", None, "aac", **VOICES), "audio/mp4"),
        ("film.3gp", lambda: media_files.av_file("3gp", "h263", "aac"), "video/3gpp"),
        ("film.mkv", lambda: media_files.av_file("matroska", "libx264", "flac"), "video/matroska"),
        ("sound.aac", lambda: media_files.av_file("adts", None, "aac"), "audio/aac"),
        ("sound.flac", lambda: media_files.av_file("flac", None, "flac"), "audio/flac"),
    ],
)
async def test_what_phones_and_browsers_make(call, get, name, make, content_type):
    """A file goes through the door without its metadata: size, ETag and type are of what is kept,
    and it can be sent as a message of its kind."""
    status, stored = await call(ANN, "POST", "/uploads", data=form(make(), name))
    assert (status, stored["content_type"], stored["name"]) == (201, content_type, name)
    status, headers, body = await get(f"/api/v1/uploads/{stored['id']}")
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert SECRET not in body
    assert stored["size"] == len(body) == int(headers["Content-Length"])
    assert headers["ETag"] == f'"{sha256(body).hexdigest()}"'
    show = media_files.shown if content_type.startswith("image/") else media_files.frames
    assert show(body) == show(make())
    message = {
        "content": "",
        "message_type": content_type.partition("/")[0],
        "attachments": [stored["id"]],
    }
    status, sent = await call(ANN, "POST", "/conversations/general/messages", json=message)
    assert (status, sent["attachments"]) == (201, [stored])


async def test_the_conversation_may_stand_in_the_query(call):
    """A form with the file alone says in the URL where it belongs."""
    made = FormData()
    made.add_field("file", BytesIO(PNG), filename="a.png")
    status, stored = await call(ANN, "POST", "/uploads?conversation_id=general", data=made)
    assert (status, stored["size"]) == (201, len(PNG))


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<html><script>alert(1)</script>", 422, "media_type_refused"),
        (b"", 422, "media_type_refused"),
        (PNG[:-1], 422, "media_unreadable"),
        (b"\0\0\0\x18ftypheic", 422, "media_unreadable"),
        (PNG + b"x" * 1_000_000, 413, "request_too_large"),
    ],
)
async def test_files_that_are_refused(call, database, content, status, code):
    """Other types and too many bytes are refused, and nothing is kept of them."""
    answer = await call(ANN, "POST", "/uploads", data=form(content))
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert await database["uploads.chunks"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({}, None, 415),
        ({"Content-Type": "multipart/form-data"}, b"x", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"no boundary here", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\n\r\n", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 422),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\ngeneral\r\n--b--\r\n',
            422,
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n'
            + b"x" * 500
            + b"\r\n--b--\r\n",
            422,
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
            422,
        ),
    ],
)
async def test_forms_that_are_none(call, headers, data, status):
    """What is not a form with a file and its conversation is refused as the client's mistake."""
    assert (await call(ANN, "POST", "/uploads", headers=headers, data=BytesIO(data)))[0] == status


async def test_quotas_at_the_door(client, call, chat):
    """409 and 429 say what is full, and when to come again."""
    chat.attachments._usage._quotas = Quotas(SIZE, SIZE)
    await upload(call)
    status, problem = await call(ANN, "POST", "/uploads", data=form(PNG))
    assert (status, problem["code"]) == (409, "upload_quota_exceeded")
    chat.attachments._per_account = 0
    headers = {"Authorization": f"Bearer {ANN}"}
    async with client.post("/api/v1/uploads", data=form(PNG), headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await response.json())["code"] == "too_many_uploads"


EXTENDED = b"Content-Disposition: form-data; name=file; filename*=UTF-8''"
HEAD = b'--b\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\ngeneral\r\n'


def written(*headers, content=PNG, end=b"\r\n--b--\r\n"):
    """Write a form with a file; `headers` stand in the place of the usual ones."""
    usual = b'Content-Disposition: form-data; name="file"; filename="a.png"'
    return HEAD + b"--b\r\n" + b"\r\n".join(headers or [usual]) + b"\r\n\r\n" + content + end


def named(name):
    return b'Content-Disposition: form-data; name="file"; filename="' + name + b'"'


@pytest.fixture
def send(call):
    """Upload bytes; returns status, answer, and the longest turn of the event loop in seconds."""

    async def send(data, boundary="b"):
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        sending = asyncio.create_task(
            call(ANN, "POST", "/uploads", headers=headers, data=BytesIO(data))
        )
        longest = 0.0
        while not sending.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
        return *await sending, longest

    return send


MEGABYTES = 5_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n" * (MEGABYTES // 2) + written(),
        b"\n" * MEGABYTES + written(),
        b"-" * MEGABYTES + written(),
        b"--b" * (MEGABYTES // 3) + written(),
        b"\r\n--a" * (MEGABYTES // 5) + written(),
        written(*[b"X-A: b"] * 20_000, named(b"a.png")),
        written(b"X-A: " + b"a" * 2 * MEGABYTES, named(b"a.png")),
        written(b"a" * MEGABYTES, named(b"a.png")),
        written(named(b"a" * MEGABYTES)),
        written(named(b"a.png"), *[b" folded"] * 20_000),
        b"".join([HEAD] * 20_000) + written(),
        HEAD + b"--b--\r\n" + b"x" * MEGABYTES,
    ],
    ids=range(12),
)
async def test_forms_that_would_take_long(send, data, database):
    """What surrounds a file is bounded, and nobody waits for it to be looked at."""
    status, problem, longest = await send(data)
    assert status in (400, 422)
    assert problem["code"] in ("unreadable", "invalid")
    assert longest < 0.5
    assert await database["uploads.files"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (written(named(b"a\0.png")), 400),
        (written(named(b"a\x01.png")), 400),
        (written(named(b"a\x7f.png")), 400),
        (written(named(b"a\xc2\x85.png")), 400),
        (written(named(b"a%0D%0A.png")), 400),
        (written(EXTENDED + b"a%00"), 400),
        (written(named(b"\xff.png")), 400),
        (written(b"X-A: \0", named(b"a.png")), 400),
        (written(b"no header"), 400),
        (written(b"X-A: b"), 400),
        (written(b'Content-Disposition: attachment; name="file"'), 400),
        (written(named(b"a.png"), b"Content-Type: multipart/mixed; boundary=c"), 400),
        (written(named(b"a.png"), b"Content-Transfer-Encoding: base64"), 415),
        (written(named(b"a.png"), b"Content-Encoding: gzip"), 415),
        (written(named(b"a.png"), b"Content-Length: 1"), 400),
        (written(end=b""), 400),
        (written(end=b"\r\n--b"), 400),
        (b"x" + written(), 400),
        (b"", 400),
        (b'--b\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n\xff\r\n--b--', 400),
        # A note for readers of mail, other transfer codings that change nothing, and an epilogue.
        (b"This is a form.\r\n" + written() + b"\r\nThe end.", 201),
        (written(named(b"a.png"), b"Content-Transfer-Encoding: binary"), 201),
        (written(named(b"a.png") + b'; a="b' * 300), 201),
        (
            written(EXTENDED + b"%E1%BA%A3.png"),
            201,
        ),
    ],
)
async def test_what_a_form_may_hold(send, data, status, database):
    """Control characters, parts of parts and encoded parts are refused; rare but fair forms go."""
    answered, stored, _ = await send(data)
    assert answered == status
    assert await database["uploads.files"].count_documents({}) == (status == 201)
    if status == 201:
        assert stored["name"] in ("a.png", "\u1ea3.png")


@pytest.mark.parametrize(
    ("boundary", "status"),
    [
        ("b", 201),
        ('"b"', 201),
        ("c", 400),
        ("", 400),
        ('"b "', 400),
        ("b" * 71, 400),
        ('"\\n"', 400),
    ],
)
async def test_boundaries(send, boundary, status):
    """A boundary is one that RFC 2046 allows, and the one of the form."""
    assert (await send(written(), boundary))[0] == status


async def test_a_form_that_comes_byte_by_byte(client):
    """How a form is cut into pieces on its way makes no difference."""

    content = PNG[:-12] + chunk(b"IDAT", b"\r\n--\r\n-b") + PNG[-12:]

    async def pieces():
        for byte in written(content=content):
            yield bytes([byte])

    headers = {"Authorization": f"Bearer {ANN}", "Content-Type": "multipart/form-data; boundary=b"}
    async with client.post("/api/v1/uploads", data=pieces(), headers=headers) as response:
        assert (await response.json())["size"] == len(content)


async def test_a_form_that_takes_too_long(client, database, monkeypatch):
    """All of a form has its time, too, however regularly its pieces come; nothing is kept."""
    monkeypatch.setattr("app.rest.forms.UPLOAD_S", 0.5)

    async def pieces():
        yield written(end=b"")
        while True:
            await asyncio.sleep(0.05)
            yield b"x"

    headers = {"Authorization": f"Bearer {ANN}", "Content-Type": "multipart/form-data; boundary=b"}
    async with client.post("/api/v1/uploads", data=pieces(), headers=headers) as response:
        assert response.status == 408
    assert await database["uploads.files"].count_documents({}) == 0

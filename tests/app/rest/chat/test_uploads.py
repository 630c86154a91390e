"""Uploads over HTTP: forms in, files and parts of them out."""

from io import BytesIO

import pytest
from aiohttp import FormData

from models.files import CHUNK_BYTES

ANN, BEN, EVE = "1", "2", "9"
PNG = b"\x89PNG\r\n\x1a\n"
PICTURE = PNG + bytes(n % 251 for n in range(2 * CHUNK_BYTES))
SIZE = len(PICTURE)


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
    assert (await call(ANN, "POST", "/uploads", headers=headers, data=data))[0] == status

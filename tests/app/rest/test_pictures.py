"""Pictures of people: who sets them, what is refused, and how they are read."""

import pytest
from aiohttp import ClientSession

from models.accounts.pictures import PICTURE_BYTES
from tests.pictures import GIF, WAV, square

MINE = "/api/v1/auth/me/picture"


@pytest.fixture
async def http():
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def town(serve, http):
    """A server, Ann's and Ben's tokens, and a way to send bytes."""
    server = await serve()
    ann, ben = [
        await server.accounts.sign_up(f"{name}@example.com", "password123", name)
        for name in ("ann", "ben")
    ]

    async def send(account, method, path, data=None, headers=None):
        token = server.issue(account)
        named = {"Authorization": f"Bearer {token}", **(headers or {})}
        async with http.request(method, server.url + path, data=data, headers=named) as answer:
            return answer.status, answer.headers, await answer.read()

    async def shown(account):
        path = f"/api/v1/users?ids={ann.id}"
        _, answer = await server.call(server.issue(account), "GET", path)
        return answer["items"][0]["picture"]

    return server, ann, ben, send, shown


async def test_a_picture_is_shown_to_others(town):
    """Without its metadata, under a version that may be kept, until it is changed or removed."""
    _, ann, ben, send, shown = town
    place = f"/api/v1/users/{ann.id}/picture"
    assert await shown(ben) is None
    assert (await send(ben, "GET", place))[0] == 404
    status, _, _ = await send(ann, "PUT", MINE, square(64, comment=b"taken at home"))
    assert status == 200
    version = await shown(ben)
    status, headers, content = await send(ben, "GET", f"{place}?v={version}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert content.startswith(b"\x89PNG")
    assert b"taken at home" not in content
    known = {"If-None-Match": headers["ETag"]}
    status, headers, content = await send(ben, "GET", place, headers=known)
    assert (status, content) == (304, b"")
    assert headers["Cache-Control"] == "private, no-cache"
    await send(ann, "PUT", MINE, square(96))
    assert await shown(ben) not in (None, version)
    for _ in range(2):
        assert (await send(ann, "DELETE", MINE))[0] == 204
    assert await shown(ben) is None


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, b"media_type_refused"),
        (b"<svg onload=alert(1)>", 422, b"media_type_refused"),
        (GIF, 422, b"media_type_refused"),
        (WAV, 422, b"media_type_refused"),
        (square(64)[:-20], 422, b"media_unreadable"),
        (square(64, height=63), 422, b"32 to 512"),
        (square(513), 422, b"32 to 512"),
        (square(31), 422, b"32 to 512"),
        (b"x" * (PICTURE_BYTES + 1), 413, b"request_too_large"),
    ],
)
async def test_other_files_are_refused(town, content, status, code):
    """What is no small square picture changes nothing."""
    _, ann, _, send, shown = town
    await send(ann, "PUT", MINE, square(64))
    before = await shown(ann)
    got, _, answer = await send(ann, "PUT", MINE, content)
    assert got == status
    assert code in answer
    assert await shown(ann) == before


async def test_strangers_without_an_account_see_none(town, http):
    """Neither is one shown nor set without a token."""
    server, ann, _, _, _ = town
    for method, path in (("GET", f"/api/v1/users/{ann.id}/picture"), ("PUT", MINE)):
        async with http.request(method, server.url + path) as answer:
            assert answer.status == 401

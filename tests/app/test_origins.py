"""Which pages may call this server."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.origins import Origins

LISTED = ("https://app.example.com/", "https://OTHER.example.com")


def asking(origin):
    headers = {"Host": "chat.example.com"} | ({"Origin": origin} if origin is not None else {})
    return make_mocked_request("GET", "/", headers=headers)


def allowed(origins, origin):
    return origins.allow(asking(origin))


@pytest.mark.parametrize(
    ("origin", "in_production", "in_development"),
    [
        (None, True, True),
        ("http://chat.example.com", True, True),
        ("HTTP://Chat.Example.com", True, True),
        ("https://app.example.com", True, True),
        ("https://other.example.com", True, True),
        ("http://localhost:3000", False, True),
        ("http://127.0.0.1:5173", False, True),
        ("http://[::1]:8000", False, True),
        ("http://app.localhost:3000", False, True),
        ("http://192.168.1.5:3000", False, True),
        # Pages opened from a file open raw WebSockets only.
        ("null", False, False),
        ("file://", False, False),
        # The scheme and the port are part of an origin.
        ("https://chat.example.com", False, False),
        ("http://chat.example.com:8080", False, False),
        ("http://app.example.com", False, False),
        ("https://app.example.com.evil.example", False, False),
        ("https://evil.example", False, False),
        ("http://localhost.", False, False),
        ("http://localhost:0", False, False),
        ("http://localhost/", False, False),
        ("", False, False),
        ("http://localhost.evil.example", False, False),
        ("http://localhost@evil.example", False, False),
        ("http://[::1", False, False),
        ("*", False, False),
        ("nonsense", False, False),
    ],
)
def test_an_origin(origin, in_production, in_development):
    """Our own, listed and absent origins may; development adds this machine's pages and files."""
    assert allowed(Origins(LISTED, development=False), origin) is in_production
    assert allowed(Origins(LISTED, development=True), origin) is in_development
    raw = Origins(LISTED, development=True).allow_raw
    assert raw(asking(origin)) is (in_development or origin in ("null", "file://"))


def test_a_star_lets_all_in():
    """An operator may open the server to every page."""
    assert allowed(Origins(("*",), development=False), "https://evil.example")


@pytest.fixture
async def url(listening):
    origins = Origins(("https://app.example.com",), development=False)
    app = web.Application(middlewares=[origins.answer_preflights])
    app.on_response_prepare.append(origins.mark)

    async def answer(request):
        return web.json_response({})

    app.router.add_post("/stories", answer)
    return await listening.start(app)


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


async def test_a_preflight_of_an_allowed_page(url, listening):
    """The browser learns that the page may send its token."""
    headers = PREFLIGHT | {"Origin": "https://app.example.com"}
    async with listening.http.options(f"{url}/stories", headers=headers) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://[::1"])
async def test_a_preflight_of_another_page(url, listening, origin):
    """Nothing in the answer lets the page go on, whatever it claims to be."""
    headers = PREFLIGHT | {"Origin": origin}
    async with listening.http.options(f"{url}/stories", headers=headers) as response:
        assert response.status == 204
        assert not [name for name in response.headers if name.startswith("Access-Control")]


async def test_an_answer_is_readable_for_allowed_pages(url, listening):
    """The page may read the answer and `Retry-After`, also one that it asked for with cookies."""
    for origin, readable in (("https://app.example.com", True), ("https://evil.example", False)):
        async with listening.http.post(f"{url}/stories", headers={"Origin": origin}) as response:
            assert response.status == 200
            assert ("Access-Control-Allow-Origin" in response.headers) is readable
            credentials = response.headers.get("Access-Control-Allow-Credentials")
            assert credentials == ("true" if readable else None)
            if readable:
                assert response.headers["Access-Control-Expose-Headers"] == (
                    "Retry-After, Idempotency-Replayed, ETag, Location, Content-Range, "
                    "Content-Disposition, X-Request-Id, X-Cursor"
                )


async def test_a_star_is_no_leave_for_cookies(listening):
    """`withCredentials` is for pages that are listed by name."""
    origins = Origins(("*", "https://app.example.com"), development=False)
    app = web.Application(middlewares=[origins.answer_preflights])
    app.on_response_prepare.append(origins.mark)
    url = await listening.start(app)
    for origin, expected in (("https://app.example.com", "true"), ("https://any.example", None)):
        async with listening.http.options(url, headers=PREFLIGHT | {"Origin": origin}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert response.headers.get("Access-Control-Allow-Credentials") == expected


async def test_a_plain_options_request_names_the_methods(url, listening):
    """OPTIONS without a page behind it is answered too."""
    async with listening.http.options(f"{url}/stories") as response:
        assert response.status == 204
        assert "POST" in response.headers["Allow"]

"""The auth routes, over HTTP on a real store."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from app.identity.authenticator import Authenticator
from app.identity.own_jwt import OwnTokens
from app.rest.auth import AuthRoutes
from app.rest.devices import client_family, client_network
from app.rest.errors import problems
from app.rest.requests import AUTHENTICATE
from app.settings import Limits
from models.accounts import Accounts, Passwords
from models.accounts.recovery import Recovery
from models.database import Database
from tests.live import Serve
from tests.stories_world import HandClock

Client = TestClient[web.Request, web.Application]
ANN = {"email": "Ann@Example.com", "password": "password123"}
LIMITS = Limits(login_attempts_per_minute=3, signups_per_minute=20)


@web.middleware
async def address(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let a test say where a request comes from, as a trusted proxy does."""
    return await handler(request.clone(remote=request.headers.get("X-Test-From", "192.0.2.1")))


@pytest.fixture
async def client(
    accounts: Accounts, database: Database, passwords: Passwords, aiohttp_client: Any
) -> Client:
    tokens = OwnTokens("only for tests, but long enough for HS256", timedelta(minutes=30))
    app = web.Application(middlewares=[problems, address])
    app[AUTHENTICATE] = Authenticator(accounts, tokens)
    recovery = Recovery(database, accounts, passwords, public_url="https://example.com")
    app.add_routes(AuthRoutes(accounts, tokens, LIMITS, recovery).routes())
    made: Client = await aiohttp_client(app)
    return made


async def post(client: Client, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    response = await client.post(path, json=body, headers=headers)
    return response.status, await response.json() if response.status != 204 else None


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def me(client: Client, token: str) -> tuple[int, Any]:
    response = await client.get("/api/v1/auth/me", headers=bearer(token))
    return response.status, await response.json()


@pytest.mark.parametrize("base", ["", "/api/v1/auth"])
async def test_sign_up_and_log_in(client: Client, base: str) -> None:
    """Sign-up answers 201 and login 200, both with tokens and the user as documented."""
    signed_up = await client.post(f"{base}/signup", json=ANN | {"name": "Ann"})
    logged_in = await client.post(f"{base}/login", json=ANN | {"email": "ann@example.com"})
    assert (signed_up.status, logged_in.status) == (201, 200)
    for response in (signed_up, logged_in):
        assert response.headers["Cache-Control"] == "no-store"
        answer = await response.json()
        token = answer.pop("token")
        refresh_token = answer.pop("refresh_token")
        assert isinstance(refresh_token, str)
        assert answer == {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 1800,
            "user": {
                "id": "1",
                "email": "Ann@Example.com",
                "name": "Ann",
                "phone": None,
                "public_id": "1",
                "created_at": "2026-03-01T12:00:00.000Z",
                "time_zone": "UTC",
                "language": "en",
                "email_verified_at": None,
                "phone_verified_at": None,
            },
        }
        assert await me(client, token) == (200, answer["user"])


async def test_sign_up_refusals(client: Client) -> None:
    """A taken e-mail is a conflict, wrong values are named by field."""
    await post(client, "/signup", ANN)
    status, problem = await post(client, "/signup", ANN | {"email": "ann@example.com"})
    assert (status, problem["code"]) == (409, "email_taken")
    status, problem = await post(client, "/signup", {"email": "x", "password": "short"})
    assert (status, problem["errors"].keys()) == (422, {"email", "password"})


async def test_indistinguishable(client: Client) -> None:
    """A wrong password and an unknown e-mail have the same answer to the letter."""
    await post(client, "/signup", ANN)
    answers = []
    for body in (ANN | {"password": "wrong horse"}, ANN | {"email": "bob@example.com"}):
        response = await client.post("/login", json=body)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        answers.append((response.status, await response.text(), sorted(response.headers)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_disabled(client: Client, accounts: Accounts) -> None:
    """A disabled account is refused at login, refresh and with its token."""
    _, answer = await post(client, "/signup", ANN)
    await accounts.disable("1")
    status, problem = await post(client, "/login", ANN)
    assert (status, problem["code"]) == (403, "account_disabled")
    status, problem = await me(client, answer["token"])
    assert (status, problem["code"]) == (403, "account_disabled")
    status, _ = await post(
        client, "/api/v1/auth/refresh", {"refresh_token": answer["refresh_token"]}
    )
    assert status == 401


class TestLimits:
    async def fail(self, client: Client, email: str, address: str) -> int:
        body = {"email": email, "password": "wrong horse"}
        status, _ = await post(client, "/login", body, **{"X-Test-From": address})
        return status

    async def test_by_account(self, client: Client) -> None:
        """Wrong passwords from many addresses slow new addresses, and never the owner's own."""
        home = {"X-Test-From": "198.51.100.7"}
        await post(client, "/signup", ANN, **home)
        for n in range(3):
            assert await self.fail(client, "ann@example.com", f"192.0.2.{n}") == 401
        response = await client.post("/login", json=ANN, headers={"X-Test-From": "192.0.2.99"})
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert (await response.json())["code"] == "too_many_requests"
        assert await self.fail(client, "ANN@example.com", "192.0.2.98") == 429
        assert await self.fail(client, "bob@example.com", "192.0.2.99") == 401
        assert (await post(client, "/login", ANN, **home))[0] == 200

    async def test_guessing_from_a_known_address(self, client: Client) -> None:
        """A known address may not guess without end, and harms nobody else by it."""
        await post(client, "/signup", ANN)
        assert [await self.fail(client, "ann@example.com", "192.0.2.1") for _ in range(4)] == [
            *(401, 401, 401),
            429,
        ]
        assert (await post(client, "/login", ANN, **{"X-Test-From": "192.0.2.5"}))[0] == 200

    async def test_at_once(self, client: Client) -> None:
        """Right logins at once all succeed; of wrong ones at once only those allowed are tried."""
        await post(client, "/signup", ANN)
        right = await asyncio.gather(*(post(client, "/login", ANN) for _ in range(15)))
        assert [status for status, _ in right] == [200] * 15
        wrong = await asyncio.gather(
            *(self.fail(client, "ann@example.com", "192.0.2.8") for _ in range(15))
        )
        assert sorted(wrong) == [401] * 3 + [429] * 12

    async def test_by_address(self, client: Client) -> None:
        """Failures from one address for many e-mails end in 429, and harm no other address."""
        await post(client, "/signup", ANN)
        for n in range(3):
            assert await self.fail(client, f"user{n}@example.com", "192.0.2.7") == 401
        status, _ = await post(client, "/login", ANN, **{"X-Test-From": "192.0.2.7"})
        assert status == 429
        status, _ = await post(client, "/login", ANN, **{"X-Test-From": "192.0.2.8"})
        assert status == 200

    async def test_success_is_free(self, client: Client) -> None:
        """Any number of people may log in from one address with the right password."""
        await post(client, "/signup", ANN)
        for _ in range(10):
            assert (await post(client, "/login", ANN))[0] == 200

    async def test_sign_ups(self, client: Client) -> None:
        """Sign-ups from one address are limited too."""
        for n in range(LIMITS.signups_per_minute):
            body = ANN | {"email": f"user{n}@example.com"}
            assert (await post(client, "/signup", body))[0] == 201
        assert (await post(client, "/signup", ANN))[0] == 429
        assert (await post(client, "/signup", ANN, **{"X-Test-From": "192.0.2.9"}))[0] == 201

    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::"),
            ("unknown", "unknown"),
            (None, ""),
        ],
    )
    def test_network(self, address: str | None, network: str) -> None:
        """An IPv6 client counts by its /64, of which it has every address."""
        assert client_network(address) == network


async def test_refresh(client: Client, clock: HandClock) -> None:
    """A repeated refresh gives the same token with fresh access; a late one ends the session."""
    _, first = await post(client, "/signup", ANN)
    body = {"refresh_token": first["refresh_token"]}
    status, second = await post(client, "/api/v1/auth/refresh", body)
    assert status == 200
    assert second.keys() == first.keys()
    assert second["user"] == first["user"]
    assert second["refresh_token"] != first["refresh_token"]
    _, repeated = await post(client, "/api/v1/auth/refresh", body)
    assert repeated["refresh_token"] == second["refresh_token"]
    assert repeated["token"] != second["token"]
    for answer in (first, second, repeated):
        assert (await me(client, answer["token"]))[0] == 200
    clock.move(timedelta(seconds=60))
    status, problem = await post(client, "/api/v1/auth/refresh", body)
    assert (status, problem["code"]) == (401, "refresh_token_invalid")
    for token in (first["token"], second["token"]):
        status, problem = await me(client, token)
        assert (status, problem["code"]) == (401, "session_ended")


async def test_refresh_in_two_processes(serve: Serve) -> None:
    """Two servers on one store that are asked at once give one chain, which goes on at both."""
    servers = [await serve(), await serve()]
    _, session = await servers[0].call(None, "POST", "/signup", ANN)
    for _ in range(2):
        body = {"refresh_token": session["refresh_token"]}
        answers = await asyncio.gather(
            *(each.call(None, "POST", "/api/v1/auth/refresh", body) for each in servers * 3)
        )
        assert [status for status, _ in answers] == [200] * 6
        assert len({answer["refresh_token"] for _, answer in answers}) == 1
        assert len({answer["token"] for _, answer in answers}) == 6
        session = answers[0][1]
    for each in servers:
        assert (await each.call(session["token"], "GET", "/api/v1/auth/me"))[0] == 200


async def test_sessions(client: Client) -> None:
    """People see where they are signed in, and end one session or all others."""
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    _, first = await post(client, "/signup", ANN, **{"User-Agent": firefox})
    others = [(await post(client, "/login", ANN))[1] for _ in range(3)]
    _, foreign = await post(client, "/signup", ANN | {"email": "bob@example.com"})
    headers = bearer(first["token"])

    async def listed() -> list[dict[str, Any]]:
        response = await client.get("/api/v1/auth/sessions", headers=headers)
        answer = await response.json()
        assert (response.status, answer.keys()) == (200, {"items", "next"})
        return answer["items"]

    mine = next(one for one in await listed() if one["current"])
    assert (mine["client"], mine["network"]) == ("Firefox on Linux", "192.0.2.1")
    assert len(await listed()) == 4
    ended = next(one["id"] for one in await listed() if not one["current"])
    path = f"/api/v1/auth/sessions/{ended}"
    assert (await client.delete(path, headers=bearer(foreign["token"]))).status == 404
    assert (await client.delete(path, headers=headers)).status == 204
    assert (await client.delete(path, headers=headers)).status == 404
    assert [one["id"] for one in await listed()].count(ended) == 0
    status, answer = await post(client, "/api/v1/auth/sessions/end-others", {}, **headers)
    assert (status, answer) == (200, {"ended_count": 2})
    assert [one["id"] for one in await listed()] == [mine["id"]]
    for other in others:
        assert (await me(client, other["token"]))[1]["code"] == "session_ended"
    assert (await me(client, foreign["token"]))[0] == 200


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("", None),
        ("curl/8.5.0", "curl"),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/126 Safari/537 Edg/126",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17 like Mac OS X) Safari",
            "Safari on iOS",
        ),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/126 Mobile Safari", "Chrome on Android"),
        ("<script>alert(1)</script>", None),
        ("x" * 100_000, "x" * 32),
    ],
)
def test_client_family(user_agent: str, family: str | None) -> None:
    """A session shows a browser and its system, or a program's name, of bounded length."""
    assert client_family(user_agent) == family


@pytest.mark.parametrize("how", ["access token", "refresh token", "both", "refresh token, run out"])
async def test_log_out(client: Client, how: str) -> None:
    """Logging out ends this session by either token, and no other session."""
    _, other = await post(client, "/signup", ANN)
    _, ours = await post(client, "/login", ANN)
    body = {} if how == "access token" else {"refresh_token": ours["refresh_token"]}
    headers = {} if how == "refresh token" else bearer(ours["token"])
    if how.endswith("run out"):
        headers = bearer("no.longer.valid")
    assert (await post(client, "/api/v1/auth/logout", body, **headers))[0] == 204
    assert (await me(client, ours["token"]))[1]["code"] == "session_ended"
    refreshed, _ = await post(
        client, "/api/v1/auth/refresh", {"refresh_token": ours["refresh_token"]}
    )
    assert refreshed == 401
    assert (await me(client, other["token"]))[0] == 200


async def test_log_out_without_anything(client: Client) -> None:
    """Logging out without a token is refused."""
    status, problem = await post(client, "/api/v1/auth/logout", {})
    assert (status, problem["code"]) == (401, "token_missing")


async def test_change_me(client: Client) -> None:
    """The caller's name is changed, and nothing that is not theirs to change."""
    _, answer = await post(client, "/signup", ANN)
    headers = bearer(answer["token"])
    response = await client.patch("/api/v1/auth/me", json={"name": "Anna"}, headers=headers)
    assert (response.status, (await response.json())["name"]) == (200, "Anna")
    assert (await me(client, answer["token"]))[1]["name"] == "Anna"
    response = await client.patch("/api/v1/auth/me", json={"public_id": "2"}, headers=headers)
    assert response.status == 422


async def test_settings(client: Client) -> None:
    """Time zone and language are changed without the name, and shown to their owner."""
    _, answer = await post(client, "/signup", ANN)
    assert (answer["user"]["time_zone"], answer["user"]["language"]) == ("UTC", "en")
    headers = bearer(answer["token"])
    sent = {"time_zone": "Asia/Ho_Chi_Minh", "language": "vi"}
    response = await client.patch("/api/v1/auth/me", json=sent, headers=headers)
    assert response.status == 200
    account = (await me(client, answer["token"]))[1]
    assert account == answer["user"] | sent


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        *(("en-US", "en"), ("EN", "en"), ("vi-VN", "vi"), ("zh-Hant-TW", "zh"), ("es-419", "es")),
        *(("sl-rozaj-biske-1994", "sl"), ("de-DE-u-co-phonebk", "de"), ("fil", "fil")),
        ("zh-cmn-Hans-CN-x-private", "zh"),
    ],
)
async def test_languages_as_browsers_name_them(client: Client, tag: str, kept: str) -> None:
    """A BCP 47 tag in any case is taken; its primary language is what is kept."""
    _, answer = await post(client, "/signup", ANN)
    headers = bearer(answer["token"])
    response = await client.patch("/api/v1/auth/me", json={"language": tag}, headers=headers)
    assert (response.status, (await me(client, answer["token"]))[1]["language"]) == (200, kept)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"time_zone": None},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "Factory"},
        {"time_zone": "localtime"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "europe/berlin"},
        *(
            {"language": tag}
            for tag in ("", "e", "engl", "en_US", "en-", "-US", "en-US-", "e\u0306n")
        ),
        *({"language": tag} for tag in ("x-klingon", "en-x", "en US", "en\0", "en" * 40)),
        {"language": None},
        {"language": 7},
    ],
)
async def test_settings_refused(client: Client, wrong: dict[str, object]) -> None:
    """What is no zone of the IANA database or no primary language tag is refused by its name."""
    _, answer = await post(client, "/signup", ANN)
    response = await client.patch("/api/v1/auth/me", json=wrong, headers=bearer(answer["token"]))
    assert response.status == 422
    assert set((await response.json())["errors"]) == (set(wrong) or {"_schema"})
    assert (await me(client, answer["token"]))[1] == answer["user"]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic x"}, {"Authorization": "Bearer"}])
async def test_me_without_token(client: Client, header: dict[str, str]) -> None:
    """One's own account needs a token, and the answer says which kind."""
    response = await client.get("/api/v1/auth/me", headers=header)
    assert (response.status, (await response.json())["code"]) == (401, "token_missing")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_secrets_stay(client: Client, database: Database) -> None:
    """No answer holds a password hash, and no collection a refresh token or an access token."""
    response = await client.post("/signup", json=ANN)
    text = await response.text()
    assert "argon2" not in text
    answer = await response.json()
    for name in ("accounts", "account_keys", "sessions", "refresh_tokens"):
        stored = str(await database[name].find({}).to_list(None))
        assert answer["refresh_token"] not in stored
        assert answer["token"] not in stored
        assert ANN["password"] not in stored

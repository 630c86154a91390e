"""The auth routes, over HTTP on a real store."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from app.identity.authenticator import Authenticator
from app.identity.own_jwt import OwnTokens
from app.rest.auth import AuthRoutes, client_network
from app.rest.errors import problems
from app.rest.requests import AUTHENTICATE
from app.settings import Limits
from models.accounts import Accounts
from models.database import Database

Client = TestClient[web.Request, web.Application]
ANN = {"email": "Ann@Example.com", "password": "password123"}
LIMITS = Limits(login_attempts_per_minute=3, signups_per_minute=20)


@web.middleware
async def address(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let a test say where a request comes from, as a trusted proxy does."""
    return await handler(request.clone(remote=request.headers.get("X-Test-From", "192.0.2.1")))


@pytest.fixture
async def client(accounts: Accounts, aiohttp_client: Any) -> Client:
    tokens = OwnTokens("only for tests, but long enough for HS256", timedelta(minutes=30))
    app = web.Application(middlewares=[problems, address])
    app[AUTHENTICATE] = Authenticator(accounts, tokens)
    app.add_routes(AuthRoutes(accounts, tokens, LIMITS).routes())
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

    async def test_by_email(self, client: Client) -> None:
        """Failures for one e-mail from many addresses end in 429, for whoever comes next."""
        await post(client, "/signup", ANN)
        for n in range(3):
            assert await self.fail(client, "ann@example.com", f"192.0.2.{n}") == 401
        response = await client.post("/login", json=ANN, headers={"X-Test-From": "192.0.2.99"})
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert (await response.json())["code"] == "too_many_requests"
        assert await self.fail(client, "ANN@example.com", "192.0.2.98") == 429
        assert await self.fail(client, "bob@example.com", "192.0.2.99") == 401

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


async def test_refresh(client: Client) -> None:
    """A refresh token gives the next pair once; the second time it ends the session."""
    _, first = await post(client, "/signup", ANN)
    status, second = await post(
        client, "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert status == 200
    assert second.keys() == first.keys()
    assert second["user"] == first["user"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await me(client, second["token"]))[0] == 200
    status, problem = await post(
        client, "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert (status, problem["code"]) == (401, "refresh_token_invalid")
    for token in (first["token"], second["token"]):
        status, problem = await me(client, token)
        assert (status, problem["code"]) == (401, "session_ended")


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
    "wrong",
    [
        {},
        {"time_zone": None},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "Factory"},
        {"time_zone": "localtime"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "europe/berlin"},
        {"language": "en-US"},
        {"language": ""},
        {"language": "EN"},
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

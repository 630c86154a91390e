"""Who is who at the doors of a whole server, where Firebase users, passwords and, in development,
credentials that prove nothing meet."""

import pytest

from models.errors import Conflict
from tests.app.identity.jwks_server import PROJECT

PASSWORD = "password123"
PHONE = "+84912345678"


@pytest.fixture
async def server(serve, jwks):
    """A server that takes the tokens of `jwks`."""
    return await serve(firebase_project_id=PROJECT, firebase_jwks_url=jwks.url)


async def sign_up(server, email, **values):
    """Sign up, with a hash that costs nothing: id and token."""
    account = await server.accounts.sign_up(email, PASSWORD, **values)
    return account.id, server.issue(account)


async def me(server, token):
    status, answer = await server.call(token, "GET", "/api/v1/auth/me")
    assert status == 200, answer
    return answer


async def closed_with(server, target):
    """Connect to a raw endpoint and return the code of its close frame."""
    return await (await server.open_at(target)).closed()


async def is_open(server, target):
    """Connect to `/ws/{user_id}` and see it answer."""
    client = await server.open_at(target)
    return (await client.ask({"event": "heartbeat"}))["event"] == "heartbeat_ack"


async def test_an_account_goes_to_exactly_its_owner(server, jwks):
    """A verified e-mail opens the account of that address, and of none that looks like it."""
    for number, (typed, verified, handed_over) in enumerate(
        (
            ("straße@example.com", "strasse@example.com", False),
            ("ANN@example.com", "ann@example.com", False),
            ("bob@EXAMPLE.com", "bob@example.com", True),
            ("x@münchen.de", "x@xn--mnchen-3ya.de", True),
        )
    ):
        account_id, token = await sign_up(server, typed)
        entry = {"text": "Dear diary"}
        assert (await server.call(token, "POST", "/api/v1/diary/entries", entry))[0] == 201
        firebase = jwks.token(sub=f"uid-{number}", email=verified)
        assert ((await me(server, firebase))["id"] == account_id) == handed_over, typed
        diary = await server.call(firebase, "GET", "/api/v1/diary/entries")
        assert len(diary[1]["items"]) == handed_over, typed
        status = 401 if handed_over else 200
        assert (await server.call(token, "GET", "/api/v1/auth/me"))[0] == status, typed


async def test_a_number_opens_for_who_has_verified_it(server, jwks):
    """A sign-up with somebody's number does not keep them from `/ws/{phone}`, and loses it."""
    _, token = await sign_up(server, "eve@example.com", phone=PHONE)
    assert await is_open(server, f"/ws/%2B84912345678?token={token}")
    owner = jwks.token(phone_number=PHONE)
    assert (await me(server, owner))["phone"] == PHONE
    assert await is_open(server, f"/ws/%2B84912345678?token={owner}")
    squatter = await server.accounts.log_in("eve@example.com", PASSWORD)
    assert squatter.phone is None
    for spelling in ("%2B84912345678", "0912345678"):
        target = f"/ws/{spelling}?token={server.issue(squatter)}"
        assert await closed_with(server, target) == 4002
    with pytest.raises(Conflict):
        await sign_up(server, "mallory@example.com", phone=PHONE)


async def test_a_uid_receives_nothing_meant_for_another_name(server, jwks):
    """A Firebase uid that reads like an e-mail, a number or an id is found as none of them."""
    vic, vic_token = await sign_up(server, "vic@example.com", phone=PHONE)
    _, friend = await sign_up(server, "friend@example.com")
    names = ("vic@example.com", PHONE, vic, "42", "nobody@example.com")
    tokens = {name: jwks.token(sub=name, email=None) for name in names}
    ids = {(await me(server, token))["id"] for token in tokens.values()}
    assert len(ids) == len(names)
    assert vic not in ids
    for name, token in tokens.items():
        account = await me(server, token)
        assert account["public_id"] == account["id"] != name
        await server.call(friend, "POST", "/api/v1/conversations", {"participants": [name]})
        goal = {"title": "Run", "kind": "number", "target": 1, "unit": "km", "members": [name]}
        await server.call(friend, "POST", "/api/v1/diary/goals", goal)
    assert len((await server.call(vic_token, "GET", "/api/v1/conversations"))[1]["items"]) == 1
    for token in tokens.values():
        for path in ("/api/v1/conversations", "/api/v1/diary/goals"):
            assert (await server.call(token, "GET", path))[1]["items"] == [], path
    # In a path the id and the number come before the uid.
    for name in (PHONE.replace("+", "%2B"), vic):
        target = f"/ws/{name}?token={tokens[PHONE if '84' in name[:5] else vic]}"
        assert await closed_with(server, target) == 4002


BAD_CLAIMS = (
    {"name": "half \ud800"},
    {"name": "ann\u202egpj.exe"},
    {"name": "bell \x07\x1b[2J"},
    {"name": ["Ann"]},
    {"email": "a" * 3000 + "@example.com"},
    {"email": "ann\u00ad@example.com"},
    {"email": "\udc00@example.com"},
    {"phone": "not a phone"},
    {"phone": 84912345678},
)


async def test_claims_are_read_like_a_sign_up(server, jwks):
    """What sign-up would refuse is left out of the account, and all transports let its owner in."""
    for number, bad in enumerate(BAD_CLAIMS):
        good = {
            "name": "Ann",
            "email": f"ann{number}@example.com",
            "phone": f"+44163296096{number}",
        }
        claims = good | bad
        claims["phone_number"] = claims.pop("phone")
        token = jwks.token(sub=f"uid-{number}", **claims)
        expected = good | dict.fromkeys(bad)
        assert (await me(server, token)).items() >= expected.items()
        assert await is_open(server, f"/ws/uid-{number}?token={token}")
    assert await server.raw(token)
    assert (await server.socketio(token, namespace="/chat")).refusal is None


async def test_a_uid_that_is_no_text_is_no_token(server, jwks):
    """Its token is refused, and nothing is stored."""
    for uid in ("half \ud800", "nul \0", "line\nbreak", "\u202e", "", 7):
        status, answer = await server.call(jwks.token(sub=uid), "GET", "/api/v1/auth/me")
        assert (status, answer["code"]) == (401, "token_invalid"), uid
    assert await server.accounts.list_after() == []


async def test_what_development_believes_is_read_like_a_sign_up(server, listening):
    """An e-mail that sign-up would refuse is none, and one that looks like another account's does
    not open it."""
    await sign_up(server, "straße@example.com")
    url = f"{server.url}/api/v1/conversations"
    for email, status in (
        ("Straße@Example.com", 200),
        ("strasse@example.com", 403),
        ("ann\u200b@example.com", 401),
        ("ann\u202e@example.com", 401),
        ("a" * 300 + "@example.com", 401),
    ):
        async with listening.http.get(url, headers={"User-Email": email}) as response:
            assert response.status == status, email
    assert len(await server.accounts.list_after()) == 1


async def test_what_a_path_cannot_mean(server):
    """A path that can be no name of an account is refused, and makes none."""
    for user_id in ("%ED%A0%80", "%00", "a%40b.de", "9007199254740992", "%D9%A1"):
        assert await closed_with(server, f"/api/v1/ws/{user_id}") == 4001, user_id
    assert await server.accounts.list_after() == []


async def test_a_new_id_is_a_number_in_the_greeting(server):
    """`/ws` greets with the account's id as a JSON number that programs keep exactly."""
    account_id, token = await sign_up(server, "ann@example.com")
    greeting = await (await server.open_raw(token)).frame()
    assert greeting["data"]["user_id"] == int(account_id) < 2**53
    assert len(account_id) == 16

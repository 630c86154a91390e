"""Who `/ws` lets in, with the accounts and tokens of a whole server."""

import pytest
from aiohttp import WSServerHandshakeError


async def refused(opening):
    with pytest.raises(WSServerHandshakeError) as caught:
        await opening
    return caught.value


async def test_no_token_or_one_that_proves_nothing_is_401(server):
    """Missing, invented, expired and unsigned tokens are refused before the upgrade."""
    account = await server.account("someone")
    good = server.issue(account)
    head, payload, _ = good.split(".")
    for token in (
        None,
        "",
        "+84912345678",
        "not.a.token",
        server.issue(account, lifetime_s=-1),
        f"{head}.{payload}.",
        good[:-6] + "AAAAAA",
    ):
        refusal = await refused(server.open_raw(token))
        assert refusal.status == 401, token
        assert refusal.headers["WWW-Authenticate"] == "Bearer"
    assert await server.raw(good)


async def test_a_token_whose_session_ended_is_401(server):
    """A token that was logged out opens no door, although it has not expired."""
    account = await server.account("someone")
    session = await server.accounts.sessions.open(account.id)
    token = server.issue(account, session_id=session.id)
    await server.raw(token)
    path, body = "/api/v1/auth/logout", {"refresh_token": session.refresh_token}
    assert (await server.call(None, "POST", path, body))[0] == 204
    assert (await refused(server.open_raw(token))).status == 401


async def test_a_disabled_account_is_403(server):
    """Disabled accounts are refused with another status than strangers, and may log in anew."""
    account = await server.account("someone")
    token = server.issue(account)
    await server.accounts.disable(account.id)
    assert (await refused(server.open_raw(token))).status == 403
    enabled = await server.accounts.enable(account.id)
    assert (await refused(server.open_raw(token))).status == 401
    assert await server.raw(server.issue(enabled))


async def test_the_greeting_names_the_account(server):
    """The greeting has the number and the e-mail of the account behind the token."""
    account = await server.account("someone")
    client = await server.open_raw(server.issue(account))
    greeting = await client.frame()
    assert greeting["data"]["user_id"] == int(account.id)
    assert greeting["data"]["email"] == "someone@example.com"
    status, health = await server.call(None, "GET", "/health")
    assert (status, health) == (
        200,
        {"status": "healthy", "service": "api-gateway", "ws_connections": 1},
    )

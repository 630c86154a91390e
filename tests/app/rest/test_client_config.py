"""What the page knows before anybody has signed in, and who it lets enter without a password."""

import asyncio
from dataclasses import replace

import pytest

from app.demo import PEOPLE
from app.main import create_app

CONFIG = "/api/v1/client-config"
ENTER = "/api/v1/demo/enter"
SECRETS = ("jwt_secrets", "stripe_secret_key", "service_token", "mail_hook_token")


async def test_a_development_server_says_what_it_has(server):
    """The page learns who it may enter as, and what works here."""
    status, config = await server.call(None, "GET", CONFIG)
    assert status == 200
    assert config == {
        "development": True,
        "demo_people": [{"name": "Test"}, {"name": "Alice"}, {"name": "Bob"}],
        "sign_up": "open",
        "sends_mail": False,
        "languages": ["en", "vi"],
        "vapid_public_key": None,
        "payments": {
            "provider": "test",
            "test": True,
            "test_cards": {"pays": "4242424242424242", "declined": "4000000000000002"},
        },
        "limits": {"upload_bytes": server.settings.limits.upload_bytes},
    }


async def test_production_has_no_examples(serve):
    """In production nobody is offered, and the way in is not there, whatever is sent."""
    server = await serve(environment="production", sign_ups="invite", payment_provider="webhook")
    status, config = await server.call(None, "GET", CONFIG)
    assert status == 200
    assert (config["development"], config["demo_people"]) == (False, [])
    assert config["sign_up"] == "invite"
    assert config["payments"] == {"provider": "webhook", "test": False, "test_cards": None}
    for method in ("POST", "GET"):
        for body in ({"name": "Alice"}, None):
            status, answer = await server.call(None, method, ENTER, body)
            assert (status, answer["code"]) == (404, "not_found")
    assert await server.accounts.list_after() == []


async def test_everybody_of_the_examples_can_enter(server):
    """On an empty server the answer is that of a login, and the examples are there."""
    for person in PEOPLE:
        status, answer = await server.call(None, "POST", ENTER, {"name": person.name})
        assert status == 200
        assert answer["user"]["name"] == person.name
        assert answer["refresh_token"]
        status, feed = await server.call(answer["token"], "GET", "/stories")
        assert status == 200
        assert feed["items"]
        status, sessions = await server.call(answer["token"], "GET", "/api/v1/auth/sessions")
        assert [each["current"] for each in sessions["items"]] == [True]


async def test_entering_at_once_loads_the_examples_once(server):
    """However many click at the same time, nothing is there twice."""
    entered = await asyncio.gather(
        *(server.call(None, "POST", ENTER, {"name": "Alice"}) for _ in range(5))
    )
    assert {status for status, _ in entered} == {200}
    assert len({answer["user"]["id"] for _, answer in entered}) == 1
    _, feed = await server.call(entered[0][1]["token"], "GET", "/stories")
    texts = [story["text"] for story in feed["items"]]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    "body", [{}, {"name": "Mallory"}, {"name": ["Alice"]}, {"name": "Alice", "password": "x"}]
)
async def test_nobody_else_can_enter(server, body):
    """Another name is a 422, and loads nothing."""
    status, answer = await server.call(None, "POST", ENTER, body)
    assert (status, answer["code"]) == (422, "invalid")
    assert await server.accounts.list_after() == []


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "file://"])
async def test_foreign_pages_cannot_enter(server, origin):
    """A page of another site, a file and a sandboxed frame are refused."""
    headers = {"Origin": origin}
    status, answer = await server.call(None, "POST", ENTER, {"name": "Alice"}, headers)
    assert (status, answer["code"]) == (403, "origin_not_allowed")
    assert await server.accounts.list_after() == []


async def test_a_disabled_example_cannot_enter(server):
    """What an operator has disabled stays closed."""
    _, answer = await server.call(None, "POST", ENTER, {"name": "Bob"})
    await server.accounts.disable(answer["user"]["id"])
    status, answer = await server.call(None, "POST", ENTER, {"name": "Bob"})
    assert (status, answer["code"]) == (403, "account_disabled")


async def test_no_secret_is_told(settings, aiohttp_client):
    """Nothing that logs must not show is in the answer."""
    secrets = {name: f"{name}-which-is-nobodys-business" for name in SECRETS}
    changes = secrets | {"jwt_secrets": (secrets["jwt_secrets"],)}
    client = await aiohttp_client(await create_app(replace(settings, **changes)))
    text = await (await client.get(CONFIG)).text()
    assert [name for name, value in secrets.items() if value in text] == []

"""A client of the REST routes of chat, whose tokens are account ids."""

import pytest
from aiohttp import web

from app.domains import CHAT_ROUTES
from app.rest.errors import problems
from app.rest.requests import AUTHENTICATE
from models.errors import Unauthorized
from tests.chat_world import Hall, chat_on, open_channel, person


async def token_is_the_account_id(token):
    """Stands for the real check: decimal tokens are good."""
    if token is None or not token.isdecimal():
        raise Unauthorized("The token is not valid.", code="token_invalid")
    return person(int(token))


@pytest.fixture
def hall():
    return Hall()


@pytest.fixture
async def chat(database, hall, clock):
    made = chat_on(database, hall, clock)
    await made.prepare()
    await open_channel(made, hall)
    return made


@pytest.fixture
async def client(chat, aiohttp_client):
    app = web.Application(middlewares=[problems])
    app[AUTHENTICATE] = token_is_the_account_id
    app.add_routes(CHAT_ROUTES(chat).routes())
    return await aiohttp_client(app)


@pytest.fixture
def call(client):
    async def request(who, method, path, **options):
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        headers |= options.pop("headers", {})
        async with client.request(method, f"/api/v1{path}", headers=headers, **options) as response:
            body = await response.read()
            return response.status, await response.json(content_type=None) if body else None

    return request

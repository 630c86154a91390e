"""Idempotency-Key on POST: around handlers of its own, and on every route there is."""

import asyncio
import json

import pytest
from aiohttp import web

from app.rest.errors import problems
from app.rest.idempotency import ANSWER_BYTES, HEADER, answered_once, operation_id
from app.rest.requests import AUTHENTICATE, caller
from models.errors import Conflict, Invalid, Unauthorized, Unavailable
from models.idempotency import AGAIN_S, Idempotency
from tests.stories_world import person


async def token_is_the_account_id(token):
    if token is None or not token.isdecimal():
        raise Unauthorized("The token is not valid.", code="token_invalid")
    return person(token)


class Shop:
    """A handler that counts, and fails or waits as its body says."""

    def __init__(self):
        self.operations = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def order(self, request):
        await caller(request)
        self.operations.append(operation_id(request))
        wanted = (await request.json())["do"]
        if wanted == "wait":
            self.begun.set()
            await self.go_on.wait()
        if wanted == "nothing":
            return web.Response(status=204)
        if wanted == "conflict":
            raise Conflict("Sold.", code="offer_closed")
        if wanted == "wrong":
            raise Invalid("No.", fields={"do": ["Wrong."]})
        if wanted == "not json":
            raise web.HTTPUnsupportedMediaType
        if wanted == "long":
            return web.json_response({"text": "x" * ANSWER_BYTES})
        if wanted == "outage" and len(self.operations) == 1:
            raise Unavailable("Away.", retry_after_s=1)
        if wanted == "bug" and len(self.operations) == 1:
            raise RuntimeError
        return web.json_response({"number": len(self.operations)}, status=201)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
async def post(shop, database, clock, aiohttp_client):
    once = answered_once(Idempotency(database, clock=clock))
    app = web.Application(middlewares=[problems, once], client_max_size=1000)
    app[AUTHENTICATE] = token_is_the_account_id
    app.add_routes([web.post(path, shop.order) for path in ("/orders", "/offers")])
    client = await aiohttp_client(app)

    async def post(key="k", do="", who="1", path="/orders", **options):
        headers = {"Authorization": f"Bearer {who}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        options = options or {"json": {"do": do}}
        async with client.post(path, headers=headers, **options) as response:
            replayed = response.headers.get("Idempotency-Replayed") == "true"
            retry_after = response.headers.get("Retry-After")
            answer = await response.json(content_type=None)
            return response.status, answer, replayed, retry_after

    return post


async def test_the_same_request_gets_the_same_answer(post, shop):
    """With a key the handler runs once; quotes around the key, as in the draft, make no change."""
    assert await post() == (201, {"number": 1}, False, None)
    assert await post() == (201, {"number": 1}, True, None)
    assert await post('"k"') == (201, {"number": 1}, True, None)
    assert len(shop.operations) == 1


async def test_without_a_key_every_request_counts(post, shop):
    """Without a key each request is an operation of its own."""
    assert [(await post(None))[1]["number"] for _ in range(2)] == [1, 2]
    assert len(set(shop.operations)) == 2


@pytest.mark.parametrize("other", [{"do": "x"}, {"path": "/offers"}, {"path": "/orders?a=1"}])
async def test_another_request_is_a_conflict(post, shop, other):
    """Another body, path or query under the key is refused and not carried out."""
    await post()
    status, answer, _, retry_after = await post(**other)
    assert (status, answer["code"], retry_after) == (422, "key_reused", None)
    assert len(shop.operations) == 1


async def test_another_account_has_keys_of_its_own(post):
    """The key of one account means nothing to another."""
    assert (await post(who="1"))[1] == {"number": 1}
    assert (await post(who="2"))[1] == {"number": 2}


async def test_a_request_under_way_is_a_conflict_with_a_time(post, shop):
    """The second one is told to come back, and then gets the answer of the first."""
    first = asyncio.create_task(post(do="wait"))
    await shop.begun.wait()
    status, answer, _, retry_after = await post(do="wait")
    assert (status, answer["code"]) == (409, "idempotency_in_flight")
    assert int(retry_after) == AGAIN_S
    shop.go_on.set()
    assert (await first)[:2] == (201, {"number": 1})
    assert await post(do="wait") == (201, {"number": 1}, True, None)


async def test_an_empty_answer_is_given_again(post, shop):
    """An answer without a body is kept like any other."""
    assert await post(do="nothing") == (204, None, False, None)
    assert await post(do="nothing") == (204, None, True, None)
    assert len(shop.operations) == 1


async def test_refusals_are_answers_too(post, shop):
    """A refusal of the domain is kept and given again as it was."""
    first = await post(do="conflict")
    assert (first[0], first[1]["code"]) == (409, "offer_closed")
    assert await post(do="conflict") == (*first[:2], True, None)
    assert len(shop.operations) == 1


@pytest.mark.parametrize(("failure", "status"), [("outage", 503), ("bug", 500)])
async def test_failures_of_the_server_are_tried_again(post, shop, failure, status):
    """A failure is not kept: the request sent again is carried out, as the same operation."""
    assert (await post(do=failure))[0] == status
    assert (await post(do=failure))[:2] == (201, {"number": 2})
    assert len(shop.operations) == 2
    assert len(set(shop.operations)) == 1


@pytest.mark.parametrize(("do", "status"), [("wrong", 422), ("not json", 415)])
async def test_answers_to_what_is_not_valid_are_not_kept(post, shop, database, do, status):
    """They leave nothing in the database, and the corrected request may have the key."""
    assert [(await post(do=do))[::2] for _ in range(2)] == [(status, False)] * 2
    assert len(shop.operations) == 2
    assert await database["idempotency_keys"].count_documents({}) == 0
    assert await post() == (201, {"number": 3}, False, None)


async def test_a_very_long_answer_is_not_kept(post, shop, database):
    """A repeat is told that the request was carried out, and it is not carried out again."""
    assert (await post(do="long"))[0] == 200
    status, answer, replayed, _ = await post(do="long")
    assert (status, answer["code"], replayed) == (409, "answer_not_kept", True)
    assert len(shop.operations) == 1
    (kept,) = await database["idempotency_keys"].find({}).to_list(None)
    assert len(kept["answer"]["body"]) < 1000


@pytest.mark.parametrize("key", ["", '""', "a b", 'a"b', '"a', "é", "x" * 256])
async def test_keys_that_cannot_be(post, shop, key):
    """An empty, blank, too long or unquotable key is refused, not ignored."""
    status, answer, _, _ = await post(key)
    assert (status, answer["code"]) == (400, "unreadable")
    assert shop.operations == []


async def test_strangers_and_oversized_bodies_leave_no_key(post, shop):
    """What is refused before it begins can be sent right under the same key."""
    assert (await post(who="nobody"))[0] == 401
    assert (await post(data=b"x" * 2000))[0] == 413
    assert await post() == (201, {"number": 1}, False, None)


async def send(server, path, headers, body):
    async with server._http.post(server.url + path, json=body, headers=headers) as response:
        replayed = response.headers.get("Idempotency-Replayed") == "true"
        return response.status, await response.read(), replayed


async def test_a_key_belongs_to_whom_the_route_names(server):
    """Chat knows people by an e-mail in development: the key is the account's, by either way."""
    path, body = "/api/v1/channels", {"name": "general"}
    by_email = {"User-Email": "ann@example.com", HEADER: "k"}
    status, answer, _ = await send(server, path, by_email, body)
    assert status == 201
    assert await send(server, path, by_email, body) == (201, answer, True)
    by_token = {"Authorization": f"Bearer {await server.token('ann')}", HEADER: "k"}
    assert await send(server, path, by_token, body) == (201, answer, True)
    status, answer, _ = await send(server, path, by_email | {"User-Email": "b@example.com"}, body)
    assert (status, json.loads(answer)["code"]) == (409, "channel_taken")


@pytest.mark.parametrize("path", ["messages", "conversations/general/messages"])
async def test_a_message_is_sent_once_though_the_server_died(server, database, path):
    """When the first attempt wrote the message and never answered, the next one gives the same."""
    body = {"content": "hello"} | ({"channel_id": "general"} if path == "messages" else {})
    headers = {"Authorization": f"Bearer {await server.token('ann')}", HEADER: "k"}
    creator = {"Authorization": headers["Authorization"]}
    assert (await send(server, "/api/v1/channels", creator, {"name": "general"}))[0] == 201
    status, first, _ = await send(server, f"/api/v1/{path}", headers, body)
    assert status == 201
    assert json.loads(first).get("data", json.loads(first))["client_id"] is None
    began = {"answer": None, "process_id": "gone"}
    await database["idempotency_keys"].update_many({}, {"$set": began})
    assert await send(server, f"/api/v1/{path}", headers, body) == (201, first, False)
    assert await database["chat_messages"].count_documents({}) == 1

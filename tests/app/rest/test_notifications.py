"""The REST routes of notifications, on a whole server."""

import pytest

from models.notifications.schema import DOCUMENTED_TYPES, TYPES
from tests.app.push.service import PushService, new_private_key
from tests.notifications_world import MATCHED, SHIPPED

ROOT = "/api/v1/notifications"
SERVICE_TOKEN = "a-service-token-of-32-characters"


async def send(server, account, content=MATCHED, token=None, **changes):
    body = {"user_id": int(account.id), **content, **changes}
    return await server.call(token, "POST", ROOT, body)


@pytest.fixture
async def ann(server):
    return await server.account("ann")


@pytest.fixture
def token(server, ann):
    return server.issue(ann)


async def test_an_inbox_from_first_to_last(server, ann, token):
    """Told, listed, counted, read, put away: each route answers what it says."""
    for content in (MATCHED, SHIPPED, MATCHED):
        status, sent = await send(server, ann, content)
        assert (status, sent["created"], sent["push"]) == (201, True, "not_requested")
    status, page = await server.call(token, "GET", f"{ROOT}?limit=2")
    assert (status, [item["id"] for item in page["items"]], page["next"]) == (
        200,
        [3, 2],
        "older.2",
    )
    _, page = await server.call(token, "GET", f"{ROOT}?limit=2&after={page['next']}")
    assert ([item["id"] for item in page["items"]], page["next"]) == ([1], None)
    status, page = await server.call(token, "GET", f"{ROOT}?after=1&limit=100")
    assert (status, [item["id"] for item in page["items"]], page["next"]) == (200, [2, 3], None)
    counted = await server.call(token, "GET", f"{ROOT}/unread-count")
    assert counted == (200, {"unread": 3, "revision": 3})
    read = await server.call(token, "POST", f"{ROOT}/2/read")
    assert read == (200, {"unread": 2, "revision": 4})
    archived = await server.call(token, "POST", f"{ROOT}/1/archive")
    assert archived == (200, {"unread": 1, "revision": 5})
    status, page = await server.call(token, "GET", f"{ROOT}?archived=true")
    assert [item["id"] for item in page["items"]] == [1]
    nothing_new = await server.call(token, "POST", f"{ROOT}/read-all", {"up_to": 2})
    assert nothing_new == (200, {"unread": 1, "revision": 5})
    assert await server.call(token, "POST", f"{ROOT}/read-all") == (
        200,
        {"unread": 0, "revision": 6},
    )


async def test_each_namespace_has_the_inbox(server, ann, token):
    """Clients of `/notifications` and of `/market` receive the same, each once, and can act."""
    own = await server.socketio(token, namespace="/notifications")
    market = await server.socketio(token, namespace="/market")
    ben = await server.account("ben")
    stranger = await server.socketio(server.issue(ben), namespace="/notifications")
    await send(server, ann)
    created = await own.event()
    assert created[0] == "notification"
    assert created[1].items() >= {"id": 1, "unread": 1, "title": MATCHED["title"]}.items()
    assert await market.event() == created
    assert await own.call("read_notification", {"id": 1}) == {"data": {"unread": 0, "revision": 2}}
    read = ("notification.read", {"ranges": [[1, 1]], "unread": 0, "revision": 2})
    assert [await own.event(), await market.event()] == [read, read]
    for client in (own, market, stranger):
        # An event that was published before this answer would have come before it.
        assert (await client.call("count_unread", {}))["data"]["unread"] == 0
        assert client._events.empty()


async def test_preferences(server, ann, token):
    """What a user does not want is chosen and read back by type."""
    assert await server.call(token, "GET", f"{ROOT}/preferences") == (
        200,
        dict.fromkeys(TYPES, True),
    )
    chosen = dict.fromkeys(TYPES, True) | {"match_created": False}
    status, problem = await server.call(
        token, "PUT", f"{ROOT}/preferences", {"match_created": False}
    )
    assert (status, set(problem["errors"])) == (422, set(DOCUMENTED_TYPES) - {"match_created"})
    put = await server.call(token, "PUT", f"{ROOT}/preferences", chosen)
    assert put == (200, chosen)
    changed = chosen | {"order_shipped": False}
    patch = await server.call(token, "PATCH", f"{ROOT}/preferences", {"order_shipped": False})
    assert patch == (200, changed)
    market = await server.socketio(token, namespace="/market")
    refused = await market.call("set_notification_preferences", {"order_shipped": True})
    assert refused["error"]["code"] == "invalid"
    answer = await market.call("update_notification_preferences", {"order_shipped": True})
    assert answer == {"data": chosen}
    assert await server.call(token, "GET", f"{ROOT}/preferences") == (200, chosen)
    await send(server, ann)
    assert (await server.call(token, "GET", f"{ROOT}/unread-count"))[1]["unread"] == 0


PRIVATE_ROUTES = [
    ("GET", ROOT, None),
    ("GET", f"{ROOT}/unread-count", None),
    ("POST", f"{ROOT}/read-all", None),
    ("POST", f"{ROOT}/1/read", None),
    ("POST", f"{ROOT}/1/archive", None),
    ("GET", f"{ROOT}/preferences", None),
    ("PUT", f"{ROOT}/preferences", {}),
    ("PATCH", f"{ROOT}/preferences", {}),
    ("GET", f"{ROOT}/changes?after=0", None),
    ("POST", "/api/v1/push/subscriptions", {}),
    ("DELETE", "/api/v1/push/subscriptions", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), PRIVATE_ROUTES)
async def test_an_inbox_needs_its_owner(server, method, path, body):
    """Without a token every route of a user's answers 401."""
    status, problem = await server.call(None, method, path, body)
    assert (status, problem["code"]) == (401, "token_missing")


@pytest.mark.parametrize("id", ["0", "2", "x", "-1", "1.0", "1" * 30, "٣"])
@pytest.mark.parametrize("act", ["read", "archive"])
async def test_what_is_not_there_is_404(server, ann, token, id, act):
    """An id that the inbox does not have, or that is no id, is not found."""
    await send(server, ann)
    status, problem = await server.call(token, "POST", f"{ROOT}/{id}/{act}")
    assert (status, problem["code"]) == (404, "notification_not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", f"{ROOT}?limit=0", None, "limit"),
        ("GET", f"{ROOT}?after=-1", None, "after"),
        ("GET", f"{ROOT}?before=x", None, "before"),
        ("POST", f"{ROOT}/read-all", {"up_to": "x"}, "up_to"),
        ("PATCH", f"{ROOT}/preferences", {"order_paid": 3}, "order_paid"),
        ("PATCH", f"{ROOT}/preferences", {"story_viewed": False}, "story_viewed"),
    ],
)
async def test_bad_values_are_422(server, token, method, path, body, field):
    """A wrong value is answered under its field's name."""
    status, problem = await server.call(token, method, path, body)
    assert (status, list(problem["errors"])) == (422, [field])


async def test_bad_requests_of_services(server, ann, token):
    """Wrong values, a huge title and an unknown user are told apart; nobody is told anything."""
    assert (await send(server, ann, type="nope"))[0] == 422
    assert (await send(server, ann, title="x" * 1_000_000))[0] == 422
    status, problem = await server.call(None, "POST", ROOT, MATCHED | {"user_id": 10**6})
    assert (status, problem["code"]) == (404, "account_not_found")
    assert (await server.call(token, "GET", ROOT))[1]["items"] == []


async def test_an_idempotency_key(server, ann):
    """A repeat under a key gets the same answer, another content 409."""
    path, body = f"{server.url}{ROOT}", {"user_id": ann.id, **MATCHED}

    async def post(body, key):
        headers = {"Idempotency-Key": key}
        async with server._http.post(path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    status, first = await post(body, "k")
    assert status == 201
    assert await post(body, "k") == (201, first)
    status, problem = await post(body | {"title": "Other"}, "k")
    assert (status, problem["code"]) == (422, "key_reused")
    assert (await post(body, "x" * 256))[0] == 400
    assert (await post(body, "other"))[1]["id"] == 2


async def test_a_service_token_that_is_set_is_asked_for(serve):
    """With SERVICE_TOKEN set, only its bearer may notify; a user's token is none."""
    server = await serve(service_token=SERVICE_TOKEN)
    ann = await server.account("ann")
    for token in (None, "x", SERVICE_TOKEN + "x", SERVICE_TOKEN[:-1], server.issue(ann)):
        status, problem = await send(server, ann, token=token)
        assert (status, problem["code"]) == (401, "service_token_invalid")
    assert (await send(server, ann, token=SERVICE_TOKEN))[0] == 201


async def test_production_lets_nobody_in_without_a_service_token(serve):
    """Where no SERVICE_TOKEN is set, production accepts no service at all."""
    server = await serve(environment="production")
    ann = await server.account("ann")
    for token in (None, "", "None"):
        assert (await send(server, ann, token=token))[0] == 401


async def test_pushes_need_keys(server, token):
    """Without VAPID keys there is no public key to subscribe with, and the answers say so."""
    assert (await server.call(None, "GET", "/api/v1/push/public-key"))[1]["code"] == (
        "push_not_configured"
    )
    device = {"endpoint": "https://push.example.com/1", "keys": {}}
    status, problem = await server.call(token, "POST", "/api/v1/push/subscriptions", device)
    assert (status, problem["code"]) == (404, "push_not_configured")


async def test_a_device_subscribes_and_is_pushed_to(serve, listening):
    """From the public key to the decrypted push, and no more after unsubscribing."""
    service = PushService()
    service.url = await listening.start(service.app())
    server = await serve(vapid_private_key=new_private_key())
    ann = await server.account("ann")
    token = server.issue(ann)
    subscriptions = "/api/v1/push/subscriptions"
    status, known = await server.call(None, "GET", "/api/v1/push/public-key")
    assert status == 200
    assert (await send(server, ann, send_push=True))[1]["push_reason"] == "no_subscription"
    device = service.device()
    subscribed = await server.call(token, "POST", subscriptions, device.subscription)
    assert subscribed == (201, {"endpoint": device.endpoint})
    status, sent = await send(server, ann, send_push=True)
    assert (status, sent["push"], sent["push_reason"]) == (201, "queued", None)
    _, headers, body = await service.push()
    assert device.read(body) == {"id": 2, **MATCHED}
    assert service.signer(headers)[0] == known["public_key"]
    gone = await server.call(token, "DELETE", subscriptions, {"endpoint": device.endpoint})
    assert gone == (204, None)
    assert (await send(server, ann, send_push=True))[1]["push_reason"] == "no_subscription"


async def test_the_answer_does_not_wait_for_the_push(serve, listening):
    """A push service that hangs delays no answer; an account's pushes go out one by one."""
    service = PushService()
    service.url = await listening.start(service.app())
    service.held.clear()
    server = await serve(vapid_private_key=new_private_key())
    ann = await server.account("ann")
    token = server.issue(ann)
    device = service.device()
    await server.call(token, "POST", "/api/v1/push/subscriptions", device.subscription)
    for id in (1, 2):
        status, sent = await send(server, ann, send_push=True)
        assert (status, sent["id"], sent["push"]) == (201, id, "queued")
    first = device.read((await service.push())[2])
    service.held.set()
    second = device.read((await service.push())[2])
    assert (first["id"], second["id"]) == (1, 2)


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:9/", "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "x"],
)
async def test_production_pushes_to_public_services_only(serve, endpoint):
    """A subscription that leads into the house's own network is refused, naming the field."""
    server = await serve(environment="production", vapid_private_key=new_private_key())
    token = await server.token("ann")
    device = PushService().device().subscription | {"endpoint": endpoint}
    status, problem = await server.call(token, "POST", "/api/v1/push/subscriptions", device)
    assert (status, list(problem["errors"])) == (422, ["endpoint"])

"""Pushes, from the queue to a device that reads them."""

import asyncio
import time

import pytest

from app.push import sender as sender_module
from app.push.sender import WebPushSender
from app.push.vapid import VapidKeys
from app.settings import SettingsError
from models.notifications.subscriptions import Subscriptions
from models.times import now
from tests.app.push.service import PushService, base64url, decoded, new_private_key
from tests.live import PATIENCE_S
from tests.notifications_world import BUYER

MESSAGE = b'{"id":1,"title":"Test Notification"}'
SUBJECT = "mailto:admin@example.com"


@pytest.fixture
async def service(listening):
    made = PushService()
    made.url = await listening.start(made.app())
    yield made
    made.held.set()


@pytest.fixture
async def subscriptions(database):
    made = Subscriptions(database, now, public_only=False)
    await made.prepare()
    return made


@pytest.fixture
def keys():
    return VapidKeys(new_private_key(), SUBJECT)


@pytest.fixture
async def sender(keys, subscriptions):
    made = WebPushSender(keys, subscriptions, public_only=False)
    yield made
    await made.close()


async def subscribe(subscriptions, device):
    await subscriptions.add(BUYER, endpoint=device.endpoint, keys=device.keys)


async def endpoints(subscriptions):
    return [subscription.endpoint for subscription in await subscriptions.of("1")]


async def settled(sender):
    """Wait until nothing is under way."""
    async with asyncio.timeout(PATIENCE_S):
        while sender._tasks:
            await asyncio.wait(sender._tasks)


async def test_a_device_reads_what_was_pushed(service, sender, subscriptions):
    """A push is encrypted for the device, signed for its service, and kept for a day."""
    device = service.device()
    await subscribe(subscriptions, device)
    assert sender.queue("1", MESSAGE)
    path, headers, body = await service.push()
    assert path == "/device"
    assert device.read(body) == {"id": 1, "title": "Test Notification"}
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["TTL"] == "86400"
    key, claims = service.signer(headers)
    assert key == sender.public_key
    assert len(decoded(key)) == 65
    assert claims["sub"] == SUBJECT
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600
    assert service.url not in headers.get("Cookie", "")
    await settled(sender)
    assert await endpoints(subscriptions) == [device.endpoint]


async def test_every_device_is_pushed_to(service, sender, subscriptions):
    """All devices of the account get it, and those of others do not."""
    for name in ("phone", "desktop"):
        await subscribe(subscriptions, service.device(name))
    sender.queue("2", MESSAGE)
    sender.queue("1", MESSAGE)
    assert {(await service.push())[0] for _ in range(2)} == {"/phone", "/desktop"}
    await settled(sender)
    assert service.waiting == 0


@pytest.mark.parametrize("status", [404, 410])
async def test_a_gone_subscription_is_removed(service, sender, subscriptions, status):
    """A device that its service does not know any more is forgotten."""
    await subscribe(subscriptions, service.device())
    service.status = status
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    assert await endpoints(subscriptions) == []


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
async def test_a_refused_push_keeps_the_subscription(
    service, sender, subscriptions, status, caplog
):
    """Other refusals are logged, tried no more, and leave the subscription."""
    await subscribe(subscriptions, service.device())
    service.status = status
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    assert len(await endpoints(subscriptions)) == 1
    assert service.waiting == 0
    assert f"push service 127.0.0.1 answered {status}" in caplog.messages


async def test_redirects_are_not_followed(service, sender, subscriptions):
    """A push goes to the address that was checked and to no other."""
    await subscribe(subscriptions, service.device("first"))
    service.status = 307
    service.headers = {"Location": f"{service.url}/second"}
    sender.queue("1", MESSAGE)
    assert (await service.push())[0] == "/first"
    await settled(sender)
    assert service.waiting == 0


async def test_a_service_that_never_answers_is_left(service, sender, subscriptions, monkeypatch):
    """After the timeout the push is given up, and other devices had theirs meanwhile."""
    monkeypatch.setattr(sender_module, "TIMEOUT_S", 0.5)
    await subscribe(subscriptions, service.device())
    service.held.clear()
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    assert len(await endpoints(subscriptions)) == 1


async def test_a_service_that_is_away(sender, subscriptions, listening, caplog):
    """A connection refused is logged, and the subscription kept."""
    gone = PushService()
    gone.url = "http://127.0.0.1:9"
    await subscribe(subscriptions, gone.device())
    sender.queue("1", MESSAGE)
    await settled(sender)
    assert "push service 127.0.0.1 cannot be reached" in caplog.text
    assert len(await endpoints(subscriptions)) == 1


async def test_keys_that_are_no_point_are_of_no_use(service, sender, subscriptions):
    """A subscription that nothing can be encrypted for is removed."""
    not_on_the_curve = base64url(b"\x04" + b"\x01" * 64)
    keys = service.device().keys | {"p256dh": not_on_the_curve}
    await subscriptions.add(BUYER, endpoint=f"{service.url}/device", keys=keys)
    sender.queue("1", MESSAGE)
    await settled(sender)
    assert await endpoints(subscriptions) == []
    assert service.waiting == 0


async def test_a_bounded_number_waits(service, sender, subscriptions, monkeypatch):
    """When too many wait, the next is not taken."""
    monkeypatch.setattr(sender_module, "WAITING_MAX", 2)
    await subscribe(subscriptions, service.device())
    service.held.clear()
    assert [sender.queue("1", MESSAGE) for _ in range(3)] == [True, True, False]
    service.held.set()
    await settled(sender)
    assert sender.queue("1", MESSAGE)


async def test_stopping_does_not_wait_for_a_push_service(service, keys, subscriptions):
    """A push that hangs is dropped when the server stops."""
    sender = WebPushSender(keys, subscriptions, public_only=False)
    await subscribe(subscriptions, service.device())
    service.held.clear()
    sender.queue("1", MESSAGE)
    await service.push()
    began = time.monotonic()
    await sender.close()
    assert time.monotonic() - began < 2
    assert not sender._tasks


async def test_private_addresses_are_never_connected_to(service, keys, subscriptions, caplog):
    """In production no address that was stored before leads to this machine."""
    sender = WebPushSender(keys, subscriptions, public_only=True)
    port = service.url.rpartition(":")[2]
    await subscribe(subscriptions, service.device())
    await subscriptions.add(
        BUYER, endpoint=f"https://127.0.0.1:{port}/tls", keys=service.device().keys
    )
    sender.queue("1", MESSAGE)
    await settled(sender)
    await sender.close()
    assert service.waiting == 0
    assert await endpoints(subscriptions) == []


async def test_names_are_judged_by_what_they_resolve_to(keys, subscriptions):
    """The resolver of production has no address for a name that leads to this machine."""
    sender = WebPushSender(keys, subscriptions, public_only=True)
    resolver = sender._session().connector._resolver
    with pytest.raises(OSError, match="localhost has no public address"):
        await resolver.resolve("localhost", 443)
    assert (await resolver.resolve("8.8.8.8", 443))[0]["host"] == "8.8.8.8"
    await sender.close()


@pytest.mark.parametrize("key", ["", "x", "not base64url!", "AAAA", base64url(bytes(32)), "é" * 43])
def test_a_private_key_that_is_none(key):
    """The server does not start with a key that cannot sign, and never prints it."""
    with pytest.raises(SettingsError, match="VAPID_PRIVATE_KEY") as caught:
        VapidKeys(key, SUBJECT)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("subject", ["", "admin@example.com", "http://example.com"])
def test_a_subject_that_is_none(subject):
    """Push services want to know whom to ask."""
    with pytest.raises(SettingsError, match="VAPID_SUBJECT"):
        VapidKeys(new_private_key(), subject)


def test_the_default_subject_signs():
    """A server whose operator set the key only can push."""
    assert VapidKeys(new_private_key(), "mailto:admin@localhost").public_key

"""Pushes, from the queue to a device that reads them."""

import asyncio
import time
from datetime import timedelta

import pytest

from app.push import sender as sender_module
from app.push.sender import RETRY_S, WebPushSender, seconds_of
from app.push.vapid import VapidKeys
from app.settings import Settings, SettingsError
from models.notifications.push_drops import PushDrops
from models.notifications.subscriptions import Subscriptions
from models.times import now
from tests.app.push.service import PushService, base64url, decoded, new_private_key
from tests.live import PATIENCE_S
from tests.notifications_world import BUYER, SELLER

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
def drops(database):
    return PushDrops(database, now)


@pytest.fixture
async def sender(keys, subscriptions, drops):
    made = WebPushSender(keys, subscriptions, drops, public_only=False)
    yield made
    await made.close()


async def subscribe(subscriptions, device):
    await subscriptions.add(BUYER, endpoint=device.endpoint, keys=device.keys)


async def endpoints(subscriptions):
    return [subscription.endpoint for subscription in await subscriptions.of("1")]


async def settled(sender):
    """Wait until nothing is under way."""
    async with asyncio.timeout(PATIENCE_S):
        while under_way := sender._tasks | sender._retries:
            await asyncio.wait(under_way)


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
    assert (headers["Urgency"], headers.get("Topic")) == ("normal", None)
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


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_subscription_is_removed(service, sender, subscriptions, status, caplog):
    """What a service refuses is of no use, unless it refuses one device after the other."""
    await subscribe(subscriptions, service.device("taken"))
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    service.status = status
    sender.queue("1", MESSAGE)
    await settled(sender)
    assert await endpoints(subscriptions) == []
    assert f"push service 127.0.0.1 answered {status}" in caplog.messages
    for name in ("second", "third", "fourth"):
        await subscribe(subscriptions, service.device(name))
    sender.queue("1", MESSAGE)
    await settled(sender)
    assert len(await endpoints(subscriptions)) == 3
    assert "check VAPID_PRIVATE_KEY" in caplog.text
    service.status = 201
    sender.queue("1", MESSAGE)
    await settled(sender)
    service.status = status
    sender.queue("1", MESSAGE)
    await settled(sender)
    assert len(await endpoints(subscriptions)) == 2


@pytest.mark.parametrize("status", [413, 500, 502])
async def test_a_failed_push_keeps_the_subscription(service, sender, subscriptions, status, caplog):
    """Other answers are logged, tried no more, and leave the subscription."""
    await subscribe(subscriptions, service.device())
    service.status = status
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    assert len(await endpoints(subscriptions)) == 1
    assert (service.waiting, len(sender._retries)) == (0, 0)
    assert f"push service 127.0.0.1 answered {status}" in caplog.messages


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_asked_again(service, sender, subscriptions, status, monkeypatch):
    """A push is sent again when its service has said, three times in all, and kept no longer."""
    slept = []
    sleep = asyncio.sleep

    async def at_once(delay_s):
        slept.append(delay_s)
        await sleep(0)

    monkeypatch.setattr(sender_module.asyncio, "sleep", at_once)
    await subscribe(subscriptions, service.device())
    service.status, service.headers = status, {"Retry-After": "7"}
    sender.queue("1", MESSAGE)
    for _ in range(2):
        await service.push()
    service.headers = {}
    await service.push()
    await settled(sender)
    assert (slept, service.waiting) == ([7, 7], 0)
    sender.queue("1", MESSAGE)
    for _ in range(3):
        await service.push()
    assert slept[2:] == [RETRY_S, 2 * RETRY_S]
    service.headers = {"Retry-After": "3600"}
    sender.queue("1", MESSAGE)
    await service.push()
    await settled(sender)
    assert (len(slept), len(await endpoints(subscriptions))) == (4, 1)


async def test_a_retry_is_for_the_same_device_only(service, sender, subscriptions, monkeypatch):
    """A device that was unsubscribed while its push waited gets it no more; stopping drops it."""
    monkeypatch.setattr(sender_module, "RETRY_S", 0.5)
    await subscribe(subscriptions, service.device())
    service.status = 503
    sender.queue("1", MESSAGE)
    await service.push()
    await asyncio.wait(sender._tasks)
    (endpoint,) = await endpoints(subscriptions)
    await subscriptions.remove(BUYER, endpoint=endpoint)
    await asyncio.wait(sender._retries)
    assert (service.waiting, sender._retries) == (0, set())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *((None, 0), ("", 0), ("7", 7), ("-7", 0), ("1_0", 0), ("9" * 5000, 0), ("soon", 0)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", pytest.approx(2.5e11, rel=0.1)),
    ],
)
def test_when_to_come_back(header, seconds):
    """`Retry-After` is seconds or a date; anything else says nothing."""
    assert seconds_of(header) == seconds


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


async def test_stopping_does_not_wait_for_a_push_service(service, keys, subscriptions, drops):
    """A push that hangs is dropped when the server stops."""
    sender = WebPushSender(keys, subscriptions, drops, public_only=False)
    await subscribe(subscriptions, service.device())
    service.held.clear()
    sender.queue("1", MESSAGE)
    await service.push()
    began = time.monotonic()
    await sender.close()
    assert time.monotonic() - began < 2
    assert not sender._tasks


async def test_private_addresses_are_never_connected_to(
    service, keys, subscriptions, drops, caplog
):
    """In production no address that was stored before leads to this machine."""
    sender = WebPushSender(keys, subscriptions, drops, public_only=True)
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


async def test_names_are_judged_by_what_they_resolve_to(keys, subscriptions, drops):
    """The resolver of production has no address for a name that leads to this machine."""
    sender = WebPushSender(keys, subscriptions, drops, public_only=True)
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


@pytest.mark.parametrize(
    "subject",
    [
        *("", "admin@example.com", "http://example.com", "mailto:", "https://", "mailto:a@b"),
        *("mailto:admin@localhost", "https://localhost/", "mailto:ops@server.local"),
        *("mailto: admin@example.com", "mailto:<admin@example.com>", "https://10.0.0.1/"),
        *("mailto:admin@example.com\n", "https://user@example.com/"),
    ],
)
def test_a_subject_that_is_none(subject):
    """Push services want to know whom to ask, and Apple's refuses names that lead nowhere."""
    with pytest.raises(SettingsError, match="VAPID_SUBJECT"):
        VapidKeys(new_private_key(), subject)


def test_where_the_subject_comes_from(settings, monkeypatch):
    """It is what is set, else the server's public https address; production needs one of them."""
    assert VapidKeys(new_private_key(), settings.vapid_subject).public_key
    for name, value in (("ENVIRONMENT", "production"), ("MONGODB_URI", "mongodb://localhost/x")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VAPID_PRIVATE_KEY", new_private_key())
    for url in ("https://localhost:8080", ""):
        monkeypatch.setenv("PUBLIC_URL", url)
        with pytest.raises(SettingsError, match="VAPID_SUBJECT"):
            Settings.from_env()
    monkeypatch.setenv("PUBLIC_URL", "https://shop.example.org:8443")
    assert Settings.from_env().vapid_subject == "https://shop.example.org:8443"
    for subject in ("mailto:ops@shop.example.org", "https://shop.example.org/contact"):
        monkeypatch.setenv("VAPID_SUBJECT", subject)
        assert Settings.from_env().vapid_subject == subject
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:admin@localhost")
    with pytest.raises(SettingsError, match="VAPID_SUBJECT"):
        Settings.from_env()


async def test_dead_devices_of_one_account_silence_nobody(
    service, sender, subscriptions, listening, monkeypatch
):
    """Ten devices that hang and hundreds of pushes to them: others get all theirs meanwhile."""
    monkeypatch.setattr(sender_module, "WAITING_PER_ACCOUNT", 5)
    hanging = PushService()
    hanging.url = await listening.start(hanging.app())
    hanging.held.clear()
    for number in range(10):
        await subscribe(subscriptions, hanging.device(f"dead-{number}"))
    device = service.device()
    await subscriptions.add(SELLER, endpoint=device.endpoint, keys=device.keys)
    taken = 0
    for number in range(560):
        taken += sender.queue("1", MESSAGE)
        if number % 56 == 0:
            assert sender.queue("2", MESSAGE, urgency="high", topic="t" * 32)
            headers = (await service.push())[1]
            assert (headers["Urgency"], headers["Topic"]) == ("high", "t" * 32)
    assert taken <= sender_module.WAITING_PER_ACCOUNT + 1
    assert hanging.waiting <= 10, "one push of an account at a time"
    hanging.held.set()
    await settled(sender)
    assert sender.dropped["busy"] == 560 - taken


async def test_a_device_that_cannot_be_reached_is_left_alone(
    sender, subscriptions, caplog, monkeypatch
):
    """After a failure its pushes are dropped and counted at once, and later it is tried again."""
    gone = PushService()
    gone.url = "http://127.0.0.1:9"
    await subscribe(subscriptions, gone.device())
    for _ in range(3):
        sender.queue("1", MESSAGE)
    await settled(sender)
    assert sender.dropped == {"unreachable": 1, "backing_off": 2}
    assert "pushes dropped since the start: {'unreachable': 1}" in caplog.messages
    loop = asyncio.get_running_loop()
    later = loop.time() + sender_module.BACKOFF_S
    monkeypatch.setattr(loop, "time", lambda: later)
    sender.queue("1", MESSAGE)
    await asyncio.gather(*sender._tasks)
    assert sender.dropped["unreachable"] == 2


async def test_accounts_with_much_waiting_make_room_for_others(
    service, sender, subscriptions, monkeypatch
):
    """When all places are taken, the account with the most gives one up to one with none."""
    monkeypatch.setattr(sender_module, "WAITING_MAX", 5)
    service.held.clear()
    for who in (BUYER, SELLER):
        device = service.device(who.account_id)
        await subscriptions.add(who, endpoint=device.endpoint, keys=device.keys)
    assert [sender.queue("1", MESSAGE) for _ in range(6)] == [True] * 5 + [False]
    assert sender.queue("2", MESSAGE)
    assert {(await service.push())[0] for _ in range(2)} == {"/1", "/2"}
    assert sender.dropped == {"busy": 2}
    service.held.set()
    await settled(sender)


async def test_retries_of_one_account_are_bounded(service, sender, subscriptions, monkeypatch):
    """An account whose service is always busy takes its share of the retries and no more."""
    monkeypatch.setattr(sender_module, "RETRIES_PER_ACCOUNT", 2)
    for who in (BUYER, SELLER):
        device = service.device(who.account_id)
        await subscriptions.add(who, endpoint=device.endpoint, keys=device.keys)
    service.status = 503
    for account_id in ("1", "1", "1", "2"):
        sender.queue(account_id, MESSAGE)
    for _ in range(4):
        await service.push()
    while sender._tasks:
        await asyncio.wait(sender._tasks)
    assert sender._retries_of == {"1": 2, "2": 1}
    assert sender.dropped == {"service_busy": 1}


async def test_dropped_pushes_are_kept_for_operators(keys, subscriptions, drops, monkeypatch):
    """Counts of all processes add up by day and reason, and are kept when a process stops."""
    monkeypatch.setattr(sender_module, "WAITING_PER_ACCOUNT", 2)
    for _ in range(2):
        sender = WebPushSender(keys, subscriptions, drops, public_only=False)
        assert [sender.queue("1", MESSAGE) for _ in range(5)].count(False) == 2
        await sender.close()
    today = now().date().isoformat()
    counted = {(day, reason): count async for day, reason, count in drops.days()}
    assert counted[today, "busy"] == 4
    assert sum(counted.values()) == sum(sender.dropped.values()) * 2


async def test_dropped_pushes_are_saved_once_a_minute(keys, subscriptions, drops, monkeypatch):
    """A running server writes what it counts, in one go, and again what comes later."""
    monkeypatch.setattr(sender_module, "LOG_INTERVAL_S", 0.0)
    monkeypatch.setattr(sender_module, "WAITING_PER_ACCOUNT", 0)
    sender = WebPushSender(keys, subscriptions, drops, public_only=False)
    for total in (1, 2):
        sender.queue("1", MESSAGE)
        await sender._saving
        assert [count async for *_, count in drops.days()] == [total]
    await sender.close()


async def test_old_counts_are_forgotten(database, clock):
    """After 30 days a day's counts go."""
    drops = PushDrops(database, clock)
    await drops.prepare()
    await drops.add({"busy": 1})
    clock.move(timedelta(days=1))
    await drops.add({"busy": 2})
    clock.move(timedelta(days=29))
    await drops.sweep()
    assert [count async for *_, count in drops.days()] == [2]

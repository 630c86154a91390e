"""Which addresses a push may go to, and whose a device is."""

from datetime import timedelta

import pytest

from models.errors import Invalid
from models.notifications.endpoints import check_endpoint, is_public
from models.notifications.subscriptions import DEVICES_MAX, Subscriptions
from tests.notifications_world import BUYER, ENDPOINT, KEYS, SELLER


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://web.push.apple.com/QABC",
        "https://wns2-par02p.notify.windows.com:443/w/?token=BQ%3d%3d",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_push_services_are_allowed(endpoint):
    """The addresses that browsers hand out pass in production."""
    check_endpoint(endpoint, public_only=True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "push",
        "//push.example.com/",
        "ftp://push.example.com/",
        "file:///etc/passwd",
        "http://push.example.com/",
        "https://push.example.com:8443/",
        "https://push.example.com:99999/",
        "https://push.example.com:22/",
        "https://user:password@push.example.com/",
        "https://push.example.com/a b",
        "https://push.example.com/\r\nHost: x",
        "https://püsh.example.com/",
        "https://",
        "https://[::1",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://app.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.0.0.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://[0:0:0:0:0:ffff:a00:1]/",
        "https://[::10.0.0.1]/",
        "https://[::ffff:0:10.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[64:ff9b:1::10.0.0.1]/",
        "https://[2002:a00:1::1]/",
        "https://[2001:0:808:808::f5ff:fffe]/",
        "https://[2606:4700::5efe:10.0.0.1]/",
        "https://[2606:4700::200:5efe:808:808]/",
        "https://[fec0::1]/",
        "https://%31%30.0.0.%31/",
        "https://push.example.com%2f@10.0.0.1/",
        "https://10.0.0.1\\.example.com/",
    ],
)
def test_other_addresses_are_refused(endpoint):
    """What is not a public https address is refused in production, naming the field."""
    with pytest.raises(Invalid) as caught:
        check_endpoint(endpoint, public_only=True)
    assert set(caught.value.fields) == {"endpoint"}


def test_ones_own_machine_may_push_to_itself():
    """Development allows local services over http, but no other scheme."""
    check_endpoint("http://127.0.0.1:9000/push", public_only=False)
    check_endpoint("https://localhost:9000/push", public_only=False)
    for endpoint in ("ftp://127.0.0.1/", "file:///etc/passwd", "http://a:b@127.0.0.1/"):
        with pytest.raises(Invalid):
            check_endpoint(endpoint, public_only=False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2606:4700::1111", True),
        ("::ffff:0808:0808", True),
        ("::8.8.8.8", False),
        ("::ffff:0:8.8.8.8", False),
        ("10.1.2.3", False),
        ("::ffff:10.1.2.3", False),
        ("64:ff9b::a01:203", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("239.1.1.1", False),
        ("255.255.255.255", False),
        ("198.18.0.1", False),
        ("not an address", False),
    ],
)
def test_public_addresses(address, public):
    """An address inside another form of address is judged by what it leads to."""
    assert is_public(address) == public


@pytest.fixture
async def subscriptions(database, clock):
    made = Subscriptions(database, clock, public_only=True)
    await made.prepare()
    return made


async def test_a_device_belongs_to_who_subscribed_last(subscriptions):
    """A shared browser gets the pushes of the one user who is signed in there now."""
    await subscriptions.add(BUYER, endpoint=ENDPOINT, keys=KEYS)
    (first,) = await subscriptions.of("1")
    assert (first.endpoint, first.p256dh, first.auth) == (ENDPOINT, KEYS["p256dh"], KEYS["auth"])
    await subscriptions.add(SELLER, endpoint=ENDPOINT, keys=KEYS)
    assert await subscriptions.of("1") == []
    assert await subscriptions.of("2") == [first]
    await subscriptions.remove(BUYER, endpoint=ENDPOINT)
    await subscriptions.forget(first.id, "1")
    assert await subscriptions.of("2") == [first]
    await subscriptions.remove(SELLER, endpoint=ENDPOINT)
    assert await subscriptions.of("2") == []


async def test_a_bad_endpoint_is_not_kept(subscriptions):
    """An address that may not be pushed to is refused before it is stored."""
    with pytest.raises(Invalid):
        await subscriptions.add(BUYER, endpoint="https://169.254.169.254/", keys=KEYS)
    assert await subscriptions.of("1") == []


async def test_the_oldest_device_makes_room(subscriptions, clock):
    """An account has a bounded number of devices, the newest ones."""
    for n in range(DEVICES_MAX + 2):
        clock.move(timedelta(seconds=1))
        await subscriptions.add(BUYER, endpoint=f"{ENDPOINT}{n}", keys=KEYS)
    kept = [subscription.endpoint for subscription in await subscriptions.of("1")]
    assert kept == [f"{ENDPOINT}{n}" for n in range(2, DEVICES_MAX + 2)]

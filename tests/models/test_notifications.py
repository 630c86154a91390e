"""Notifications: stored, told once for each cause, and never missed by who reads by cursor."""

import asyncio
from contextlib import suppress

import pytest

from app.storage import open_store
from models.errors import Invalid, NotFound
from models.rooms import user_room
from tests.notifications_world import (
    BUYER,
    ENDPOINT,
    KEYS,
    MATCHED,
    NOBODY,
    SELLER,
    SHIPPED,
    Cut,
    CutDatabase,
    RecordingPush,
    build,
    everything,
)
from tests.stories_world import RecordingPublisher


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def push():
    return RecordingPush()


@pytest.fixture
async def notifications(database, publisher, push, clock):
    made = build(database, publisher, clock, push)
    await made.prepare()
    return made


@pytest.fixture
async def neighbour(settings, database, publisher, clock):
    """A second process's notifications: a store of its own on the same data."""
    store = await open_store(settings)
    yield build(store.database, publisher, clock)
    await store.close()


def ids_told(publisher):
    return [data["id"] for data, _ in publisher.take("notification")]


async def test_a_notification_is_stored_and_told(notifications, publisher):
    """It is in the inbox as unread, and its account's devices hear the same."""
    await notifications("1", **MATCHED, key="match:1")
    shown = {"id": 1, **MATCHED, "created_at": "2026-03-01T12:00:00.000Z"}
    assert publisher.take() == [
        ({"user_id": "1", **shown, "unread": 1, "revision": 1}, (user_room("1"),))
    ]
    assert await notifications.inbox.page(BUYER) == {
        "items": [shown | {"read": False, "archived": False}],
        "next": None,
        "unread": 1,
        "revision": 1,
    }


async def test_each_account_has_an_inbox_of_its_own(notifications):
    """One cause may be told to several; ids count each account's own from 1."""
    for account_id in ("1", "2"):
        await notifications(account_id, **MATCHED, key="match:1")
    for who in (BUYER, SELLER):
        assert [item["id"] for item in await everything(notifications, who)] == [1]


async def test_a_key_is_of_its_type(notifications):
    """Two types caused by one order under one key are two notifications."""
    await notifications("1", **MATCHED, key="order:1")
    await notifications("1", **SHIPPED, key="order:1")
    assert len(await everything(notifications)) == 2


async def test_twenty_repeats_at_once_are_one(notifications, neighbour, publisher, push):
    """However many processes repeat a cause at the same time, it is stored, told, pushed once."""
    await asyncio.gather(
        *(each("1", **MATCHED, key="match:1") for each in [notifications, neighbour] * 10)
    )
    assert ids_told(publisher) == [1]
    assert [item["id"] for item in await everything(notifications)] == [1]
    assert (await notifications.inbox.unread(BUYER))["unread"] == 1
    assert len(push.sent) <= 1


async def test_two_stores_race_for_numbers(notifications, neighbour, publisher):
    """Different causes told by two processes at once get all numbers without gaps, once each."""
    causes = [(each, f"match:{n}") for n in range(20) for each in (notifications, neighbour)]
    await asyncio.gather(*(each("1", **MATCHED, key=key) for each, key in causes))
    assert sorted(ids_told(publisher)) == [*range(1, 21)]
    assert [item["id"] for item in await everything(notifications)] == [*range(20, 0, -1)]
    assert (await neighbour.inbox.unread(BUYER))["unread"] == 20


async def test_a_crash_anywhere_is_repaired_by_the_repeat(database, publisher, clock):
    """A process that dies before any of its writes has told at most once, and its repeat once."""
    for writes in range(10):
        account_id = str(writes + 1)
        cut = CutDatabase(database, writes)
        dying = build(cut, publisher, clock)
        try:
            await dying(account_id, **MATCHED, key="match:1")
        except Cut:
            assert cut.left == 0
        else:
            # All writes were made; the loop has been through every one of them.
            assert writes == 4
            break
        assert ids_told(publisher) == []
        await build(database, publisher, clock)(account_id, **MATCHED, key="match:1")
        assert ids_told(publisher) == [1]
    else:
        pytest.fail("it never came to an end")


async def test_what_a_crash_left_is_found_by_a_reader(database, publisher, clock, notifications):
    """A notification stored, but not taken in, is taken in and told when its owner looks."""
    dying = build(CutDatabase(database, 3), publisher, clock)
    with pytest.raises(Cut):
        await dying("1", **MATCHED, key="match:1")
    assert ids_told(publisher) == []
    assert (await notifications.inbox.unread(BUYER))["unread"] == 1
    assert ids_told(publisher) == [1]


async def test_what_a_crash_left_is_told_before_what_follows(
    database, publisher, clock, notifications
):
    """The next notification of the account brings the one in front of it along, in order."""
    dying = build(CutDatabase(database, 3), publisher, clock)
    with pytest.raises(Cut):
        await dying("1", **MATCHED, key="match:1")
    await notifications("1", **SHIPPED, key="order:1")
    told = publisher.take("notification")
    assert [(data["id"], data["type"]) for data, _ in told] == [
        (1, "match_created"),
        (2, "order_shipped"),
    ]


async def test_a_cause_whose_place_was_taken_moves_on(database, publisher, clock, notifications):
    """A cause that was claimed, then overtaken, is told behind the one that overtook it."""
    dying = build(CutDatabase(database, 2), publisher, clock)
    with pytest.raises(Cut):
        await dying("1", **MATCHED, key="match:1")
    await notifications("1", **SHIPPED, key="order:1")
    for _ in range(2):
        await notifications("1", **MATCHED, key="match:1")
    assert ids_told(publisher) == [1, 2]
    assert [item["type"] for item in await everything(notifications)] == [
        "match_created",
        "order_shipped",
    ]


async def test_a_cursor_never_misses(notifications, neighbour):
    """Who asks for what came after the last id seen, while two processes write, gets all of it."""
    written = 40

    async def write(each, name):
        for n in range(written // 2):
            await each("1", **MATCHED, key=f"{name}:{n}")

    writing = asyncio.gather(write(notifications, "a"), write(neighbour, "b"))
    seen, asked = [], 0
    while len(seen) < written:
        page = await notifications.inbox.page(BUYER, after=seen[-1] if seen else 0, limit=7)
        seen += [item["id"] for item in page["items"]]
        asked += 1
        if writing.done():
            assert seen
    await writing
    assert seen == [*range(1, written + 1)]
    assert asked > 1


async def test_a_service_tells_a_user(notifications, publisher):
    """What a service sends gets an id each time, and is told like any other."""
    first = await notifications.send(user_id="1", **MATCHED)
    again = await notifications.send(user_id="1", **MATCHED)
    assert first == {
        "id": 1,
        "user_id": "1",
        "created": True,
        "push": "not_requested",
        "push_reason": None,
    }
    assert again == first | {"id": 2}
    assert ids_told(publisher) == [1, 2]


async def test_an_idempotency_key_is_told_once(notifications, publisher):
    """A repeat under one key answers with the first one's id; another content is a conflict."""
    await notifications.send(user_id="1", **MATCHED, idempotency_key="k")
    again = await notifications.send(user_id="1", **MATCHED, idempotency_key="k")
    assert (again["id"], again["created"]) == (1, False)
    for other in ({"title": "Other"}, {"type": "order_paid"}, {"link": ""}):
        with pytest.raises(Invalid) as caught:
            await notifications.send(user_id="1", **MATCHED | other, idempotency_key="k")
        assert caught.value.code == "key_reused"
    assert ids_told(publisher) == [1]


async def test_a_service_cannot_take_a_domains_key(notifications):
    """Keys of services and of domains are two worlds."""
    await notifications("1", **MATCHED, key="k")
    sent = await notifications.send(user_id="1", **MATCHED, idempotency_key="k")
    assert sent["created"]
    assert len(await everything(notifications)) == 2


async def test_an_unknown_user_is_not_told(notifications, publisher):
    """A service that names nobody gets an error, and nothing is stored."""
    with pytest.raises(NotFound) as caught:
        await notifications.send(user_id=NOBODY, **MATCHED)
    assert caught.value.code == "account_not_found"
    assert publisher.take() == []


async def push_outcome(notifications, **changes):
    sent = await notifications.send(user_id="1", **MATCHED, send_push=True, **changes)
    return sent["push"], sent["push_reason"]


async def test_a_push_goes_to_who_subscribed(notifications, push):
    """The answer says whether a push is on its way, and else why not."""
    assert await push_outcome(notifications) == ("skipped", "no_subscription")
    await notifications.subscriptions.add(BUYER, endpoint=ENDPOINT, keys=KEYS)
    assert await push_outcome(notifications, idempotency_key="k") == ("queued", None)
    assert await push_outcome(notifications, idempotency_key="k") == ("skipped", "repeated")
    wanted = await notifications.inbox.preferences(BUYER)
    await notifications.inbox.prefer(BUYER, wanted | {"match_created": False})
    assert await push_outcome(notifications) == ("skipped", "muted")
    assert [account_id for account_id, _ in push.sent] == ["1"]


async def test_a_push_that_finds_no_room_is_skipped(database, publisher, clock):
    """When too many wait, the answer says so; the notification is there all the same."""
    notifications = build(database, publisher, clock, RecordingPush(room=0))
    await notifications.subscriptions.add(BUYER, endpoint=ENDPOINT, keys=KEYS)
    assert await push_outcome(notifications) == ("skipped", "busy")
    assert len(await everything(notifications)) == 1


async def test_without_keys_a_push_is_skipped(database, publisher, clock):
    """A server without VAPID keys says so."""
    notifications = build(database, publisher, clock)
    assert await push_outcome(notifications) == ("skipped", "no_vapid_keys")


async def test_what_domains_tell_is_pushed_once(notifications, push):
    """A cause is pushed when it is first told, not when it is repeated."""
    for _ in range(2):
        await notifications("1", **MATCHED, key="match:1")
    ((account_id, message),) = push.sent
    assert account_id == "1"
    assert b'"title":"Your bid has been matched!"' in message


async def test_a_process_that_dies_before_the_push_leaves_it_to_the_repeat(
    database, publisher, push, clock
):
    """Before whichever write a process dies, the repeat under the same key tells and pushes."""
    whole = build(database, publisher, clock, push)
    await whole.subscriptions.add(BUYER, endpoint=ENDPOINT, keys=KEYS)
    writes, left = 0, 0
    while left == 0:
        cut = CutDatabase(database, writes)
        dying = build(cut, publisher, clock, push)
        with suppress(Cut):
            await dying.send(user_id="1", **MATCHED, send_push=True, idempotency_key=f"k{writes}")
        left = cut.left
        await whole.send(user_id="1", **MATCHED, send_push=True, idempotency_key=f"k{writes}")
        writes += 1
        assert len(push.sent) == writes
        assert len(publisher.take("notification")) == 1
    assert writes > 3

"""The inbox: pages, what is unread, what is put away, and what is wanted."""

import asyncio
from datetime import timedelta

import pytest
from marshmallow import ValidationError

from models.errors import NotFound
from models.notifications import inbox as inbox_module
from models.notifications import spans
from models.notifications.port import Notice
from models.notifications.schema import TYPES, InboxQuery
from models.rooms import user_room
from tests.notifications_world import BUYER, MATCHED, SELLER, SHIPPED, build, everything
from tests.stories_world import RecordingPublisher


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def notifications(database, publisher, clock):
    made = build(database, publisher, clock)
    await made.prepare()
    return made


@pytest.fixture
def inbox(notifications):
    return notifications.inbox


async def fill(notifications, count, content=MATCHED):
    for n in range(count):
        await notifications("1", **content, key=f"{n}")


def ids(page):
    following = page["next"]
    return (
        [item["id"] for item in page["items"]],
        None if following is None else int(following.partition(".")[2]),
    )


async def test_an_empty_inbox(inbox):
    """Who was never told anything has an empty page and nothing unread."""
    assert await inbox.page(BUYER) == {"items": [], "next": None, "unread": 0, "revision": 0}
    assert await inbox.unread(BUYER) == {"unread": 0, "revision": 0}
    assert await inbox.read_all(BUYER) == {"unread": 0, "revision": 0}


async def test_pages_go_back_from_the_newest(notifications, inbox):
    """`next` leads through all older ones, and is null when there are none."""
    await fill(notifications, 5)
    assert ids(await inbox.page(BUYER, limit=2)) == ([5, 4], 4)
    assert ids(await inbox.page(BUYER, limit=2, before=4)) == ([3, 2], 2)
    assert ids(await inbox.page(BUYER, limit=2, before=2)) == ([1], None)
    assert ids(await inbox.page(BUYER, limit=5)) == ([5, 4, 3, 2, 1], None)
    assert ids(await inbox.page(BUYER, before=0)) == ([], None)


async def test_pages_go_forward_from_a_cursor(notifications, inbox):
    """`after` gives what came since, oldest first, up to `before` when both are given."""
    await fill(notifications, 5)
    assert ids(await inbox.page(BUYER, limit=2, after=0)) == ([1, 2], 2)
    assert ids(await inbox.page(BUYER, limit=2, after=2)) == ([3, 4], 4)
    assert ids(await inbox.page(BUYER, limit=2, after=4)) == ([5], None)
    assert ids(await inbox.page(BUYER, after=5)) == ([], None)
    assert ids(await inbox.page(BUYER, after=1, before=4)) == ([2, 3], None)
    assert ids(await inbox.page(BUYER, after=2**53 - 1)) == ([], None)


@pytest.mark.parametrize("field", ["after", "before"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"before": 6}, [5, 4, 3, 2, 1]),
        ({"after": 2}, [3, 4, 5, 6, 7]),
    ],
)
async def test_next_goes_on_where_it_comes_from(notifications, inbox, query, expected, field):
    """Sent back as `after`, or as `before`, it gives what follows in the same direction, once."""
    await fill(notifications, 7)
    seen, sent = [], {"limit": "2"} | query
    while sent:
        page = await inbox.page(BUYER, **InboxQuery().load(sent))
        seen += [item["id"] for item in page["items"]]
        sent = page["next"] and sent | {field: page["next"]}
    assert seen == expected


@pytest.mark.parametrize(
    "wrong",
    ["older", "older.", "older.x", "newer.-1", "later.3", f"older.{2**53}", "older.1.2", ""],
)
def test_cursors_that_cannot_be(wrong):
    """What no page gave is refused under its name."""
    for field in ("after", "before"):
        with pytest.raises(ValidationError) as caught:
            InboxQuery().load({field: wrong})
        assert set(caught.value.messages_dict) == {field}


async def test_changes_of_old_notifications_are_recovered(notifications, inbox):
    """What was read and archived while a device was away is what it has afterwards."""
    await fill(notifications, 8)
    known = (await inbox.unread(BUYER))["revision"]
    await inbox.read(BUYER, 3)
    for id in (5, 3, 8, 5):
        await inbox.archive(BUYER, id)
    first = await inbox.changes(BUYER, after=known, limit=2)
    assert (first["archived_ids"], first["more"]) == ([5, 3], True)
    rest = await inbox.changes(BUYER, after=first["revision"], limit=2)
    assert (rest["archived_ids"], rest["more"]) == ([8], False)
    assert rest["unread_ranges"] == [[1, 2], [4, 4], [6, 7]]
    assert (rest["unread"], rest["revision"]) == (5, (await inbox.unread(BUYER))["revision"])
    await inbox.read_all(BUYER)
    last = await inbox.changes(BUYER, after=rest["revision"])
    assert (last["unread_ranges"], last["archived_ids"], last["unread"]) == ([], [], 0)
    assert (await inbox.changes(BUYER, after=last["revision"]))["revision"] == last["revision"]


async def test_archived_ones_leave_the_inbox(notifications, inbox, publisher):
    """What is put away is read, told as such to the devices, and found in the archive only."""
    await fill(notifications, 3)
    publisher.take()
    assert await inbox.archive(BUYER, 2) == {"unread": 2, "revision": 4}
    assert publisher.take() == [({"id": 2, "unread": 2, "revision": 4}, (user_room("1"),))]
    assert await inbox.archive(BUYER, 2) == {"unread": 2, "revision": 4}
    assert publisher.take() == []
    assert ids(await inbox.page(BUYER)) == ([3, 1], None)
    archive = await inbox.page(BUYER, archived=True)
    assert ids(archive) == ([2], None)
    assert (archive["items"][0]["read"], archive["items"][0]["archived"]) == (True, True)


async def test_a_read_one_is_archived_too(notifications, inbox, publisher):
    """Putting away what was read already tells of it, as a change of its own."""
    await fill(notifications, 2)
    await inbox.read(BUYER, 1)
    publisher.take()
    await inbox.archive(BUYER, 1)
    assert publisher.take() == [({"id": 1, "unread": 1, "revision": 4}, (user_room("1"),))]


async def test_a_long_stretch_of_archived_ones(notifications, inbox, monkeypatch):
    """A page that finds nothing in what it may look at ends early, with a cursor to go on from."""
    monkeypatch.setattr(inbox_module, "SCAN_MAX", 3)
    await fill(notifications, 8)
    for id in range(2, 8):
        await inbox.archive(BUYER, id)
    assert ids(await inbox.page(BUYER, limit=2)) == ([8], 6)
    assert ids(await inbox.page(BUYER, limit=2, before=6)) == ([], 3)
    assert [item["id"] for item in await everything(notifications, limit=2)] == [8, 1]
    assert [item["id"] for item in await everything(notifications, limit=2, after=0)] == [1, 8]


async def test_reading_clears_the_other_devices(notifications, inbox, publisher):
    """Reading one counts it off and tells all devices of the user; a repeat is quiet."""
    await fill(notifications, 2)
    publisher.take()
    assert await inbox.read(BUYER, 1) == {"unread": 1, "revision": 3}
    (event, rooms), *more = publisher.published
    assert (event.domain, event.also_in) == ("notifications", ("market",))
    assert (event.name, rooms) == ("notification.read", (user_room("1"),))
    assert event.data() == {"ranges": [[1, 1]], "unread": 1, "revision": 3}
    assert more == []
    publisher.take()
    assert await inbox.read(BUYER, 1) == {"unread": 1, "revision": 3}
    assert publisher.take() == []
    read = {item["id"]: item["read"] for item in await everything(notifications)}
    assert read == {1: True, 2: False}


@pytest.mark.parametrize("id", [0, 2, 2**53 - 1])
async def test_what_is_not_there_cannot_be_read(notifications, inbox, publisher, id):
    """Neither reading nor putting away finds an id that the account does not have."""
    await fill(notifications, 1)
    await notifications("2", **MATCHED, key="a")
    await notifications("2", **MATCHED, key="b")
    publisher.take()
    for act in (inbox.read, inbox.archive):
        with pytest.raises(NotFound) as caught:
            await act(BUYER, id)
        assert caught.value.code == "notification_not_found"
    assert publisher.take() == []
    assert (await inbox.unread(SELLER))["unread"] == 2


async def test_reading_all(notifications, inbox, publisher):
    """All unread ones are read at once, in one event that names them."""
    await fill(notifications, 4)
    await inbox.read(BUYER, 2)
    publisher.take()
    assert await inbox.read_all(BUYER) == {"unread": 0, "revision": 6}
    assert [data for data, _ in publisher.take()] == [
        {"ranges": [[1, 1], [3, 4]], "unread": 0, "revision": 6}
    ]
    assert await inbox.read_all(BUYER) == {"unread": 0, "revision": 6}
    assert publisher.take() == []


async def test_reading_all_that_was_seen(notifications, inbox, publisher):
    """`up_to` leaves what came after the screen was drawn."""
    await fill(notifications, 4)
    publisher.take()
    assert (await inbox.read_all(BUYER, up_to=3))["unread"] == 1
    assert [data["ranges"] for data, _ in publisher.take()] == [[[1, 3]]]


async def test_the_count_is_right_while_all_race(notifications, database, publisher, clock):
    """While notifications come from two models and are read at once, none is counted wrongly."""
    await fill(notifications, 10)
    neighbour = build(database, publisher, clock)
    publisher.take()
    await asyncio.gather(
        *(each("1", **SHIPPED, key=f"{n}") for n in range(10) for each in (notifications,)),
        *(neighbour("1", **MATCHED, key=f"new:{n}") for n in range(10)),
        *(each.inbox.read(BUYER, id) for id in range(1, 9) for each in (notifications, neighbour)),
        neighbour.inbox.archive(BUYER, 9),
        notifications.inbox.read_all(BUYER, up_to=10),
    )
    unread = (await neighbour.inbox.unread(BUYER))["unread"]
    items = await everything(notifications)
    assert unread == 20 == sum(not item["read"] for item in items)
    cleared = []
    for event, _ in publisher.published:
        for first, last in event.data().get("ranges", ()):
            cleared += range(first, last + 1)
    # The ninth is cleared by its archiving, unless reading all was first.
    assert sorted({*cleared, 9}) == [*range(1, 11)]
    assert len(cleared) == len(set(cleared))
    revisions = [event.data()["revision"] for event, _ in publisher.published]
    last = max(range(len(revisions)), key=revisions.__getitem__)
    assert publisher.published[last][0].data()["unread"] == 20


async def test_an_inbox_stays_small(notifications, inbox, database, monkeypatch):
    """Who skips too many while reading others finds the oldest of them read; counts are exact."""
    monkeypatch.setattr(spans, "SPANS_MAX", 2)
    await fill(notifications, 9)
    assert (await database["notification_inboxes"].find_one({"_id": "1"}))["unread"] == [1, 9]
    for id in (3, 5, 8):
        await inbox.read(BUYER, id)
    assert (await inbox.unread(BUYER))["unread"] == 3
    read = [item["id"] for item in await everything(notifications) if not item["read"]]
    assert read == [9, 7, 6]


async def test_all_types_are_wanted_at_first(inbox):
    """Who chose nothing is told of everything."""
    assert await inbox.preferences(BUYER) == dict.fromkeys(TYPES, True)


async def test_a_muted_type_is_stored_in_silence(notifications, inbox, publisher):
    """It rings no device and counts nowhere, but stands in the inbox as read; others go on."""
    wanted = dict.fromkeys(TYPES, True) | {"order_shipped": False}
    assert await inbox.prefer(BUYER, wanted) == wanted
    assert await inbox.preferences(BUYER) == wanted
    await notifications("1", **SHIPPED, key="order:1")
    await notifications("1", **MATCHED, key="match:1")
    await notifications("2", **SHIPPED, key="order:1")
    told = [(data["user_id"], data["type"], data["unread"]) for data, _ in publisher.take()]
    assert told == [("1", "match_created", 1), ("2", "order_shipped", 1)]
    shown = [(item["id"], item["type"], item["read"]) for item in await everything(notifications)]
    assert shown == [(2, "match_created", False), (1, "order_shipped", True)]


async def test_what_is_wanted_again_is_told_again(notifications, inbox, publisher):
    """Muting ends with the next choice; what was silent before stays so when it is repeated."""
    await inbox.prefer(BUYER, dict.fromkeys(TYPES, False))
    await notifications("1", **SHIPPED, key="order:1")
    await inbox.prefer(BUYER, dict.fromkeys(TYPES, True))
    await notifications("1", **SHIPPED, key="order:1")
    assert publisher.take() == []
    await notifications("1", **SHIPPED, key="order:2")
    assert [data["id"] for data, _ in publisher.take()] == [2]


@pytest.fixture
def three(monkeypatch):
    """Let an inbox keep three notifications, and two be deleted at once."""
    for module in ("log", "inbox"):
        monkeypatch.setattr(f"models.notifications.{module}.INBOX_MAX", 3)
    monkeypatch.setattr(inbox_module, "BATCH", 2)


async def stored(database):
    return sorted([entry["_id"] async for entry in database["notifications"].find({})])


async def test_an_inbox_keeps_the_newest(notifications, inbox, publisher, database, three):
    """The oldest go, and count as read on every device; others' inboxes stay as they are."""
    await fill(notifications, 3)
    await notifications("2", **MATCHED, key="x")
    await notifications.sweep()
    assert await stored(database) == ["1:1", "1:2", "1:3", "2:1"]
    await notifications.several("1", [Notice(**SHIPPED, key=f"{n}") for n in range(5)])
    publisher.take()
    await notifications.sweep()
    assert await stored(database) == ["1:6", "1:7", "1:8", "2:1"]
    assert ids(await inbox.page(BUYER)) == ([8, 7, 6], None)
    (event, rooms), *others = publisher.take()
    assert (event["ranges"], event["unread"], rooms) == ([[1, 5]], 3, (user_room("1"),))
    assert others == []
    assert (await inbox.unread(BUYER))["unread"] == 3
    with pytest.raises(NotFound):
        await inbox.read(BUYER, 5)
    await notifications.sweep()
    assert publisher.take() == []


async def test_what_was_deleted_is_not_told_again(notifications, inbox, database, three):
    """A cause that is repeated after its notification went has none."""
    await fill(notifications, 5)
    await notifications.sweep()
    await fill(notifications, 5)
    assert await stored(database) == ["1:3", "1:4", "1:5"]
    assert ids(await inbox.page(BUYER)) == ([5, 4, 3], None)


async def test_a_crash_between_the_steps_shows_nothing_twice(
    notifications, inbox, database, three, clock, monkeypatch
):
    """What is left below the first one is in no page, and goes when its time is over."""
    await fill(notifications, 5)

    async def dies(self, filter):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(type(database["notifications"]), "delete_many", dies)
        with pytest.raises(ConnectionError):
            await inbox.bound()
    assert len(await stored(database)) == 5
    assert ids(await inbox.page(BUYER)) == ([5, 4, 3], None)
    await fill(notifications, 6)
    await notifications.sweep()
    assert await stored(database) == ["1:1", "1:2", "1:4", "1:5", "1:6"]
    await inbox.forget_old(clock() + timedelta(days=181))
    assert await stored(database) == []


async def test_two_processes_put_two_away_at_once(
    notifications, inbox, database, publisher, clock, monkeypatch
):
    """Both are told, each with a revision of its own, also where they were read before."""
    await fill(notifications, 2)
    await inbox.read_all(BUYER)
    before = (await inbox.unread(BUYER))["revision"]
    neighbour = build(database, publisher, clock).inbox
    real = inbox._log.change

    async def overtaken(document, values):
        # The other one comes between the entry and the inbox, once.
        monkeypatch.undo()
        await neighbour.archive(BUYER, 2)
        return await real(document, values)

    monkeypatch.setattr(inbox._log, "change", overtaken)
    await inbox.archive(BUYER, 1)
    told = [
        (event.id, event.revision)
        for event, _ in publisher.published
        if event.name == "notification.archived"
    ]
    assert told == [(2, before + 1), (1, before + 2)]
    changes = await inbox.changes(BUYER, after=before + 1)
    assert changes["archived_ids"] == [1]

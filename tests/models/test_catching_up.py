"""Snapshot, events and catching up give what a fresh snapshot shows, however often one is away.

The client here knows docs/api.md only; it keeps what it has been told, and asks for the rest.
"""

import random
from contextlib import suppress
from datetime import timedelta

import pytest

from models.errors import DomainError
from models.rooms import public_stories_room
from models.stories.operations import Stories
from tests.chat_world import ANN, BEN, CAT, CHANNEL, Hall, chat_on, open_channel
from tests.notifications_world import MATCHED, build

PEOPLE = [ANN, BEN, CAT]
STEPS = 60
WHOLE = ("new_message", "message_updated", "message_deleted")


class Client:
    """Ben's device: connected or not, with what it knows of a channel, stories and its inbox."""

    def __init__(self, chat, stories, notifications, hall):
        self.chat, self.stories, self.inbox, self.hall = chat, stories, notifications.inbox, hall
        self.connection = None
        self.messages, self.seq, self.revision = {}, 0, 0
        self.members = set()
        self.shown_stories, self.versions = {}, {}
        self.notices, self.last, self.inbox_revision = {}, 0, 0

    async def come(self):
        self.connection = connection = self.hall.connect(BEN)
        connection.enter(public_stories_room())
        await self.chat.presence.arrived(connection, BEN.account_id)
        snapshot = await self.chat.join(BEN, connection, CHANNEL)
        for message in snapshot["messages"]:
            self.keep(message)
        while True:
            page = await self.chat.reading.history(BEN, CHANNEL, after=self.seq, limit=5)
            for message in page["items"]:
                self.keep(message)
                self.seq = message["seq"]
            if not page["more"]:
                break
        more = True
        while more:
            changed = await self.chat.reading.changed(BEN, CHANNEL, after=self.revision, limit=3)
            for message in changed["messages"]:
                self.keep(message)
            self.revision, more = changed["revision"], changed["more"]
        self.members = await members(self.chat)
        await self.catch_up_notices()
        self.hear()
        self.late_list = (await self.stories.feed(BEN, limit=100))["items"]
        self.shown_stories = {}

    async def catch_up_notices(self):
        new, following = [], self.last
        while following is not None:
            page = await self.inbox.page(BEN, after=following, limit=2)
            new += page["items"]
            following = page["next"] and int(page["next"].partition(".")[2])
        for item in new:
            self.notices[item["id"]] = (item["read"], False)
            self.last = item["id"]
        more, archived = True, set()
        while more:
            changes = await self.inbox.changes(BEN, after=self.inbox_revision, limit=2)
            archived |= set(changes["archived_ids"])
            self.inbox_revision, more = changes["revision"], changes["more"]
        unread = {id for first, last in changes["unread_ranges"] for id in range(first, last + 1)}
        for id, (_, was_archived) in self.notices.items():
            self.notices[id] = (id not in unread, was_archived or id in archived)

    def keep(self, message):
        known = self.messages.get(message["id"])
        if known is None or message["revision"] >= known["revision"]:
            self.messages[message["id"]] = message

    def story(self, id, version, item):
        if version >= self.versions.get(id, 0):
            self.versions[id] = version
            self.shown_stories[id] = item

    def hear(self):
        heard, self.connection.heard = self.connection.heard, []
        for name, data in heard:
            if name in WHOLE:
                self.keep(data)
                self.seq = max(self.seq, data["seq"])
                self.revision = max(self.revision, data["revision"])
            elif name == "member_added":
                self.members.add(data["user_id"])
            elif name == "member_left":
                self.members.discard(data["user_id"])
            elif name == "story.created":
                self.story(data["story_id"], data["version"], data["text"])
            elif name == "story.deleted":
                self.story(data["story_id"], data["version"], None)
            elif name == "notification":
                self.notices[data["id"]] = (False, False)
                self.last = max(self.last, data["id"])
                self.inbox_revision = data["revision"]
            elif name == "notification.read":
                for first, last in data["ranges"]:
                    for id in range(first, last + 1):
                        self.notices[id] = (True, self.notices[id][1])
                self.inbox_revision = data["revision"]
            elif name == "notification.archived":
                self.notices[data["id"]] = (True, True)
                self.inbox_revision = data["revision"]

    def list_arrives(self):
        for item in self.late_list:
            self.story(item["id"], item["version"], item["text"])

    async def go(self):
        self.hear()
        await self.chat.presence.left(self.connection)
        self.connection.end()
        self.connection = None


async def members(chat):
    found, after = set(), ""
    while after is not None:
        page = await chat.lists.members_page(ANN, CHANNEL, after=after, limit=2)
        found |= {item["user_id"] for item in page["items"]}
        after = page["next"]
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_what_a_client_keeps_is_what_a_fresh_list_shows(database, clock, seed):
    """With disconnects at random moments, and lists that arrive after later events."""
    dice, hall = random.Random(seed), Hall()
    chat = chat_on(database, hall, clock)
    await chat.prepare()
    await open_channel(chat, hall)
    stories = Stories(database, hall, lifetime=timedelta(hours=24), clock=clock)
    notifications = build(database, hall, clock)
    await notifications.prepare()
    client = Client(chat, stories, notifications, hall)
    sent, published = [], []
    await client.come()

    async def act(step):
        who = dice.choice(PEOPLE)
        what = dice.choice(
            ["send", "edit", "delete", "leave", "story", "unstory", "notice"] * 2
            + ["read", "read_all", "archive"]
        )
        if what == "send":
            message = {"content": f"{step}", "message_type": "text", "client_id": f"{step}"}
            sent.append((who, (await chat.messages.send(who, CHANNEL, **message))["id"]))
        elif what == "edit" and sent:
            author, id = dice.choice(sent)
            await chat.messages.edit(author, id, content=f"edited {step}")
        elif what == "delete" and sent:
            author, id = dice.choice(sent)
            await chat.messages.delete(author, id)
        elif what == "leave" and who is not BEN:
            await chat.membership.leave(who, CHANNEL)
        elif what == "story":
            body = {"text": f"{step}", "visibility": "PUBLIC", "audience_user_ids": []}
            published.append((await stories.create(ANN, **body))["id"])
        elif what == "unstory" and published:
            await stories.delete(ANN, dice.choice(published))
        elif what == "notice":
            await notifications("2", **MATCHED, key=f"{step}")
        elif what == "read":
            await notifications.inbox.read(BEN, dice.randint(1, 9))
        elif what == "read_all":
            await notifications.inbox.read_all(BEN)
        elif what == "archive":
            await notifications.inbox.archive(BEN, dice.randint(1, 9))

    for step in range(STEPS):
        clock.move(timedelta(seconds=1))
        with suppress(DomainError):
            await act(step)
        if dice.random() < 0.15:
            await (client.go() if client.connection else client.come())
    if client.connection is None:
        await client.come()
    for id in published[-2:]:
        with suppress(DomainError):
            await stories.delete(ANN, id)
    client.hear()
    client.list_arrives()

    fresh = (await chat.reading.history(BEN, CHANNEL, limit=100))["items"]
    assert sorted(client.messages.values(), key=lambda message: message["seq"]) == fresh
    assert client.members == await members(chat)
    feed = (await stories.feed(BEN, limit=100))["items"]
    kept = {id: text for id, text in client.shown_stories.items() if text is not None}
    assert kept == {item["id"]: item["text"] for item in feed}
    inbox = notifications.inbox
    pages = [await inbox.page(BEN, limit=100, archived=archived) for archived in (False, True)]
    items = [item for page in pages for item in page["items"]]
    assert client.notices == {item["id"]: (item["read"], item["archived"]) for item in items}
    assert client.inbox_revision == (await inbox.unread(BEN))["revision"]

"""Snapshot, events and catching up together are what a fresh snapshot shows.

Two processes, several people who write at random at either of them, and a client whose connection
breaks off again and again, and which comes back to either process.
"""

import asyncio
import random

import pytest
from redis.asyncio import Redis

from tests.live import PATIENCE_S
from tests.recovering import RecoveringClient
from tests.redis_server import needs_redis
from tests.test_processes import sign_up

pytestmark = [pytest.mark.fault, needs_redis, pytest.mark.timeout(180)]

PLENTY = {
    f"LIMIT_{name}": "1000000"
    for name in ("MESSAGES_BURST", "WRITES_BURST", "READS_BURST", "CONNECTS_PER_MINUTE")
}
MESSAGES = "/api/v1/conversations/lobby/messages"
EMOJI = "👍🎉😀"


class Writers:
    """People who do things at random in the channel `lobby`, each at a process."""

    def __init__(self, dice, doors, tokens):
        self.dice, self.doors, self.tokens = dice, doors, tokens
        self.authors = {}

    async def act(self):
        """Do one thing; what is refused (a reaction to what was deleted) changes nothing."""
        doors, token = self.dice.choice(self.doors), self.dice.choice(self.tokens)
        what = self.dice.choices(["write", "edit", "delete", "react", "unreact"], [4, 3, 1, 4, 2])
        if not self.authors or what == ["write"]:
            body = {"channel_id": "lobby", "content": f"{self.dice.random()}"}
            status, message = await doors.call(token, "POST", "/api/v1/messages", body)
            assert status == 201, message
            self.authors[message["data"]["id"] if "data" in message else message["id"]] = token
            return
        message_id = self.dice.choice(list(self.authors))
        path = f"/api/v1/messages/{message_id}"
        if what == ["edit"]:
            body = {"content": f"{self.dice.random()}"}
            status, _ = await doors.call(self.authors[message_id], "PUT", path, body)
        elif what == ["delete"]:
            status, _ = await doors.call(self.authors[message_id], "DELETE", path)
        else:
            method = "POST" if what == ["react"] else "DELETE"
            body = {"emoji": self.dice.choice(EMOJI)}
            status, _ = await doors.call(token, method, f"{path}/reactions", body)
        assert status < 500


class Shown:
    """What a client of `/chat` shows, kept by the rules of docs/api.md."""

    def __init__(self):
        self.messages = {}
        self.marks = {}
        self.seqs, self.revisions = set(), set()

    def hear(self, name, data):
        if name in ("new_message", "message_updated", "message_deleted"):
            self.take(data)
        if name in ("message_updated", "message_deleted"):
            self.revisions.add(data["revision"])
        if name in ("message_reacted", "message_unreacted"):
            self.revisions.add(data["revision"])
            mark = data["message_id"], data["user_id"], data["emoji"]
            self.marks[mark] = max(
                self.marks.get(mark, (0, False)), (data["revision"], name == "message_reacted")
            )

    def take(self, message):
        """Keep a message, unless a later state of it is known."""
        self.seqs.add(message["seq"])
        known = self.messages.get(message["id"])
        if known is None or message["revision"] > known["revision"]:
            self.messages[message["id"]] = message

    def shown(self):
        return {message_id: self._with_marks(each) for message_id, each in self.messages.items()}

    def _with_marks(self, message):
        given = {
            (user_id, each["emoji"])
            for each in message["reactions"]
            for user_id in each["user_ids"]
        }
        for (message_id, *mark), (revision, is_given) in self.marks.items():
            if message_id == message["id"] and revision > message["revision"]:
                (given.add if is_given else given.discard)(tuple(mark))
        deleted = message["deleted_at"] is not None
        return (message["content"], deleted, set() if deleted else given)


def last_without_gap(numbers):
    """Return the last of numbers from 1 on, before which none is missing."""
    number = 0
    while number + 1 in numbers:
        number += 1
    return number


async def fresh(doors, token):
    """Return what a client shows that comes now."""
    shown = Shown()
    await fetch_messages(doors, token, shown)
    return shown.shown()


async def fetch_messages(doors, token, shown):
    while True:
        after = last_without_gap(shown.seqs)
        status, page = await doors.call(token, "GET", f"{MESSAGES}?after={after}&limit=100")
        assert status == 200, page
        for message in page["items"]:
            shown.take(message)
        if len(page["items"]) < 100:
            return


async def fetch_changes(doors, token, shown):
    more = True
    while more:
        after = last_without_gap(shown.revisions)
        path = f"/api/v1/conversations/lobby/changes?after={after}"
        status, page = await doors.call(token, "GET", path)
        assert status == 200, page
        for message in page["messages"]:
            shown.take(message)
        shown.revisions.update(range(after + 1, page["revision"] + 1))
        more = page["more"]


@pytest.fixture
async def pair(start_server, redis):
    options = {"REDIS_URL": redis.url, **PLENTY}
    return await asyncio.gather(*(start_server(**options) for _ in range(2)))


@pytest.mark.parametrize("seed", range(2))
async def test_a_socketio_client(pair, listening, seed):
    """It is recovered most times, and catches up at others; also two things at once."""
    dice = random.Random(seed)
    doors = [program.doors for program in pair]
    tokens = [(await sign_up(doors[0], name))[0] for name in ("ann", "ben", "cat")]
    writers = Writers(dice, doors, tokens)
    shown = Shown()
    client = RecoveringClient(listening.http, tokens[0], "/chat", shown.hear)
    outcomes = []
    for _ in range(25):
        there = dice.choice(doors)
        if dice.random() < 0.3:
            # As after a long absence.
            client.pid = None
        outcomes.append(await client.connect(there.url))
        if not outcomes[-1]:
            await client.call("join_channel", {"channel_id": "lobby"})
            await fetch_messages(there, tokens[0], shown)
            await fetch_changes(there, tokens[0], shown)
        for _ in range(dice.randrange(4)):
            await asyncio.gather(*(writers.act() for _ in range(dice.randint(1, 3))))
        # What is on its way may be lost with the connection.
        await client.cut()
        for _ in range(dice.randrange(3)):
            await writers.act()
    if not await client.connect(doors[0].url):
        await client.call("join_channel", {"channel_id": "lobby"})
        await fetch_messages(doors[0], tokens[0], shown)
        await fetch_changes(doors[0], tokens[0], shown)
    expected = await fresh(doors[1], tokens[0])
    assert len(expected) > 10
    try:
        async with asyncio.timeout(PATIENCE_S):
            while shown.shown() != expected:  # noqa: ASYNC110 events tell of it
                await asyncio.sleep(0.02)
    except TimeoutError:
        assert shown.shown() == expected
    await client.cut()
    assert True in outcomes


class Devices:
    """Two devices of one account, at two processes, that change the tasks of its diary."""

    PATH = "/api/v1/diary/tasks"

    def __init__(self, dice, doors, token):
        self.dice, self.doors, self.token = dice, doors, token
        self.ids = []

    async def act(self):
        doors, path = self.dice.choice(self.doors), self.PATH
        what = self.dice.choices(["new", "change", "do", "undo", "delete"], [4, 3, 2, 1, 1])[0]
        if not self.ids or what == "new":
            status, task = await doors.call(self.token, "POST", path, {"title": "a task"})
            assert status == 201, task
            self.ids.append(task["id"])
            return
        path = f"{path}/{self.dice.choice(self.ids)}"
        if what == "change":
            body = {"title": f"task {self.dice.random()}"}
            status, _ = await doors.call(self.token, "PATCH", path, body)
        elif what == "delete":
            status, _ = await doors.call(self.token, "DELETE", path)
        else:
            step = "complete" if what == "do" else "reopen"
            status, _ = await doors.call(self.token, "POST", f"{path}/{step}", {})
        # It may be deleted.
        assert status < 500


class Tasks:
    """What a device shows of them: of each id the highest version."""

    def __init__(self, token):
        self.token = token
        self.known = {}

    def hear(self, name, data):
        if "task" in data:
            self._take(data["task"]["id"], data["task"]["version"], data["task"])
        elif name == "task.deleted":
            self._take(data["id"], data["version"], None)

    def _take(self, task_id, version, task):
        if version > self.known.get(task_id, (0, None))[0]:
            self.known[task_id] = version, task

    async def fetch(self, doors):
        await fetch_whole(doors, self.token, Devices.PATH, self.known, self._take)

    def shown(self):
        return {task_id: task for task_id, (_, task) in self.known.items() if task is not None}


async def fetch_whole(doors, token, path, known, take):
    """Read a list of things with versions, and drop what is not in it any more."""
    before, listed, query = dict(known), set(), ""
    while query is not None:
        status, page = await doors.call(token, "GET", f"{path}?limit=20{query}")
        assert status == 200, page
        for each in page["items"]:
            listed.add(each["id"])
            take(each["id"], each["version"], each)
        query = f"&after={page['next']}" if page["next"] else None
    for each, state in before.items():
        # Deleted while it was away. What was heard meanwhile is later than the list.
        if each not in listed and known[each] is state:
            known[each] = state[0], None


@pytest.mark.parametrize("seed", range(2))
async def test_a_diary(pair, listening, seed):
    """Of two devices that change the same tasks, one is cut off again and again."""
    dice = random.Random(seed)
    doors = [program.doors for program in pair]
    token, _ = await sign_up(doors[0], "ann")
    await stay_right(
        dice, doors, listening, "/diary", token, Tasks(token), Devices(dice, doors, token)
    )


class Authors:
    """People who publish stories and delete them, at two processes."""

    PATH = "/api/v1/stories"

    def __init__(self, dice, doors, tokens):
        self.dice, self.doors, self.tokens = dice, doors, tokens
        self.authors = {}

    async def act(self):
        doors, token = self.dice.choice(self.doors), self.dice.choice(self.tokens)
        if not self.authors or self.dice.random() < 0.6:
            body = {"text": f"{self.dice.random()}", "visibility": "PUBLIC"}
            status, story = await doors.call(token, "POST", self.PATH, body)
            assert status == 201, story
            self.authors[story["id"]] = token
            return
        story_id, token = self.dice.choice(list(self.authors.items()))
        status, _ = await doors.call(token, "DELETE", f"{self.PATH}/{story_id}")
        # It may be deleted.
        assert status in (200, 204, 404)


class Stories:
    """What a reader shows of them."""

    def __init__(self, token):
        self.token = token
        self.known = {}

    def hear(self, name, data):
        if name in ("story.created", "story.deleted"):
            story = data if name == "story.created" else None
            self._take(data["story_id"], data["version"], story)

    def _take(self, story_id, version, story):
        if version > self.known.get(story_id, (0, None))[0]:
            self.known[story_id] = version, story

    async def fetch(self, doors):
        await fetch_whole(doors, self.token, Authors.PATH, self.known, self._take)

    def shown(self):
        return {
            story_id: story["text"]
            for story_id, (_, story) in self.known.items()
            if story is not None
        }


@pytest.mark.parametrize("seed", range(2))
async def test_stories(pair, listening, seed):
    """Of a reader who is cut off again and again."""
    dice = random.Random(seed)
    doors = [program.doors for program in pair]
    tokens = [(await sign_up(doors[0], name))[0] for name in ("ann", "ben", "cat")]
    authors = Authors(dice, doors, tokens[1:])
    await stay_right(dice, doors, listening, "/stories", tokens[0], Stories(tokens[0]), authors)


SERVICE_TOKEN = "only-for-this-service-" * 2


class Service:
    """Notifies an account, which reads and archives, at two processes."""

    PATH = "/api/v1/notifications"

    def __init__(self, dice, doors, token, account_id):
        self.dice, self.doors, self.token, self.account_id = dice, doors, token, account_id
        self.ids = []

    async def act(self):
        doors = self.dice.choice(self.doors)
        what = self.dice.choices(["notify", "read", "archive", "read all"], [5, 3, 2, 0.3])[0]
        if not self.ids or what == "notify":
            body = {"user_id": self.account_id, "type": "match_created"}
            body |= {"title": f"{self.dice.random()}", "message": "hello"}
            status, sent = await doors.call(SERVICE_TOKEN, "POST", self.PATH, body)
            assert status == 201, sent
            self.ids.append(sent["id"])
            return
        one = self.dice.choice(self.ids)
        path = f"{self.PATH}/read-all" if what == "read all" else f"{self.PATH}/{one}/{what}"
        status, answer = await doors.call(self.token, "POST", path, {})
        assert status == 200, answer


class Inbox:
    """What a device shows of it."""

    def __init__(self, token):
        self.token = token
        self.titles = {}
        self.read, self.archived, self.revisions = set(), set(), set()
        self.unread = (0, 0)

    def hear(self, name, data):
        if not name.startswith("notification"):
            return
        self.revisions.add(data["revision"])
        self.unread = max(self.unread, (data["revision"], data["unread"]))
        if name == "notification":
            self.titles[data["id"]] = data["title"]
        elif name == "notification.read":
            for first, last in data["ranges"]:
                self.read.update(range(first, last + 1))
        else:
            self.read.add(data["id"])
            self.archived.add(data["id"])

    async def fetch(self, doors):
        after = last_without_gap(self.titles.keys() | self.archived)
        while after is not None:
            path = f"{Service.PATH}?after={after}&limit=50"
            status, page = await doors.call(self.token, "GET", path)
            assert status == 200, page
            for one in page["items"]:
                self.titles[one["id"]] = one["title"]
            after = page["next"]
        more = True
        while more:
            known, after = set(self.titles), last_without_gap(self.revisions)
            status, page = await doors.call(
                self.token, "GET", f"{Service.PATH}/changes?after={after}"
            )
            assert status == 200, page
            unread = {
                number for first, last in page["unread_ranges"] for number in range(first, last + 1)
            }
            self.read |= known - unread
            self.archived.update(page["archived_ids"])
            self.unread = max(self.unread, (page["revision"], page["unread"]))
            self.revisions.update(range(after + 1, page["revision"] + 1))
            more = page["more"]

    def shown(self):
        # What was archived is in another list.
        one_by_one = {
            number: (title, number in self.read)
            for number, title in self.titles.items()
            if number not in self.archived
        }
        return one_by_one, self.unread[1]


@pytest.mark.parametrize("seed", range(2))
async def test_an_inbox(start_server, redis, listening, seed):
    """Of a device that is cut off again and again, while others read and archive."""
    dice = random.Random(seed)
    options = {"REDIS_URL": redis.url, "SERVICE_TOKEN": SERVICE_TOKEN, **PLENTY}
    programs = await asyncio.gather(*(start_server(**options) for _ in range(2)))
    doors = [program.doors for program in programs]
    token, account_id = await sign_up(doors[0], "ann")
    service = Service(dice, doors, token, account_id)
    await stay_right(dice, doors, listening, "/notifications", token, Inbox(token), service)


async def stay_right(dice, doors, listening, namespace, token, shown, others):
    """Cut a client off again and again; in the end it shows what one shows that comes then."""
    client = RecoveringClient(listening.http, token, namespace, shown.hear)
    outcomes = []
    for turn in range(26):
        there = dice.choice(doors)
        if dice.random() < 0.3:
            client.pid = None
        outcomes.append(await client.connect(there.url))
        if not outcomes[-1]:
            await shown.fetch(there)
        if turn == 25:
            break
        for _ in range(dice.randrange(4)):
            await asyncio.gather(*(others.act() for _ in range(dice.randint(1, 3))))
        await client.cut()
        for _ in range(dice.randrange(3)):
            await others.act()
    fresh_one = type(shown)(token)
    await fresh_one.fetch(doors[1])
    expected = fresh_one.shown()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while shown.shown() != expected:  # noqa: ASYNC110 events tell of it
                await asyncio.sleep(0.02)
    except TimeoutError:
        assert shown.shown() == expected
    await client.cut()
    assert True in outcomes


class RawShown:
    """What a client of `/api/v1/ws` shows."""

    def __init__(self):
        self.messages = {}
        self.cursor = ""
        self.gaps = 0

    def hear(self, frame):
        self.cursor = frame["cursor"]
        data = frame.get("data", {})
        if frame["type"] in ("new_message", "message_updated"):
            self.messages[data["id"]] = data["content"]
        elif frame["type"] == "message_deleted":
            self.messages.pop(data["id"], None)


@pytest.mark.parametrize("seed", range(2))
async def test_a_raw_client(pair, redis, listening, seed):
    """A snapshot's cursor is where it goes on, at any process; after a gap it reads anew."""
    dice = random.Random(seed)
    doors = [program.doors for program in pair]
    tokens = [(await sign_up(doors[0], name))[0] for name in ("ann", "ben", "cat")]
    writers = Writers(dice, doors, tokens)
    status, _ = await doors[0].call(tokens[0], "POST", "/api/v1/channels", {"name": "lobby"})
    assert status == 201
    await writers.act()
    asked = Redis.from_url(redis.url)
    stream = next(key for key in await asked.keys() if key.endswith(b":events"))
    shown = RawShown()

    async def snapshot():
        there, messages, cursor, after = dice.choice(doors), {}, None, 0
        while True:
            url = f"{there.url}{MESSAGES}?after={after}&limit=20"
            headers = {"Authorization": f"Bearer {tokens[0]}"}
            async with listening.http.get(url, headers=headers) as answer:
                cursor = cursor or answer.headers["X-Cursor"]
                items = (await answer.json())["items"]
            # Between one page and the next anything may happen.
            await writers.act()
            for each in items:
                after = each["seq"]
                if each["deleted_at"] is None:
                    messages[each["id"]] = each["content"]
            if len(items) < 20:
                return messages, cursor

    async def stay(client, until):
        """Hear until a frame of this type, or a gap; whether it was the former."""
        while True:
            frame = await client.frame()
            if frame["type"] == "gap":
                return False
            shown.hear(frame)
            if frame["type"] == until:
                return True

    shown.messages, shown.cursor = await snapshot()
    for turn in range(25):
        for _ in range(dice.randrange(4)):
            await writers.act()
        if turn % 8 == 7:
            # More than the stream keeps, as after a long absence.
            await asked.xtrim(stream, maxlen=1, approximate=False)
        there = dice.choice(doors)
        query = f"token={tokens[0]}&channel_id=lobby&since={shown.cursor}"
        client = await there.open_at(f"/api/v1/ws?{query}")
        if not await stay(client, "cursor"):
            shown.gaps += 1
            await client.socket.close()
            shown.messages, shown.cursor = await snapshot()
            continue
        for _ in range(dice.randrange(3)):
            await writers.act()
        if dice.random() < 0.5:
            await client.send({"type": "ping"})
            await stay(client, "pong")
        # Else what has come meanwhile is not read.
        await client.socket.close()
    there = dice.choice(doors)
    query = f"token={tokens[0]}&channel_id=lobby&since={shown.cursor}"
    client = await there.open_at(f"/api/v1/ws?{query}")
    assert await stay(client, "cursor")
    expected = {
        message_id: content
        for message_id, (content, deleted, _) in (await fresh(doors[1], tokens[0])).items()
        if not deleted
    }
    async with asyncio.timeout(PATIENCE_S):
        while shown.messages != expected:
            shown.hear(await client.frame())
    assert shown.gaps > 0
    await asked.aclose()

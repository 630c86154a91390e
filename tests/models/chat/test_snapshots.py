"""Snapshot and events together are what a fresh snapshot shows, whatever was done in between."""

import asyncio
import random
from contextlib import suppress

import pytest

from models.errors import DomainError
from tests.chat_world import ANN, BEN, CAT, CHANNEL, chat_on

PEOPLE = [ANN, BEN, CAT]
EMOJI = "👍🎉😀"


class View:
    """What a client shows, kept up to date as the docstring of `models.chat.events` says."""

    def __init__(self, snapshot):
        self.conversation_id = snapshot["conversation"]["id"]
        self.direct = snapshot["conversation"]["kind"] != "channel"
        self.messages = {message["id"]: message for message in snapshot["messages"]}
        self.present = {who["user_id"]: who for who in snapshot["present"]}
        self.seq = snapshot["seq"]
        self.began = self.revision = snapshot["revision"]
        self.reads = {who["user_id"]: who["read_seq"] for who in snapshot.get("members", ())}

    def hear(self, name, data):
        if data.get("conversation_id") == self.conversation_id:
            getattr(self, f"_{name}", lambda data: None)(data)

    def _new_message(self, data):
        if self.direct and data["seq"] <= self.seq:
            return  # members of a conversation hear it before they join, too
        # In one process nothing is told twice, and nothing that a channel's snapshot has.
        assert data["seq"] == self.seq + 1
        self.seq = data["seq"]
        self.messages[data["id"]] = data
        if data["author_id"] in self.reads:
            self.reads[data["author_id"]] = data["seq"]

    def _message_updated(self, data):
        known = self.messages.get(data["id"])
        if known is not None and data["revision"] > known["revision"]:
            self.messages[data["id"]] = data
        self.revision = max(self.revision, data["revision"])

    _message_deleted = _message_updated

    def _message_reacted(self, data):
        self._reaction(data, add=True)

    def _message_unreacted(self, data):
        self._reaction(data, add=False)

    def _reaction(self, data, add):
        self.revision = max(self.revision, data["revision"])
        message = self.messages.get(data["message_id"])
        if message is None or message["deleted_at"] or data["revision"] <= self.began:
            return
        message = message | {"revision": max(message["revision"], data["revision"])}
        users = {r["emoji"]: [*r["user_ids"]] for r in message["reactions"]}
        given = users.setdefault(data["emoji"], [])
        if data["user_id"] in given:
            given.remove(data["user_id"])
        if add:
            given.append(data["user_id"])
        kept = [{"emoji": emoji, "user_ids": ids} for emoji, ids in users.items() if ids]
        self.messages[data["message_id"]] = message | {"reactions": kept}

    def _message_read(self, data):
        if data["user_id"] in self.reads:
            self.reads[data["user_id"]] = max(self.reads[data["user_id"]], data["seq"])

    def _channel_joined(self, data):
        self.present[data["user_id"]] = data

    def _channel_left(self, data):
        self.present.pop(data["user_id"], None)

    def shown(self):
        """Return all of it in a form that can be compared."""
        latest = sorted(self.messages.values(), key=lambda message: message["seq"])[-50:]
        return {
            "messages": [_comparable(message) for message in latest],
            "present": sorted(self.present),
            "seq": self.seq,
            "revision": self.revision,
            "reads": self.reads,
        }


def _comparable(message):
    reactions = {r["emoji"]: sorted(r["user_ids"]) for r in message["reactions"]}
    return message | {"reactions": reactions}


class Life:
    """People who do things at random in one conversation, on connections of one process."""

    def __init__(self, chat, hall, conversation_id, seed):
        self.chat, self.hall, self.where = chat, hall, conversation_id
        self.dice = random.Random(seed)
        self.connections = []
        self.sent = []

    async def act(self):
        """Do one thing; what the domain refuses changes nothing."""
        who = self.dice.choice(PEOPLE)
        message_id = self.dice.choice(self.sent) if self.sent else f"{self.where}:0000000001"
        emoji = self.dice.choice(EMOJI)
        doing = self.dice.choices(
            ["send", "edit", "delete", "react", "unreact", "read", "come", "go", "end"],
            [8, 4, 1, 6, 3, 3, 2, 1, 1],
        )[0]
        with suppress(DomainError):
            await getattr(self, f"_{doing}")(who, message_id, emoji)

    async def _send(self, who, message_id, emoji):
        text = str(self.dice.random())
        message = await self.chat.messages.send(
            who, self.where, content=text, message_type="text", client_id=text[:4]
        )
        self.sent.append(message["id"])

    async def _edit(self, who, message_id, emoji):
        text = str(self.dice.random())
        await self.chat.messages.edit(who, message_id, content=text)

    async def _delete(self, who, message_id, emoji):
        await self.chat.messages.delete(who, message_id)

    async def _react(self, who, message_id, emoji):
        await self.chat.reactions.react(who, message_id, emoji=emoji)

    async def _unreact(self, who, message_id, emoji):
        await self.chat.reactions.unreact(who, message_id, emoji=emoji)

    async def _read(self, who, message_id, emoji):
        await self.chat.reading.mark(who, message_id)

    async def _come(self, who, message_id, emoji):
        connection = self.hall.connect(who)
        await self.chat.presence.arrived(connection, who.account_id)
        self.connections.append(connection)
        await self.chat.join(who, connection, self.where)

    async def _go(self, who, message_id, emoji):
        if self.connections:
            await self.chat.leave(self.dice.choice(self.connections), self.where)

    async def _end(self, who, message_id, emoji):
        if self.connections:
            connection = self.connections.pop(self.dice.randrange(len(self.connections)))
            connection.end()
            await self.chat.presence.left(connection)


async def watch(chat, hall, where):
    """Return a connection of somebody else who has joined, and the view it began with."""
    watcher = hall.connect(ANN)
    await chat.presence.arrived(watcher, ANN.account_id)
    snapshot = await chat.join(ANN, watcher, where)
    return watcher, View(snapshot)


@pytest.mark.parametrize("kind", ["channel", "group"])
@pytest.mark.parametrize("seed", range(2))
async def test_snapshot_and_events_are_a_fresh_snapshot(chat, hall, kind, seed):
    """Clients that joined at any moment of a busy conversation end up seeing the same."""
    where = CHANNEL
    if kind == "group":
        made = await chat.membership.create_conversation(ANN, participants=["2", "3"], title="us")
        where = made["id"]
        for who in (BEN, CAT):
            await chat.standings.accept(who, where)
    life = Life(chat, hall, where, seed)
    watching = [await watch(chat, hall, where)]
    for _ in range(12):
        # Ten at once, and one who joins among them.
        doings = [life.act() for _ in range(10)]
        *_, joined = await asyncio.gather(*doings, watch(chat, hall, where))
        watching.append(joined)
    # No event may be missing, so the last view is a fresh one.
    fresh = (await watch(chat, hall, where))[1].shown()
    assert fresh["seq"] > 15
    assert fresh["revision"] > 15
    for watcher, view in watching:
        for name, data in watcher.heard:
            view.hear(name, data)
        assert view.shown() == fresh


@pytest.mark.parametrize("seed", range(3))
async def test_catching_up_is_a_fresh_snapshot(chat, hall, seed):
    """A client that was away, with what history and changes give it, sees what is there now."""
    life = Life(chat, hall, CHANNEL, seed)
    for _ in range(20):
        await life.act()
    watcher, view = await watch(chat, hall, CHANNEL)
    watcher.end()
    await chat.presence.left(watcher)
    for _ in range(40):
        await life.act()
    more = True
    while more:
        page = await chat.reading.history(ANN, CHANNEL, after=view.seq, limit=7)
        view.messages |= {message["id"]: message for message in page["items"]}
        view.seq = page["items"][-1]["seq"] if page["items"] else view.seq
        more = page["more"]
    more = True
    while more:
        page = await chat.reading.changed(ANN, CHANNEL, after=view.revision, limit=7)
        view.messages |= {message["id"]: message for message in page["messages"]}
        view.revision, more = page["revision"], page["more"]
    fresh = (await watch(chat, hall, CHANNEL))[1].shown()
    shown = view.shown()
    for part in ("messages", "seq", "revision"):
        assert shown[part] == fresh[part]


async def test_another_process_writes_while_one_joins(chat, hall, database, clock):
    """With writers in two processes a joiner misses no message; what comes twice has its seq."""
    second = chat_on(database, hall, clock)
    writers = [
        (chat, second)[n % 2].messages.send(BEN, CHANNEL, content=str(n), message_type="text")
        for n in range(20)
    ]
    *_, (watcher, view) = await asyncio.gather(*writers, watch(chat, hall, CHANNEL))
    seqs = {message["seq"] for message in view.messages.values()}
    assert seqs == set(range(1, view.seq + 1))
    heard = [data["seq"] for name, data in watcher.heard if name == "new_message"]
    assert {seq for seq in heard if seq > view.seq} == set(range(view.seq + 1, 21))

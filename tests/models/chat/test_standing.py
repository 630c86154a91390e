"""Who sees and hears what in a direct conversation, after any sequence of answers to it."""

import random

import pytest

from models.accounts import person_of
from models.chat.records import CHANNEL, DIRECT, GROUP
from models.chat.standing import is_present_to, rooms_of
from models.chat.visibility import Visibility
from models.errors import Conflict, NotFound
from models.rooms import conversation_room, direct_room, user_room
from tests.chat_world import ANN, BEN

PEOPLE = {ANN.account_id: ANN, BEN.account_id: BEN}


class Rules:
    """What the documentation says, in as few words as it takes; it knows no store."""

    def __init__(self):
        self.opened = False
        self.shown, self.members, self.closed, self.blocks = set(), set(), set(), set()
        self.sees = {who: [] for who in PEOPLE}
        self.read = dict.fromkeys(PEOPLE, 0)
        self.written = 0

    def refuses(self, doing, who):
        """Return the error that an act is answered with, if it is."""
        if doing in ("block", "unblock", "status"):
            return None
        if doing == "open":
            return Conflict if who in self.blocks else None
        if not self.opened or (doing == "react" and not self.sees[who]):
            return NotFound
        return Conflict if doing != "decline" and who in self.blocks else None

    def engage(self, who):
        self.closed.discard(who)
        self.members.add(who)
        self.shown.add(who)

    def open(self, who):
        self.opened = True
        self.engage(who)
        self.closed |= self.blocks

    accept = react = engage

    def write(self, who):
        self.engage(who)
        self.written += 1
        for viewer in {who} | (set(PEOPLE) - self.closed):
            self.sees[viewer].append(self.written)
        self.read[who] = self.written

    def decline(self, who):
        self.closed.add(who)
        self.members.discard(who)

    def block(self, who):
        self.blocks.add(who)
        if self.opened:
            self.decline(who)

    def unblock(self, who):
        if who in self.blocks and who in self.closed:
            self.closed.discard(who)
            self.members |= self.shown & {who}
        self.blocks.discard(who)

    def status(self, who):
        """Nothing changes by saying how one is."""

    def is_present(self, who):
        return who in self.members and not self.closed


class Life:
    """The same acts in a chat, and what the two connections heard of them."""

    def __init__(self, chat, connections):
        self.chat = chat
        self.connections = connections
        self.conversation_id = "c-" + "0" * 32
        self.statuses = self.reactions = 0

    async def open(self, who, other):
        made = await self.chat.membership.create_conversation(
            who, participants=[other.account_id], title=None
        )
        self.conversation_id = made["id"]

    async def write(self, who, other):
        await self.chat.messages.send(
            who, self.conversation_id, content="psst", message_type="text"
        )

    async def react(self, who, other):
        page = await self.chat.reading.history(who, self.conversation_id, limit=1)
        message_id = page["items"][0]["id"] if page["items"] else "none"
        self.reactions += 1
        emoji = chr(ord("😀") + self.reactions)
        await self.chat.reactions.react(who, message_id, emoji=emoji)

    async def accept(self, who, other):
        await self.chat.standings.accept(who, self.conversation_id)

    async def decline(self, who, other):
        await self.chat.standings.decline(who, self.conversation_id)

    async def block(self, who, other):
        await self.chat.standings.block(who, other.account_id)

    async def unblock(self, who, other):
        await self.chat.standings.unblock(who, other.account_id)

    async def status(self, who, other):
        self.statuses += 1
        said = ("busy", "away")[self.statuses % 2]
        await self.chat.statuses.set(who.account_id, "available")
        await self.chat.presence.change_status(person_of(who), said)

    async def looks_as(self, rules):
        for who, viewer in PEOPLE.items():
            other = next(each for each in PEOPLE if each != who)
            page = await self.chat.reading.history(viewer, self.conversation_id, limit=100)
            assert [message["seq"] for message in page["items"]] == rules.sees[who]
            assert page["seq"] == max(rules.sees[who], default=0)
            shown = await self.chat.lists.get(viewer, self.conversation_id)
            assert shown["unread"] == sum(seq > rules.read[who] for seq in rules.sees[who])
            last = shown["last_message"]
            assert (last["seq"] if last else 0) == max(rules.sees[who], default=0)
            side = next(each for each in shown["members"] if each["user_id"] == other)
            assert (side["user_email"] is not None) == (other in rules.shown)
            assert (side["status"] != "offline") == rules.is_present(other)
            found = await self.chat.reading.search(
                viewer, self.conversation_id, text="psst", limit=100
            )
            assert len(found["items"]) == len(rules.sees[who])
            own = await self.chat.lists.conversations(viewer, after=None, limit=9)
            assert [item["request"] for item in own["items"]] == (
                [] if who in rules.closed else [who not in rules.members]
            )


ACTS = {"write": 8, "unblock": 3, "status": 3} | dict.fromkeys(
    ("open", "react", "accept", "decline", "block"), 2
)
"""What people do, and how often."""


@pytest.mark.parametrize("seed", range(4))
async def test_everybody_sees_what_the_rules_say(chat, connect, seed):
    """After every act both sides hear, list, count and find what a model of the rules says."""
    dice = random.Random(seed)
    connections = {who: await connect(identity) for who, identity in PEOPLE.items()}
    rules, life = Rules(), Life(chat, connections)
    for _ in range(40):
        who, other = dice.sample(sorted(PEOPLE), 2)
        doing = dice.choices([*ACTS], [*ACTS.values()])[0]
        for connection in connections.values():
            connection.take()
        act = getattr(life, doing)(PEOPLE[who], PEOPLE[other])
        refusal = rules.refuses(doing, who)
        if refusal is not None:
            with pytest.raises(refusal):
                await act
            assert connections[other].take() == []
            continue
        await act
        getattr(rules, doing)(who)
        heard = connections[other].take_names()
        told = {"write": "new_message", "react": "message_reacted", "status": "user_status_change"}
        if doing in ("write", "react"):
            assert (told[doing] in heard) == (other not in rules.closed)
        elif doing == "status":
            assert (told[doing] in heard) == rules.is_present(who)
        if rules.opened:
            await life.looks_as(rules)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_hidden_is_passed_over(seed):
    """Pages and counts of any log with hidden ranges are those of the seqs that are left."""
    dice = random.Random(seed)
    cuts = sorted(dice.sample(range(1, 41), 6))
    hidden = tuple(zip(cuts[::2], cuts[1::2], strict=True))
    visibility = Visibility("1", hidden)
    shown = [n for n in range(1, 60) if visibility.sees({"seq": n})]
    assert shown == [n for n in range(1, 60) if not any(a <= n <= b for a, b in hidden)]
    for _ in range(50):
        first, last, limit = dice.randrange(45), dice.randrange(45), dice.randrange(1, 12)
        left = [n for n in range(1, 60) if not any(a <= n <= b for a, b in hidden)]
        after = [n for n in left if first < n <= last]
        assert visibility.upwards(first, last, limit) == after[:limit]
        assert visibility.downwards(last, limit) == [n for n in left if n <= last][-limit:]
        assert visibility.count(first, last) == len(after)
        assert visibility.newest(last) == max((n for n in left if n <= last), default=0)


@pytest.mark.parametrize(
    ("members", "shown", "present"),
    [(["1", "2"], ["1", "2"], True), (["1", "2"], ["1"], False), (["1"], ["1", "2"], False)],
    ids=["in it", "never answered", "gone"],
)
def test_presence_in_a_group(members, shown, present):
    """Others see of a member that has answered whether it is there, and of no one else."""
    group = {"kind": GROUP, "member_ids": members, "shown_ids": shown}
    assert is_present_to(group, "2") == present


def test_who_receives_what_is_done():
    """In a channel those who joined it; else members and asked, and who joined it by name."""
    lists = {"member_ids": ["1"], "request_ids": ["2"], "quiet_ids": ["3"], "closed_ids": ["4"]}

    def rooms(kind):
        return {*rooms_of({"_id": "c", "kind": kind, **lists}, "1")}

    heard = {user_room("1"), user_room("2")}
    assert rooms(CHANNEL) == {conversation_room("c")}
    assert rooms(GROUP) == heard | {conversation_room("c")}
    lists |= {"quiet_ids": [], "closed_ids": []}
    assert rooms(DIRECT) == heard | {direct_room("c", "1"), direct_room("c", "2")}


async def test_what_is_done_unheard_is_kept_for_oneself(chat, connect):
    """Edits and reactions of a blocked side never reach the other, not after unblocking either."""
    made = await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    where, text = made["id"], {"message_type": "text"}
    first = await chat.messages.send(ANN, where, content="hello", **text)
    answer = await chat.messages.send(BEN, where, content="hi", **text)
    await chat.standings.block(BEN, "1")
    before = await chat.reading.changed(BEN, where, after=0, limit=50)
    ben = await connect(BEN)
    ben.take()
    hidden = await chat.messages.send(ANN, where, content="@ben hear me", **text)
    assert hidden["mentions"] == ["2"]
    edited = await chat.messages.edit(ANN, first["id"], content="rude")
    reacted = await chat.reactions.react(ANN, answer["id"], emoji="😡")
    await chat.reactions.react(ANN, hidden["id"], emoji="😡")
    await chat.messages.edit(ANN, hidden["id"], content="ruder")
    await chat.typing(ANN, await connect(ANN), where)
    await chat.reading.mark(ANN, hidden["id"])
    assert (edited["content"], reacted["reactions"][0]["user_ids"]) == ("rude", ["1"])
    own = await chat.reading.history(ANN, where, limit=9)
    assert [message["content"] for message in own["items"]] == ["rude", "hi", "ruder"]
    for unblocked in (False, True):
        if unblocked:
            await chat.standings.unblock(BEN, "1")
        heard = [name for name in ben.take_names() if name != "block.changed"]
        assert heard == []
        page = await chat.reading.history(BEN, where, limit=9)
        assert [(m["content"], m["reactions"]) for m in page["items"]] == [
            ("hello", []),
            ("hi", []),
        ]
        changed = await chat.reading.changed(BEN, where, after=0, limit=50)
        assert changed["messages"] == before["messages"] == []
        for attempt in (
            chat.messages.get(BEN, hidden["id"]),
            chat.reading.mark(BEN, hidden["id"]),
            chat.reactions.unreact(BEN, hidden["id"], emoji="👍"),
        ):
            with pytest.raises(NotFound):
                await attempt
    await chat.messages.send(ANN, where, content="again", **text)
    assert [message["content"] for message in ben.take("new_message")] == ["again"]

"""Chat of the examples: channels with a week behind them, two contacts, and a request."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.demo.media import picture, sound, whole
from app.demo.world import World
from models.errors import Conflict
from models.identity import Identity

GENERAL, RUNNING, MARKET = "general", "running", "market"
_CHANNELS = (
    (GENERAL, "Everybody", "Test"),
    (RUNNING, "Running on Sundays", "Bob"),
    (MARKET, "Sneakers, bids and bargains", "Alice"),
)


@dataclass(frozen=True, slots=True)
class _Message:
    """One message; `key` names it within the examples, and never changes."""

    key: str
    author: str
    days_ago: int
    time: str
    content: str
    reply_to: str | None = None
    edited: str | None = None
    """What it says after its author has changed it."""

    deleted: bool = False
    reactions: tuple[tuple[str, str], ...] = ()
    file: str | None = None
    """`picture` or `sound`."""


_IN_CHANNELS: dict[str, Sequence[_Message]] = {
    GENERAL: (
        _Message("welcome", "Test", 7, "08:02", "Good morning, and welcome to general."),
        _Message(
            "hello",
            "Alice",
            7,
            "08:05",
            "Hello! Nice and quiet here.",
            None,
            None,
            False,
            (("Test", "👋"), ("Bob", "👋")),
        ),
        _Message("late", "Bob", 7, "09:41", "Sorry, the train again."),
        _Message("lunch", "Alice", 6, "11:15", "Who comes along for lunch? Bún chả at twelve."),
        _Message("me", "Bob", 6, "11:17", "Me!", "lunch"),
        _Message("busy", "Test", 6, "11:20", "Not today, the release is due.", "lunch"),
        _Message(
            "corner",
            "Alice",
            6,
            "11:24",
            "Then we bring you some, @Test.",
            "busy",
            None,
            False,
            (("Test", "❤️"),),
        ),
        _Message("oops", "Bob", 5, "16:30", "Wrong channel.", deleted=True),
        _Message(
            "release",
            "Test",
            4,
            "17:55",
            "The release is out.",
            edited="The release is out. Thank you all!",
            reactions=(("Alice", "🎉"), ("Bob", "🎉")),
        ),
        _Message("proud", "Alice", 4, "18:01", "🎉🎉🎉", "release"),
        _Message("weekend", "Bob", 3, "19:12", "Anyone up for the hills at the weekend?"),
        _Message(
            "sunrise",
            "Alice",
            2,
            "06:20",
            "This was worth getting up for.",
            "weekend",
            None,
            False,
            (("Bob", "😍"), ("Test", "😍")),
            "picture",
        ),
        _Message("jealous", "Test", 2, "08:30", "And I was asleep."),
        _Message("standup", "Test", 1, "09:00", "Today: tests, tests, and the docs."),
        _Message("docs", "Alice", 1, "09:03", "I take the docs."),
        _Message(
            "review",
            "Bob",
            1,
            "15:47",
            "@Alice there is one sentence that I would turn around.",
            "docs",
        ),
        _Message("turned", "Alice", 1, "15:58", "Turned. Better?", "review"),
        _Message("better", "Bob", 1, "16:02", "Much.", "turned", None, False, (("Alice", "🙏"),)),
        _Message("today", "Bob", 0, "00:10", "Anybody still awake?"),
        _Message("asked", "Alice", 0, "00:14", "@Test is, I can see the light.", "today"),
    ),
    RUNNING: (
        _Message("plan", "Bob", 6, "18:00", "Sunday at seven, twice around the lake."),
        _Message("slow", "Alice", 6, "18:09", "Slowly?", "plan"),
        _Message("talk", "Bob", 6, "18:10", "So that we can talk.", "slow"),
        _Message("in", "Test", 5, "07:45", "I am in."),
        _Message("done", "Bob", 3, "09:30", "10.2 km, and nobody was left behind."),
        _Message("sore", "Alice", 3, "20:15", "My legs say otherwise.", "done"),
        _Message("next", "Bob", 1, "18:20", "Next Sunday the same?"),
    ),
    MARKET: (
        _Message("rare", "Alice", 5, "12:00", "A pair of Jordans in US 9, hardly worn."),
        _Message("price", "Test", 5, "12:30", "What do you want for it?", "rare"),
        _Message("look", "Alice", 5, "12:31", "Look at the book, the asks are mine."),
        _Message("sold", "Bob", 2, "14:05", "Mine has gone within an hour."),
    ),
}

_DIRECT: Sequence[_Message] = (
    _Message("hi", "Alice", 3, "17:00", "Hi! Do you still have the tent?"),
    _Message("yes", "Test", 3, "17:12", "Yes, in the cellar. From when to when?", "hi"),
    _Message("dates", "Alice", 3, "17:13", "Friday to Sunday. I bring it back clean, promised."),
    _Message("deal", "Test", 3, "17:20", "It is yours.", None, None, False, (("Alice", "🙏"),)),
    _Message("voice", "Alice", 1, "20:40", "", None, None, False, (), "sound"),
    _Message("where", "Alice", 0, "00:20", "Where shall I pick it up?"),
)
_BOB_AND_ALICE: Sequence[_Message] = (
    _Message("shoes", "Bob", 4, "10:00", "Are the white ones still for sale?"),
    _Message("still", "Alice", 4, "10:30", "They are. Place a bid?"),
    _Message("placed", "Bob", 4, "10:31", "Done."),
)
_REQUEST: Sequence[_Message] = (
    _Message("request", "Bob", 0, "00:05", "Hello, Alice said that you lend out a tent?"),
)


async def load_chat(world: World) -> tuple[int, str]:
    """Write what is not there; return how many messages, and what it is."""
    test, alice, bob = (world.people[name] for name in ("Test", "Alice", "Bob"))
    sent = 0
    for name, title, founder in _CHANNELS:
        world.at(7, "08:00")
        with suppress(Conflict):  # someone has made it; it is open to all
            await world.chat.membership.create_channel(
                world.people[founder], name=name, private=False, title=title, client_id="demo"
            )
        sent += await _write(world, name, _IN_CHANNELS[name])
    world.at(4, "09:59")
    sent += await _write(world, await _begin(world, bob, alice), _BOB_AND_ALICE)
    world.at(3, "16:59")
    sent += await _write(world, await _begin(world, alice, test), _DIRECT)
    world.at(0, "00:04")
    sent += await _write(world, await _begin(world, bob, test), _REQUEST)
    return sent, f"{len(_CHANNELS)} channels, 2 conversations and a request to Test"


async def _begin(world: World, one: Identity, other: Identity) -> str:
    made = await world.chat.membership.create_conversation(
        one, participants=[other.account_id], title=None
    )
    return str(made["id"])


async def _write(world: World, conversation_id: str, messages: Sequence[_Message]) -> int:
    chat, people = world.chat, world.people
    ids: dict[str, str] = {}
    for message in messages:
        author = people[message.author]
        world.at(message.days_ago, message.time)
        ids[message.key] = message_id = await _send(world, conversation_id, message, ids)
        try:
            if message.edited is not None:
                await chat.messages.edit(author, message_id, content=message.edited)
            if message.deleted:
                await chat.messages.delete(author, message_id)
            for name, emoji in message.reactions:
                await chat.reactions.react(people[name], message_id, emoji=emoji)
        except Conflict:  # it was deleted since
            continue
    # Everything but the last day was read by all.
    old = [message for message in messages if message.days_ago > 0]
    for person in {message.author for message in messages} if old else ():
        await chat.reading.mark(people[person], ids[old[-1].key])
    return len(messages)


async def _send(world: World, conversation_id: str, message: _Message, ids: dict[str, str]) -> str:
    author, key = world.people[message.author], f"demo-{message.key}"
    attachments: list[str] = []
    message_type = "text"
    if message.file is not None:
        page = await world.chat.reading.history(author, conversation_id, limit=100)
        items = page["items"]
        assert isinstance(items, list)
        sent = [item for item in items if isinstance(item, dict) and item["client_id"] == key]
        if sent:
            return str(sent[0]["id"])
        content, name, message_type = picture(), "sunrise.png", "image"
        if message.file == "sound":
            content, name, message_type = sound(), "voice.wav", "audio"
        stored = await world.chat.attachments.upload(
            author, conversation_id, filename=name, content=whole(content)
        )
        attachments = [str(stored["id"])]
    made = await world.chat.messages.send(
        author,
        conversation_id,
        content=message.content,
        message_type=message_type,
        reply_to=ids[message.reply_to] if message.reply_to else None,
        attachments=attachments,
        client_id=key,
    )
    return str(made["id"])

"""Stories of the examples: public and private ones, seen and liked; new ones on each day."""

from dataclasses import dataclass

from app.demo.world import World
from models.errors import NotFound
from models.identity import Identity
from models.pages import MAX_PAGE, Position
from models.stories.schema import PRIVATE, PUBLIC


@dataclass(frozen=True, slots=True)
class _Story:
    key: str
    author: str
    text: str
    hours_ago: float
    audience: tuple[str, ...] | None = None
    """Names of those who may see it; None for everyone."""

    viewers: tuple[str, ...] = ()
    reactions: tuple[tuple[str, str], ...] = ()


_STORIES = (
    _Story(
        "breakfast", "Alice", "Phở for breakfast 🍜", 5.5, None, ("Test", "Bob"), (("Bob", "😋"),)
    ),
    _Story("secret", "Bob", "Only Alice sees this one.", 4.2, ("Alice",), ("Alice",)),
    _Story(
        "hello", "Test", "Hello World", 3.1, None, ("Alice", "Bob"), (("Alice", "❤️"), ("Bob", "👏"))
    ),
    _Story("run", "Bob", "10 km before work. The legs disagree.", 2.4, None, ("Alice",)),
    _Story(
        "surprise", "Alice", "Bob's birthday is on Friday. Say nothing!", 1.2, ("Test",), ("Test",)
    ),
    _Story("rain", "Alice", "Rain on the balcony, tea inside ☔", 0.4),
)


async def load_stories(world: World) -> tuple[int, str]:
    """Make the stories that are not there (any more); return how many, and what they are."""
    made = 0
    for story in _STORIES:
        made += await _load(world, story)
    return made, f"{len(_STORIES)} stories of today, with views and reactions"


async def _load(world: World, example: _Story) -> bool:
    stories, people = world.stories, world.people
    author = people[example.author]
    world.ago()
    story_id = await _find(world, author, example.text)
    made = story_id is None
    if story_id is None:
        world.ago(hours=example.hours_ago)
        try:
            story = await stories.create(
                author,
                text=example.text,
                visibility=PUBLIC if example.audience is None else PRIVATE,
                audience_user_ids=[people[name].account_id for name in example.audience or ()],
                client_id=f"demo-{example.key}-{world.now.date()}",
            )
        except NotFound:  # its author has deleted it
            return False
        story_id = str(story["id"])
    # Done again on every run: a run that was interrupted is completed, repeats are quiet.
    world.ago(hours=example.hours_ago / 2)
    for viewer in example.viewers:
        await stories.view(people[viewer], story_id)
    if made:
        for user, emoji in example.reactions:
            await stories.react(people[user], story_id, emoji=emoji)
    return made


async def _find(world: World, author: Identity, text: str) -> str | None:
    after: Position | None = None
    while True:
        page = await world.stories.feed(author, after=after, limit=MAX_PAGE)
        items = page["items"]
        assert isinstance(items, list)
        for item in items:
            assert isinstance(item, dict)
            if item["author_id"] == author.account_id and item["text"] == text:
                return str(item["id"])
        if page["next"] is None:
            return None
        after = Position.from_text(str(page["next"]))

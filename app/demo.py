"""Example accounts and stories for `python -m app demo`; loading them again adds nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.accounts import Account, Accounts
from models.errors import Conflict
from models.identity import Identity
from models.pages import MAX_PAGE, Position
from models.stories.operations import Stories
from models.stories.schema import PRIVATE, PUBLIC

PASSWORD = "password123"  # noqa: S105 printed in the documents, for examples only


@dataclass(frozen=True, slots=True)
class _Person:
    email: str
    name: str
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class _Story:
    author: str
    text: str
    audience: tuple[str, ...] | None = None
    """Names of those who may see it; None for everybody."""

    viewers: tuple[str, ...] = ()
    reactions: tuple[tuple[str, str], ...] = ()


PEOPLE = (
    _Person("test@example.com", "Test"),
    _Person("alice@example.com", "Alice", "+84912345678"),
    _Person("bob@example.com", "Bob", "+84987654321"),
)
"""`test@example.com` is the account that the documents log in with."""

_STORIES = (
    _Story("Alice", "Phở for breakfast 🍜", viewers=("Test", "Bob"), reactions=(("Bob", "😋"),)),
    _Story("Bob", "Only Alice sees this one.", audience=("Alice",), viewers=("Alice",)),
    _Story("Test", "Hello World", viewers=("Alice", "Bob"), reactions=(("Alice", "❤️"),)),
)


async def load_demo(accounts: Accounts, stories: Stories) -> list[str]:
    """Make what is missing of the examples; give lines that tell an operator what is there.

    Stories live a day, so a run on another day adds them anew.
    """
    lines = []
    people: dict[str, Identity] = {}
    for person in PEOPLE:
        account, made = await _account(accounts, person)
        people[person.name] = Identity(account.id, account.email, account.public_id, account.name)
        lines.append(_line(f"account {account.id}: {person.email} / {PASSWORD}", made))
    for story in _STORIES:
        made = await _story(stories, story, people)
        lines.append(_line(f"story of {story.author}: {story.text}", made))
    return lines


async def _account(accounts: Accounts, person: _Person) -> tuple[Account, bool]:
    try:
        return await accounts.sign_up(person.email, PASSWORD, person.name, person.phone), True
    except Conflict:
        account = await accounts.find_by_email(person.email)
        if account is None:  # somebody else has the phone number
            raise
        return account, False


async def _story(stories: Stories, example: _Story, people: dict[str, Identity]) -> bool:
    author = people[example.author]
    story_id = await _find(stories, author, example.text)
    made = story_id is None
    if story_id is None:
        story = await stories.create(
            author,
            text=example.text,
            visibility=PUBLIC if example.audience is None else PRIVATE,
            audience_user_ids=_ids(example.audience or (), people),
        )
        story_id = str(story["id"])
    # Done again on every run: a run that was interrupted is completed, repeats are quiet.
    for viewer in example.viewers:
        await stories.view(people[viewer], story_id)
    for user, emoji in example.reactions:
        await stories.react(people[user], story_id, emoji=emoji)
    return made


async def _find(stories: Stories, author: Identity, text: str) -> str | None:
    after: Position | None = None
    while True:
        page = await stories.feed(author, after=after, limit=MAX_PAGE)
        items = page["items"]
        assert isinstance(items, list)
        for item in items:
            assert isinstance(item, dict)
            if item["author_id"] == author.account_id and item["text"] == text:
                return str(item["id"])
        if page["next"] is None:
            return None
        after = Position.from_text(str(page["next"]))


def _ids(names: Sequence[str], people: dict[str, Identity]) -> list[str]:
    return [people[name].account_id for name in names]


def _line(what: str, made: bool) -> str:
    return f"{'added' if made else 'there already'}: {what}"

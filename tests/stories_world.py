"""What tests of stories share: people, a publisher that remembers, a clock moved by hand."""

from datetime import UTC, datetime, timedelta

from models.events import Event
from models.identity import Identity
from models.stories.schema import PRIVATE, PUBLIC

LIFETIME = timedelta(hours=24)
MISSING_ID = "00000000-0000-4000-8000-000000000000"


def person(account_id: str) -> Identity:
    """Return an identity as a door would make it."""
    return Identity(account_id, f"user{account_id}@example.com", account_id)


AUTHOR = person("1")
FRIEND = person("2")
OTHER_FRIEND = person("3")
OUTSIDER = person("9")

PUBLIC_STORY = {"text": "hello", "visibility": PUBLIC, "audience_user_ids": []}
FRIENDS_STORY = {"text": "psst", "visibility": PRIVATE, "audience_user_ids": ["2", "3"]}


class RecordingPublisher:
    """Keeps what was published, in order, with the rooms it went to."""

    def __init__(self) -> None:
        self.published: list[tuple[Event, tuple[str, ...]]] = []

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        self.published.append((event, rooms))

    def take(self, name: str | None = None) -> list[tuple[dict, tuple[str, ...]]]:
        """Return data and rooms of what was published since the last take, of one name or all."""
        taken = [
            (event.data(), rooms)
            for event, rooms in self.published
            if name is None or event.name == name
        ]
        self.published.clear()
        return taken


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, by: timedelta) -> None:
        self.moment += by

    def elapsed(self) -> float:
        """Return monotonic seconds that move with it."""
        return self.moment.timestamp()

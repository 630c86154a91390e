"""What the parts of the examples are loaded with: the domains, and a time that is chosen."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.demo.people import People
from models.chat import Chat
from models.diary.operations import Diary
from models.market.operations import Market
from models.stories.operations import Stories


class ChosenTime:
    """A clock that shows what it was set to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        """Return the time that was chosen last."""
        return self.moment


@dataclass(slots=True)
class World:
    """The domains on the chosen time, and the people."""

    stories: Stories
    chat: Chat
    market: Market
    diary: Diary
    time: ChosenTime
    now: datetime
    """When the examples are loaded."""

    people: People = field(default_factory=dict)

    def ago(self, *, days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
        """Let it be so long before now."""
        self.time.moment = self.now - timedelta(days=days, hours=hours, minutes=minutes)
        return self.time.moment

    def at(self, days_ago: int, clock: str) -> datetime:
        """Let it be a time of a day (UTC), `09:30`, so many days ago; never later than now."""
        hour, _, minute = clock.partition(":")
        day = self.now - timedelta(days=days_ago)
        moment = day.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        self.time.moment = min(moment, self.now)
        return self.time.moment

"""What only the summary asks: which due dates were met, and which goals came further."""

from collections import Counter
from datetime import date, datetime

from models.database import Database
from models.diary.goal_records import goal_json
from models.events import Json

_SHOWN = ("id", "title", "progress", "done")


class Figures:
    """Reads what tasks and goals have written, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._completions = database["diary_completions"]
        self._goals = database["diary_goals"]

    async def met(self, account_id: str, from_: date, to: date) -> Counter[str]:
        """Count by due date what was due on the days from `from_` to `to` and was completed.

        Each completion meets one due date, on whichever day it was; the repetitions that it
        passed over are not met.
        """
        query = {
            "account_id": account_id,
            "due_until": {"$gte": from_.isoformat()},
            "done": True,
        }
        due = Counter([kept["due_date"] async for kept in self._completions.find(query)])
        return Counter(
            {day: n for day, n in due.items() if from_.isoformat() <= day <= to.isoformat()}
        )

    async def goals_moved(
        self, account_id: str, start: datetime, end: datetime
    ) -> list[dict[str, Json]]:
        """Give the own and shared goals that came further last from `start` to before `end`.

        Each has `id`, `title`, `progress` and `done` as they are now; the latest comes first.
        """
        query = {"readers": account_id, "moved_at": {"$gte": start, "$lt": end}}
        found = await self._goals.find(query).sort([("moved_at", -1), ("_id", -1)]).to_list(None)
        return [{name: goal_json(goal)[name] for name in _SHOWN} for goal in found]

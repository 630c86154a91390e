"""What only the summary asks: which due dates were met, and which goals came further."""

from collections import Counter
from datetime import date, datetime

from models.database import Database, typed
from models.diary.goals.records import StoredGoal, goal_view
from models.diary.tasks.completions import StoredDone
from models.diary.views import MovedGoalView


class Figures:
    """Reads what tasks and goals have written, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._completions = typed(database["diary_completions"], StoredDone)
        self._goals = typed(database["diary_goals"], StoredGoal)

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
        due = Counter([str(kept["due_date"]) async for kept in self._completions.find(query)])
        return Counter(
            {day: n for day, n in due.items() if from_.isoformat() <= day <= to.isoformat()}
        )

    async def goals_moved(
        self, account_id: str, start: datetime, end: datetime
    ) -> list[MovedGoalView]:
        """Return the own and shared goals that came further last from `start` to before `end`.

        They are as they are now; the latest comes first.
        """
        query = {"readers": account_id, "moved_at": {"$gte": start, "$lt": end}}
        found = await self._goals.find(query).sort([("moved_at", -1), ("_id", -1)]).to_list(None)
        shown = (goal_view(goal, account_id) for goal in found)
        return [
            {
                "id": goal["id"],
                "title": goal["title"],
                "progress": goal["progress"],
                "done": goal["done"],
            }
            for goal in shown
        ]

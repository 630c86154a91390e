"""What a week was like, in numbers that can be plotted as they are."""

import asyncio
import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from models.diary.entries.operations import Entries
from models.diary.summary.figures import Figures
from models.diary.summary.streaks import streaks
from models.diary.tasks.operations import Tasks
from models.diary.views import DayView, SummaryView, WeekView
from models.diary.zones import Zones, local_date, moment_of
from models.identity import Identity
from models.times import Clock, now

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MIDNIGHT = datetime.time.min


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was written, due and done on each day ("2026-03-01") of some weeks."""

    moods: Mapping[str, list[int]]
    entries: Mapping[str, int]
    due: Mapping[str, int]
    met: Mapping[str, int]
    completed: Mapping[str, int]


class Summary:
    """Sums up the weeks of one account at a time: Monday to Sunday, by its owner's calendar."""

    def __init__(
        self, entries: Entries, tasks: Tasks, figures: Figures, zones: Zones, clock: Clock = now
    ) -> None:
        self._entries = entries
        self._tasks = tasks
        self._figures = figures
        self._zones = zones
        self._clock = clock

    async def of(
        self, identity: Identity, *, date: datetime.date | None = None, weeks: int = 1
    ) -> SummaryView:
        """Sum up the week of `date`, by default the present one, and those before it."""
        account_id = identity.account_id
        zone = await self._zones.zone_of(account_id)
        today = local_date(self._clock(), zone)
        monday = _monday(date or today)
        first = monday - (weeks - 1) * _WEEK
        counted = await self._count(account_id, first, monday + _WEEK - _DAY)
        moved = await self._figures.goals_moved(
            account_id,
            moment_of(monday, _MIDNIGHT, zone),
            moment_of(monday + _WEEK, _MIDNIGHT, zone),
        )
        active = await self._entries.active_dates(account_id)
        rows = streaks(active | await self._tasks.active_dates(account_id), today, zone)
        series = [_week(first + n * _WEEK, today, counted) for n in range(weeks)]
        return {
            "time_zone": zone.key,
            "days": [_day(day, counted) for n in range(weeks) for day in _days(first + n * _WEEK)],
            "week": series[-1],
            "weeks": series,
            "streak": {"current": rows.current, "longest": rows.longest},
            "goals_moved": moved,
        }

    async def _count(self, account_id: str, first: datetime.date, last: datetime.date) -> _Counted:
        written, due, met, completions = await asyncio.gather(
            self._entries.moods(account_id, first, last),
            self._tasks.due_between(account_id, first, last),
            self._figures.met(account_id, first, last),
            self._tasks.completions(account_id, first, last),
        )
        moods: dict[str, list[int]] = {}
        for day, mood in written:
            if mood is not None:
                moods.setdefault(day, []).append(mood)
        return _Counted(
            moods=moods,
            entries=Counter(day for day, _ in written),
            due=due,
            met=met,
            completed=Counter(completion["date"] for completion in completions),
        )


def _day(day: datetime.date, counted: _Counted) -> DayView:
    key = day.isoformat()
    return {
        "date": key,
        "entries": counted.entries.get(key, 0),
        "mood": _mean(counted.moods.get(key, ())),
        "tasks_due": counted.due.get(key, 0),
        "tasks_completed": counted.completed.get(key, 0),
    }


def _week(monday: datetime.date, today: datetime.date, counted: _Counted) -> WeekView:
    days = [day.isoformat() for day in _days(monday)]
    until_today = [day for day in days if day <= today.isoformat()]
    due = _sum(counted.due, until_today)
    return {
        "from": days[0],
        "to": days[-1],
        "entries": _sum(counted.entries, days),
        "mood": _mean(mood for day in days for mood in counted.moods.get(day, ())),
        "tasks_due": _sum(counted.due, days),
        "tasks_completed": _sum(counted.completed, days),
        "completion_rate": round(_sum(counted.met, until_today) / due, 4) if due else None,
    }


def _monday(day: datetime.date) -> datetime.date:
    return day - day.weekday() * _DAY


def _days(monday: datetime.date) -> list[datetime.date]:
    return [monday + n * _DAY for n in range(7)]


def _sum(counts: Mapping[str, int], days: Iterable[str]) -> int:
    return sum(counts.get(day, 0) for day in days)


def _mean(moods: Iterable[int]) -> float | None:
    known = list(moods)
    return round(sum(known) / len(known), 2) if known else None

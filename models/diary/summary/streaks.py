"""Streaks: days in a row on which something was written or done, by the owner's calendar.

They are counted in dates, never in hours, so a day of 23 or 25 hours is a day like any other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from models.diary.zones import moment_of

_DAY = timedelta(days=1)
_OVER_A_SKIP = 2 * _DAY
"""A zone that moves across the date line skips one date, and none has ever skipped two."""


@dataclass(frozen=True, slots=True)
class Streaks:
    """How many days in a row."""

    current: int
    """Of the row that reaches up to today, or to yesterday: today is not over."""

    longest: int


def streaks(active: Collection[date], today: date, zone: ZoneInfo) -> Streaks:
    """Count the days in a row among the active ones.

    A date that the zone never had (Apia's 30 December 2011) breaks nothing and counts for nothing,
    unless it is active itself, written in another zone.
    """
    current = longest = 0
    previous: date | None = None
    for day in sorted(active):
        current = current + 1 if previous and _next_to(previous, day, zone) else 1
        longest = max(longest, current)
        previous = day
    alive = previous is not None and (previous >= today or _next_to(previous, today, zone))
    return Streaks(current if alive else 0, longest)


def _next_to(earlier: date, later: date, zone: ZoneInfo) -> bool:
    apart = later - earlier
    return apart == _DAY or (apart == _OVER_A_SKIP and _never_was(earlier + _DAY, zone))


def _never_was(day: date, zone: ZoneInfo) -> bool:
    return moment_of(day, time.min, zone) == moment_of(day + _DAY, time.min, zone)

"""When something that repeats is due: whole days of the owner's calendar, no clocks.

Days are counted on the calendar, so that no change of the clocks moves a weekly task to another
day of the week.
"""

from datetime import date, timedelta

NONE = "none"
DAILY = "daily"
WEEKLY = "weekly"
REPEATS = (NONE, DAILY, WEEKLY)

_DAYS = {DAILY: 1, WEEKLY: 7}


def next_due(due: date, repeat: str, today: date) -> date:
    """Return the first repetition after `due` that is also after `today`."""
    days = _DAYS[repeat]
    passed = max(0, (today - due).days // days)
    return due + timedelta(days=(passed + 1) * days)


def latest_due(due: date, repeat: str, today: date) -> date | None:
    """Return the last repetition, `due` the first of them, that is not after `today`, if any."""
    if due > today:
        return None
    if repeat == NONE:
        return due
    days = _DAYS[repeat]
    return due + timedelta(days=(today - due).days // days * days)


def all_due(due: date, repeat: str, from_: date, to: date) -> list[date]:
    """Return the repetitions, `due` the first of them, from `from_` to `to`, both included."""
    if repeat == NONE:
        return [due] if from_ <= due <= to else []
    days = _DAYS[repeat]
    first = due + timedelta(days=max(0, -((due - from_).days // days)) * days)
    return [first + timedelta(days=passed) for passed in range(0, (to - first).days + 1, days)]

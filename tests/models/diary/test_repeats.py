"""When repetitions are due, by the calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diary.tasks.repeats import DAILY, NONE, WEEKLY, all_due, latest_due, next_due

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))
SPANS = st.integers(0, 400).map(lambda days: timedelta(days=days))
STEP = {DAILY: timedelta(days=1), WEEKLY: timedelta(days=7)}


@pytest.mark.parametrize(
    ("due", "repeat", "today", "expected"),
    [
        ("2026-03-02", DAILY, "2026-03-02", "2026-03-03"),
        # Three days late: the two days between are not made up for.
        ("2026-03-02", DAILY, "2026-03-05", "2026-03-06"),
        # Done early: the next one is the one after it.
        ("2026-03-10", DAILY, "2026-03-05", "2026-03-11"),
        # Mondays, and the clocks change on the 29th in Europe.
        ("2026-03-23", WEEKLY, "2026-03-24", "2026-03-30"),
        ("2026-03-02", WEEKLY, "2026-03-09", "2026-03-16"),
        ("2028-02-28", DAILY, "2028-02-28", "2028-02-29"),
        ("2026-12-31", WEEKLY, "2026-12-31", "2027-01-07"),
    ],
)
def test_examples(due, repeat, today, expected):
    """The next due date is on the rhythm, and after both the last one and today."""
    given_days = (date.fromisoformat(due), repeat, date.fromisoformat(today))
    assert next_due(*given_days) == date.fromisoformat(expected)


@given(due=DAYS, repeat=st.sampled_from((DAILY, WEEKLY)), today=DAYS)
def test_the_next_is_the_first_that_may_be(due, repeat, today):
    """It is a repetition, after `due` and today, and the one before it is not."""
    following = next_due(due, repeat, today)
    assert (following - due) % STEP[repeat] == timedelta(0)
    assert following > max(due, today) >= following - STEP[repeat]


@given(due=DAYS, repeat=st.sampled_from((DAILY, WEEKLY)), today=DAYS)
def test_the_latest_is_followed_by_the_next(due, repeat, today):
    """No repetition lies between the latest one and the next one."""
    latest = latest_due(due, repeat, today)
    if latest is None:
        assert due > today
    else:
        assert due <= latest <= today
        assert next_due(latest, repeat, latest) == next_due(due, repeat, today)


@given(due=DAYS, repeat=st.sampled_from((NONE, DAILY, WEEKLY)), from_=DAYS, span=SPANS)
def test_all_are_those_that_one_counts(due, repeat, from_, span):
    """Going from repetition to repetition by hand gives the same days."""
    to = from_ + span
    # No need to begin centuries before: whole weeks lead to the same rhythm.
    day = due
    if repeat != NONE and day < from_:
        day += (from_ - day) // timedelta(days=7) * timedelta(days=7)
    expected = []
    while day <= to:
        if day >= from_:
            expected.append(day)
        if repeat == NONE:
            break
        day += STEP[repeat]
    assert all_due(due, repeat, from_, to) == expected


def test_what_does_not_repeat():
    """It is due on its date, from then on."""
    due = date(2026, 3, 2)
    assert latest_due(due, NONE, date(2026, 3, 1)) is None
    assert latest_due(due, NONE, due) == due
    assert latest_due(due, NONE, date(2027, 1, 1)) == due

"""Days in a row, against a slow count by hand, and around everything that calendars do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diary.summary.streaks import Streaks, streaks
from models.diary.zones import local_date

DAY = timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
APIA = ZoneInfo("Pacific/Apia")
TODAY = date(2026, 3, 20)


def days(*numbers: int) -> set[date]:
    """Return days of March 2026."""
    return {date(2026, 3, number) for number in numbers}


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        (days(), (0, 0)),
        (days(20), (1, 1)),
        (days(18, 19, 20), (3, 3)),
        # Today is not over.
        (days(17, 18, 19), (3, 3)),
        # Yesterday is.
        (days(16, 17, 18), (0, 3)),
        (days(18, 20), (1, 1)),
        (days(1, 2, 3, 4, 19, 20), (2, 4)),
        (days(1, 2, 3, 4, 10, 11, 12), (0, 4)),
        # Written east of here, where it was tomorrow already.
        (days(19, 20, 21), (3, 3)),
    ],
)
def test_in_a_row(active, expected):
    """The current row reaches up to today or yesterday; the longest is any."""
    assert streaks(active, TODAY, UTC_ZONE) == Streaks(*expected)


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, SAIGON], ids=str)
@pytest.mark.parametrize(
    ("first", "at"),
    [
        (date(2026, 3, 5), 0),
        (date(2026, 3, 26), 23),
        (date(2026, 10, 22), 0),
        (date(2026, 10, 29), 23),
    ],
    ids=str,
)
def test_days_of_23_and_25_hours(zone, first, at):
    """Someone who writes at 00:30 or 23:30 every day keeps the row through a change of clocks."""
    moments = [
        datetime(first.year, first.month, first.day, at, 30, tzinfo=zone) + n * DAY
        for n in range(7)
    ]
    # Stored as dates when they are written, from moments in UTC.
    active = {local_date(moment.astimezone(UTC), zone) for moment in moments}
    assert streaks(active, first + 6 * DAY, zone) == Streaks(7, 7)
    assert streaks(active, first + 7 * DAY, zone) == Streaks(7, 7)
    assert streaks(active, first + 8 * DAY, zone) == Streaks(0, 7)


def test_every_half_hour_of_a_year_is_on_a_day_of_the_row():
    """A row through all days of a year has 365 days, in zones with and without changes."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for zone in (BERLIN, NEW_YORK, SAIGON):
        active = {local_date(start + n * timedelta(minutes=30), zone) for n in range(365 * 48)}
        # The year in UTC reaches into one day more of a calendar that is ahead or behind.
        assert streaks(active, max(active), zone) == Streaks(366, 366)


def test_a_day_that_never_was():
    """Samoa had no 30 December 2011: the 29th and the 31st are in a row there, not elsewhere."""
    active = {date(2011, 12, 28), date(2011, 12, 29), date(2011, 12, 31), date(2012, 1, 1)}
    assert streaks(active, date(2012, 1, 1), APIA) == Streaks(4, 4)
    assert streaks(active, date(2012, 1, 1), BERLIN) == Streaks(2, 2)
    # On the 31st, yesterday was the 29th.
    until_29 = {date(2011, 12, 28), date(2011, 12, 29)}
    assert streaks(until_29, date(2011, 12, 31), APIA) == Streaks(2, 2)
    assert streaks(until_29, date(2012, 1, 1), APIA) == Streaks(0, 2)
    # Written in another zone before moving there.
    whole = active | {date(2011, 12, 30)}
    assert streaks(whole, date(2012, 1, 1), APIA) == Streaks(5, 5)


OFFSETS = st.sets(st.integers(-40, 0))


@given(OFFSETS)
def test_as_counted_by_hand(offsets):
    """Rows are those that walking from day to day finds."""
    active = {TODAY + offset * DAY for offset in offsets}

    def row_up_to(day):
        length = 0
        while day in active:
            length, day = length + 1, day - DAY
        return length

    found = streaks(active, TODAY, BERLIN)
    assert found.current == (row_up_to(TODAY) or row_up_to(TODAY - DAY))
    assert found.longest == max((row_up_to(day) for day in active), default=0)


@given(OFFSETS, st.integers(-40, 0))
def test_one_more_day_never_shortens(offsets, more):
    """Writing on a day, however late, shortens no row, and lengthens by what it joins."""
    active = {TODAY + offset * DAY for offset in offsets}
    before = streaks(active, TODAY, NEW_YORK)
    after = streaks(active | {TODAY + more * DAY}, TODAY, NEW_YORK)
    assert before.current <= after.current
    assert before.longest <= after.longest <= 2 * before.longest + 1
    assert 0 <= after.current <= after.longest <= len(active) + 1


@given(OFFSETS)
def test_writing_today_adds_one(offsets):
    """A first entry of today makes the current row one day longer, whatever it was."""
    active = {TODAY + offset * DAY for offset in offsets} - {TODAY}
    before = streaks(active, TODAY, SAIGON)
    assert streaks(active | {TODAY}, TODAY, SAIGON).current == before.current + 1

"""Which moment a local date and time are, and the other way round, around what clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diary.zones import Zones, local_date, moment_of, zone_named
from tests.diary_world import People

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
SAIGON = "Asia/Ho_Chi_Minh"
APIA = "Pacific/Apia"


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        (BERLIN, (2026, 3, 28), (9, 0), datetime(2026, 3, 28, 8)),
        (BERLIN, (2026, 3, 29), (9, 0), datetime(2026, 3, 29, 7)),
        # 02:00 became 03:00, at 01:00 UTC.
        (BERLIN, (2026, 3, 29), (2, 30), datetime(2026, 3, 29, 1)),
        (BERLIN, (2026, 3, 29), (2, 0), datetime(2026, 3, 29, 1)),
        (BERLIN, (2026, 3, 29), (1, 59), datetime(2026, 3, 29, 0, 59)),
        # 03:00 became 02:00 at 01:00 UTC: 02:30 was twice.
        (BERLIN, (2026, 10, 25), (2, 30), datetime(2026, 10, 25, 0, 30)),
        (BERLIN, (2026, 10, 25), (3, 0), datetime(2026, 10, 25, 2)),
        (NEW_YORK, (2026, 3, 8), (2, 30), datetime(2026, 3, 8, 7)),
        (NEW_YORK, (2026, 11, 1), (1, 30), datetime(2026, 11, 1, 5, 30)),
        (SAIGON, (2026, 3, 29), (0, 0), datetime(2026, 3, 28, 17)),
        # The whole of 30 December 2011 was skipped, at 10:00 UTC of that day.
        (APIA, (2011, 12, 30), (0, 0), datetime(2011, 12, 30, 10)),
        (APIA, (2011, 12, 30), (23, 59), datetime(2011, 12, 30, 10)),
        (APIA, (2011, 12, 31), (0, 0), datetime(2011, 12, 30, 10)),
        (APIA, (2011, 12, 29), (23, 59), datetime(2011, 12, 30, 9, 59)),
        (SAIGON, (1, 1, 1), (0, 0), datetime(1, 1, 1)),
        (NEW_YORK, (9999, 12, 31), (23, 59), datetime(9999, 12, 31, 23, 59)),
    ],
)
def test_moment_of(zone, day, at, expected):
    """A skipped time is the moment of the skip, a repeated one is its first moment."""
    assert moment_of(date(*day), time(*at), ZoneInfo(zone)) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        (SAIGON, datetime(2026, 3, 1, 16, 59), date(2026, 3, 1)),
        (SAIGON, datetime(2026, 3, 1, 17), date(2026, 3, 2)),
        (BERLIN, datetime(2026, 3, 28, 22, 59), date(2026, 3, 28)),
        (BERLIN, datetime(2026, 3, 29, 21, 59), date(2026, 3, 29)),
        (BERLIN, datetime(2026, 3, 29, 22), date(2026, 3, 30)),
        (NEW_YORK, datetime(2026, 3, 9, 3, 59), date(2026, 3, 8)),
        (APIA, datetime(2011, 12, 30, 9, 59), date(2011, 12, 29)),
        (APIA, datetime(2011, 12, 30, 10), date(2011, 12, 31)),
    ],
)
def test_local_date(zone, moment, expected):
    """A date is what a calendar on the wall shows."""
    assert local_date(moment.replace(tzinfo=UTC), ZoneInfo(zone)) == expected


@given(
    st.sampled_from([BERLIN, NEW_YORK, SAIGON, APIA, "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.datetimes(datetime(1972, 1, 1), datetime(2036, 1, 1)),
)
def test_it_is_the_first_moment_not_before(name, wanted):
    """Clocks show the time at that moment or have skipped it, and not a second earlier."""
    zone, wanted = ZoneInfo(name), wanted.replace(second=0, microsecond=0)
    moment = moment_of(wanted.date(), wanted.time(), zone)
    second_before = (moment - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert second_before < wanted <= moment.astimezone(zone).replace(tzinfo=None)


async def test_the_zone_is_the_one_of_the_account(clock):
    """Zones follow the account's setting as it is now; an account that is gone has UTC."""
    clock.moment = datetime(2026, 3, 1, 17, tzinfo=UTC)
    people = People()
    people.settle("1", time_zone=SAIGON)
    zones = Zones(people.find, clock)
    assert (await zones.zone_of("1")).key == SAIGON
    assert await zones.today("1") == date(2026, 3, 2)
    assert await zones.today("nobody") == date(2026, 3, 1)
    people.settle("1", time_zone="UTC")
    assert await zones.today("1") == date(2026, 3, 1)


def test_a_zone_that_is_no_more():
    """A name that the database of zones no longer has is read as UTC."""
    for name in ("Mars/Olympus", "../etc", ""):
        assert zone_named(name).key == "UTC"

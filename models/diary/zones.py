"""Local dates: a day of the diary begins and ends where its owner lives."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.accounts import Account
from models.times import Clock, now

_FIRST_ZONE = timezone(timedelta(hours=14))
"""No zone is further ahead than Kiritimati's."""

_SECOND = timedelta(seconds=1)


class Zones:
    """Knows the zone of each account, as its settings have it at the moment of asking."""

    def __init__(
        self, find_account: Callable[[str], Awaitable[Account | None]], clock: Clock = now
    ) -> None:
        self._find_account = find_account
        self._clock = clock

    async def zone_of(self, account_id: str) -> ZoneInfo:
        """Return the zone of an account; UTC for one that is gone."""
        account = await self._find_account(account_id)
        return zone_named(account.time_zone if account else "UTC")

    async def today(self, account_id: str) -> date:
        """Return the present date where the account lives."""
        return local_date(self._clock(), await self.zone_of(account_id))


def latest_date(moment: datetime) -> date:
    """Return the date that is today at a moment where the day begins first.

    A day up to it is never to come: accounts without a time zone are in UTC, and who travels has
    another one than the account.
    """
    return local_date(moment, _FIRST_ZONE)


def zone_named(name: str) -> ZoneInfo:
    """Return the zone with an IANA name; UTC for a name that the database of zones has dropped."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def local_date(moment: datetime, zone: tzinfo) -> date:
    """Return the date that calendars in the zone show at a moment."""
    return moment.astimezone(zone).date()


def moment_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the first moment, in UTC, at which clocks in the zone show this date and time.

    When they skip it, the moment of the skip: the first one that shows something later. The first
    and the last year of the calendar are read as UTC: a zone would lead out of it.
    """
    wanted = datetime.combine(day, at.replace(tzinfo=None))
    if not date.min.year < day.year < date.max.year:
        return wanted.replace(tzinfo=UTC)
    # PEP 495: a time that is skipped is read with the offset before the skip by `fold=0`, with
    # the one after it by `fold=1`, so that the skip lies between the two.
    late, early = (wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _shown(late, zone) == wanted:
        return late
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        early, late = (middle, late) if _shown(middle, zone) < wanted else (early, middle)
    return late.replace(microsecond=0)


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)

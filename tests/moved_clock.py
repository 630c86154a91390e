"""The server with a clock that jumps: `python -m tests.moved_clock`, as `python -m app`.

SIGUSR1 moves it an hour ahead, SIGUSR2 an hour back. Only what the calendar says moves; monotonic
time, by which waits are measured, goes on.
"""

import runpy
import signal
import time
from datetime import datetime, timedelta, tzinfo
from types import FrameType

import jwt.api_jwt

from models import times

HOUR = timedelta(hours=1)

_moved = timedelta()
_now, _time = times.now, time.time


class _Moved(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + _moved


def _jump(number: int, frame: FrameType | None) -> None:
    global _moved
    _moved += HOUR if number == signal.SIGUSR1 else -HOUR


def main() -> None:
    """Run the server."""
    times.now = lambda: _now() + _moved
    time.time = lambda: _time() + _moved.total_seconds()
    jwt.api_jwt.datetime = _Moved  # type: ignore[attr-defined, misc]
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, _jump)
    runpy.run_module("app", run_name="__main__")


if __name__ == "__main__":
    main()

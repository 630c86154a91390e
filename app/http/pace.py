"""So much in each short while, however much there is to do."""

import time

TICK_S = 0.005


class Pace:
    """Says how much of something costly may begin now."""

    def __init__(self, most: int) -> None:
        """Allow `most` in a tick, which takes `TICK_S`, or longer where the event loop is late."""
        self._most = most
        self._free = most
        self._ends = 0.0

    def take(self) -> bool:
        """Begin one more; False if it has to wait for the next tick."""
        now = time.monotonic()
        if now >= self._ends:
            self._free = self._most
            self._ends = now + TICK_S
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    @property
    def rest_s(self) -> float:
        """Until the next tick."""
        return max(0.0, self._ends - time.monotonic())

"""One at a time: what changes one thing in this process waits for the change before."""

import asyncio
from weakref import WeakValueDictionary


class KeyedLocks:
    """Locks by name; one that no one holds or waits for is forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def lock(self, name: str) -> asyncio.Lock:
        """Return the lock of `name`, for `async with`."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

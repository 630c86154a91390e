"""Opening the store that the settings name."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from app.settings import Settings
from app.storage.embedded import open_embedded
from app.storage.mongodb import open_mongodb
from app.storage.observed import Observe, ObservedDatabase
from app.storage.older_files import find_older_files
from models.database import Database
from models.errors import Unavailable

PING_TIMEOUT_S = 3.0
"""A health check that waits longer is of no use to the router that asks."""


class Store:
    """An open database and how to leave it."""

    def __init__(
        self,
        database: Database,
        ping: Callable[[], Awaitable[object]],
        close: Callable[[], Awaitable[None]],
        clock: Callable[[], Awaitable[datetime]] | None = None,
    ) -> None:
        """`clock` reads the database server's own clock, where it is another machine's."""
        self.database = database
        self.clock = clock
        self._ping = ping
        self._close = close

    def observed(self, observe: Observe) -> "Store":
        """Return the same store with every operation observed."""
        return Store(ObservedDatabase(self.database, observe), self._ping, self._close, self.clock)

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: none within `PING_TIMEOUT_S`, or the database says what is wrong.
        """
        try:
            await asyncio.wait_for(self._ping(), PING_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable("The database does not answer.", retry_after_s=1) from None

    async def close(self) -> None:
        """Finish what is under way and let go of the connection or the files."""
        await self._close()


def embedded_path(settings: Settings) -> Path:
    """Return where the embedded store's file is; SQLite has up to two more next to it."""
    return settings.data_dir / f"{settings.mongodb_database}.sqlite3"


async def open_store(settings: Settings) -> Store:
    """Open MongoDB when `settings.mongodb_uri` is set, else the embedded store in `data_dir`.

    MongoDB is connected by the first operation; the embedded file is opened here.

    Raises:
        Unavailable: the embedded file cannot be used, or is still to be imported; the message says
            why.
        SettingsError: MONGODB_URI is no address.
    """
    if settings.mongodb_uri:
        mongodb = open_mongodb(settings.mongodb_uri, settings.mongodb_database)
        return Store(mongodb, mongodb.ping, mongodb.close, mongodb.clock)
    path = embedded_path(settings)
    if not path.exists() and find_older_files(settings.data_dir):
        raise Unavailable(
            f"{settings.data_dir} holds the database of an older release; bring it in with "
            f"`python -m app store import {settings.data_dir}`, or move it away to begin anew."
        )
    embedded = await open_embedded(path)
    return Store(embedded, embedded.ping, embedded.close)

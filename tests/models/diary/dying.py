"""A database and a publisher of a process that dies at a certain point of its work."""

from models.database import Database
from models.events import Event, Publisher

WRITES = ("insert_one", "update_one", "find_one_and_update", "delete_one", "delete_many")


class Died(BaseException):
    """The process is gone: nothing after this is carried out, and nothing catches it."""


class Dying:
    """Counts writes and events, and dies right after the one with a certain number."""

    def __init__(self, database: Database, publisher: Publisher, *, after: int) -> None:
        self._database = database
        self._publisher = publisher
        self._left = after

    def __getitem__(self, name: str) -> "_Collection":
        return _Collection(self._database[name], self)

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        await self._publisher.publish(event, *rooms, except_room=except_room)
        self.done()

    def done(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise Died

    def check(self) -> None:
        """Let nothing happen any more after the process has died."""
        if self._left <= 0:
            raise Died


class _Collection:
    def __init__(self, collection, dying: Dying) -> None:
        self._collection = collection
        self._dying = dying

    def __getattr__(self, name: str):
        operation = getattr(self._collection, name)
        if name not in WRITES:
            return operation

        async def write(*args, **options):
            self._dying.check()
            result = await operation(*args, **options)
            self._dying.done()
            return result

        return write

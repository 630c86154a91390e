"""What tests of chat share: people in an address book, and connections that remember."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from models.accounts import Account, People
from models.accounts.lookups import Lookups
from models.chat import Chat
from models.chat.usage import Quotas
from models.database import Database
from models.events import Event
from models.identity import Identity
from models.rooms import user_room
from models.times import Clock

LEASE = timedelta(seconds=150)
CHANNEL = "general"


def person(number: int, name: str | None = None) -> Identity:
    """Return an identity as a door would make it; even numbers are known by a phone number."""
    public_id = f"+8491234{number:04d}" if number % 2 == 0 else str(number)
    return Identity(str(number), f"user{number}@example.com", public_id, name)


ANN = person(1, "Ann")
BEN = person(2, "Ben")
CAT = person(3, "Cat")
EVE = person(9, "Eve")


class AddressBook:
    """Stands for the accounts: everybody whose number is below a hundred has one."""

    def __init__(self) -> None:
        self.people = People(self.find_many)

    async def find_many(self, account_ids: Sequence[str]) -> list[Account]:
        found = (_account(int(each)) for each in account_ids if each.isdecimal())
        return [account for account in found if account is not None]

    async def find_by_phone(self, phone: str) -> Account | None:
        return None

    async def resolve_participant(self, name: str) -> Account | None:
        for number in range(1, 100):
            found = _account(number)
            if found and name in (found.id, found.email, found.public_id):
                return found
        return None


def _account(number: int) -> Account | None:
    known = {1: ANN, 2: BEN, 3: CAT, 9: EVE}
    if not 1 <= number < 100:
        return None
    who = known.get(number) or person(number)
    created_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Account(
        who.account_id, who.email, who.name, None, None, who.public_id, False, created_at
    )


class Connection:
    """A connection in its rooms, which keeps what it hears."""

    def __init__(self, hall: "Hall", identity: Identity) -> None:
        self.identity = identity
        self.rooms = {user_room(identity.account_id)}
        self.heard: list[tuple[str, dict]] = []
        self._hall = hall
        hall.connections.append(self)

    def enter(self, room: str) -> None:
        self.rooms.add(room)

    def leave(self, room: str) -> None:
        self.rooms.discard(room)

    def end(self) -> None:
        """Be out of everything, as a door does it before the domain is told."""
        self.rooms.clear()
        self._hall.connections.remove(self)

    def take(self, *names: str) -> list[dict]:
        """Return the payloads heard since the last take, of these events or of all."""
        taken = [data for name, data in self.heard if not names or name in names]
        self.heard.clear()
        return taken

    def take_names(self) -> list[str]:
        """Return the names of what was heard since the last take."""
        names = [name for name, _ in self.heard]
        self.heard.clear()
        return names


class Hall:
    """Delivers as the room manager does: once to each connection in one of the rooms."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.published: list[Event] = []

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        self.published.append(event)
        for connection in self.connections:
            if connection.rooms & set(rooms) and except_room not in connection.rooms:
                connection.heard.append((event.name, event.data()))

    def connect(self, identity: Identity) -> Connection:
        return Connection(self, identity)

    def take(self, name: str | None = None) -> list[dict]:
        """Return what was told since the last take, of one name or all."""
        taken = [event.data() for event in self.published if name in (None, event.name)]
        self.published.clear()
        return taken


def chat_on(database: Database, hall: Hall, clock: Clock, **changes: object) -> Chat:
    """Return the chat of one more process on the database, not prepared yet."""
    options: dict = {
        "upload_bytes": 1_000_000,
        "upload_quotas": Quotas(10_000_000, 20_000_000),
        "uploads_per_account": 4,
        "channels_per_connection": 20,
        "lease": LEASE,
        "lookups": Lookups(1_000),
        "clock": clock,
        "elapsed": getattr(clock, "elapsed", time.monotonic),
    }
    return Chat(database, hall, AddressBook(), **(options | changes))


async def open_channel(chat: Chat, hall: Hall, name: str = CHANNEL) -> None:
    """Leave a public channel that has no members and no messages, as its first joiner did."""
    founder = person(98)
    connection = hall.connect(founder)
    await chat.presence.arrived(connection, founder.account_id)
    await chat.join(founder, connection, name)
    await chat.membership.leave(founder, name)
    await chat.presence.left(connection)
    connection.end()
    hall.published.clear()


async def together(*awaitables: object) -> list:
    """Run all at the same time; returns their results in order."""
    return list(await asyncio.gather(*awaitables))


Make = Callable[..., Connection]

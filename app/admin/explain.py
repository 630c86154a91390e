"""Why an event did or did not reach an account.

Nothing is stored for it at deliveries: the answer is derived from the last events, from who is in
which room, and from how the last connections ended, as all processes know them.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from app.admin.facts import Connection, Event, Facts, Place, merged
from app.admin.views import (
    ConnectionsView,
    ConnectionView,
    EndedConnectionView,
    ExplainedEventView,
    ExplainedNotificationView,
    ExplanationView,
    PlacedConnectionView,
)
from app.legacy.dialect import Dialect
from app.legacy.peer import RawPeer
from app.legacy.routes import LegacyRoutes
from app.realtime.events.asking import Asking
from app.realtime.events.meter import DeliveryMeter, Happened
from app.realtime.lives import Life, Lives
from app.realtime.rooms import RoomManager
from models.accounts import Account, Accounts
from models.chat.members import INVITED, Members
from models.chat.records import KINDS
from models.database import Database, typed
from models.notifications.records import StoredInbox, StoredNotification, entry_id
from models.rooms import conversation_room, direct_room, public_stories_room, user_room
from models.times import now, to_text
from namespaces.gateway import DomainNamespace

_FACTS = "explain"
_CONNECTIONS = "connections"

CONNECTIONS_SHOWN = 200

SHOWN = 50
"""Events of one account in an answer, the latest."""

NOTIFICATIONS_SHOWN = 20

LOST_S = 30.0
"""A connection that broke off so soon after an event may have missed it, though it was written:
the time that a peer has to answer a ping, and some."""

_LOST_CODES = frozenset({1006, 1013})


@dataclass(frozen=True, slots=True)
class _Presence:
    """One connection of the account, in one namespace or as a raw peer."""

    connection: Connection
    place: Place
    dialect: Dialect | None
    """Of a raw peer: it receives every domain that its dialect has frames for."""

    def why_not(self, event: Event) -> str | None:
        """Return why this connection is not sent an event; None when it is."""
        if self.dialect is None:
            if self.place.where != event.namespace:
                return "another namespace"
        elif (event.namespace[1:], event.event) not in self.dialect.frames:
            return f"the API at {self.connection.door} has no frame for {event.event}"
        if not _is_for(event, self.place.rooms):
            return "not in the room"
        if event.except_room in self.place.rooms:
            return "left out: the answer to its own action says it"
        return None


class Explainer:
    """Looks into the parts of this process, and of the others, on behalf of operators."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        database: Database,
        lives: Lives,
        meter: DeliveryMeter,
        manager: RoomManager,
        gateways: Sequence[DomainNamespace],
        legacy: LegacyRoutes,
        process_name: str,
        asking: Asking | None = None,
    ) -> None:
        """`asking` asks the other processes; None where there are none."""
        self._process_name = process_name
        self._asking = asking
        if asking is not None:
            asking.answer(_FACTS, self._answer)
            asking.answer(_CONNECTIONS, self._answer_connections)
        self._accounts = accounts
        self._inboxes = typed(database["notification_inboxes"], StoredInbox)
        self._entries = typed(database["notifications"], StoredNotification)
        self._members = Members(database, now)
        self._lives = lives
        self._meter = meter
        self._manager = manager
        self._gateways = gateways
        self._legacy = legacy

    async def explain(self, account: Account) -> ExplanationView:
        """Return an account's sessions, connections, rooms, and its last events with their fate."""
        several, silent = [await self._facts(account.id)], 0
        if self._asking is not None:
            answers, silent = await self._asking.ask(_FACTS, account.id)
            several += [msgspec.convert(answer, Facts) for answer in answers]
        facts = merged(several)
        present = self._present(facts.connections)
        rooms = await self._rooms_of(account.id)
        concerning = [
            event
            for event in facts.events
            if _is_for(event, rooms) or any(_is_for(event, one.place.rooms) for one in present)
        ]
        muted, notifications = await self._notifications(account.id)
        return {
            "account": {
                "id": account.id,
                "email": account.email,
                "name": account.name,
                "disabled": account.disabled,
            },
            "silent_processes": silent,
            "sessions": await self._accounts.sessions.of(account.id),
            "connections": [_open(connection) for connection in facts.connections],
            "ended": [_ended(each) for each in reversed(facts.ended)][:SHOWN],
            "muted": muted,
            "notifications": notifications,
            "events": [_told(event, present, facts.ended) for event in concerning[:SHOWN]],
        }

    async def connections(self) -> ConnectionsView:
        """Return the latest connections of all processes."""
        several, silent = [self._connections()], 0
        if self._asking is not None:
            answers, silent = await self._asking.ask(_CONNECTIONS, None)
            several += [msgspec.convert(answer, tuple[list[Connection], int]) for answer in answers]
        latest = sorted(
            (connection for connections, _ in several for connection in connections),
            key=lambda connection: connection.opened_at,
            reverse=True,
        )
        return {
            "items": [connection_view(each) for each in latest[:CONNECTIONS_SHOWN]],
            "total": sum(total for _, total in several),
            "silent_processes": silent,
        }

    async def _answer_connections(self, _: Any) -> tuple[list[Connection], int]:
        return self._connections()

    def _connections(self) -> tuple[list[Connection], int]:
        """Return the latest ones of this process, and how many there are."""
        lives = list(self._lives)
        return [self._connection(life) for life in lives[-CONNECTIONS_SHOWN:]], len(lives)

    async def _answer(self, account_id: Any) -> Facts:
        return await self._facts(str(account_id))

    async def _facts(self, account_id: str) -> Facts:
        """Return what this process knows."""
        places: dict[Life, list[Place]] = {}
        for life, place in self._places(account_id):
            places.setdefault(life, []).append(place)
        rooms = set(await self._rooms_of(account_id))
        for found in places.values():
            rooms.update(*(place.rooms for place in found))
        events = (Event(*each) for each in reversed(self._meter.recent) if _is_for(each, rooms))
        return Facts(
            tuple(
                self._connection(life, places.get(life, ()))
                for life in self._lives.open_of(account_id)
            ),
            tuple(self._connection(life) for life in self._lives.ended_of(account_id)[-SHOWN:]),
            # More than are shown: some are of rooms in which this process has others.
            tuple(islice(events, 4 * SHOWN)),
        )

    def _connection(self, life: Life, places: Iterable[Place] = ()) -> Connection:
        return Connection(
            self._process_name,
            life.id,
            life.door,
            life.account_id,
            life.address,
            life.opened_at,
            life.closed_at,
            life.code,
            life.reason,
            tuple(places),
        )

    def _places(self, account_id: str) -> Iterator[tuple[Life, Place]]:
        for gateway in self._gateways:
            for sid, session in gateway.clients_of(account_id):
                if session.life is not None:
                    rooms = frozenset(self._manager.get_rooms(sid, gateway.namespace)) - {sid}
                    yield session.life, Place(gateway.namespace, False, rooms)
        for endpoint in self._legacy.endpoints:
            for peer in _peers_of(endpoint, account_id):
                if peer.life is not None:
                    rooms = frozenset(self._manager.rooms_of_peer(peer))
                    yield peer.life, Place(peer.life.door, True, rooms)

    def _present(self, connections: Iterable[Connection]) -> list[_Presence]:
        dialects = {dialect.path: dialect for dialect, _ in self._legacy.items()}
        return [
            _Presence(connection, place, dialects.get(place.where) if place.is_raw else None)
            for connection in connections
            for place in connection.places
        ]

    async def _rooms_of(self, account_id: str) -> frozenset[str]:
        """Return the rooms in which an account should be, wherever it is connected."""
        rooms = {user_room(account_id), public_stories_room()}
        for kind in (*KINDS, INVITED):
            for member in await self._members.of_account(account_id, kind):
                conversation_id = member["conversation_id"]
                rooms.add(conversation_room(conversation_id))
                rooms.add(direct_room(conversation_id, account_id))
        return frozenset(rooms)

    async def _notifications(
        self, account_id: str
    ) -> tuple[list[str], list[ExplainedNotificationView]]:
        """Return which types are muted, and the last notifications with what became of each."""
        inbox = await self._inboxes.find_one({"_id": account_id})
        last: int = inbox["last"] if inbox else 0
        numbers = range(last, max(0, last - NOTIFICATIONS_SHOWN), -1)
        keys = [entry_id(account_id, number) for number in numbers]
        found = {entry["number"]: entry for entry in await self._entries.find_ids(keys)}
        muted = sorted(inbox["muted"]) if inbox else []
        return muted, [_notified(found[n]) for n in numbers if n in found]


def _told(
    event: Event, present: Sequence[_Presence], ended: Sequence[Connection]
) -> ExplainedEventView:
    told, missed = [], []
    before = [one for one in present if one.connection.opened_at <= event.at]
    for one in before:
        reason = one.why_not(event)
        if reason is None:
            told.append(one.place.where)
        elif reason != "another namespace":
            missed.append(f"{one.place.where}: {reason}")
    for connection in ended:
        if connection.opened_at <= event.at <= (connection.closed_at or 0):
            missed.append(_of_ended(connection, event))
    if not told and not missed:
        missed.append(_absence(event, before, ended))
    return {
        "at": _time(event.at),
        "namespace": event.namespace,
        "event": event.event,
        "about": event.about,
        "rooms": None if event.rooms is None else list(event.rooms),
        "told": sorted(set(told)),
        "missed": missed,
    }


def _is_for(event: Event | Happened, rooms: Set[str]) -> bool:
    return event.rooms is None or not rooms.isdisjoint(event.rooms)


def _notified(entry: StoredNotification) -> ExplainedNotificationView:
    return {
        "id": entry["number"],
        "type": entry["type"],
        "created_at": to_text(entry["created_at"]),
        "told": not entry["muted"],
        "why": "muted: stored as read, without an event and a push" if entry["muted"] else None,
    }


def _peers_of(endpoint: Iterable[RawPeer], account_id: str) -> Iterator[RawPeer]:
    return (peer for peer in endpoint if peer.identity.account_id == account_id)


def _of_ended(connection: Connection, event: Event) -> str:
    ended_at = connection.closed_at or 0
    ended = f"{connection.door}: this connection ended at {_time(ended_at)}{_why(connection)}"
    if connection.code in _LOST_CODES and ended_at - event.at <= LOST_S:
        return f"{ended}, so it may not have read the event"
    return f"{ended}; it was open at the time"


def _absence(event: Event, before: Sequence[_Presence], ended: Sequence[Connection]) -> str:
    if before:
        places = ", ".join(sorted({one.place.where for one in before}))
        return f"not connected to {event.namespace}, only to {places}"
    gone = [each for each in ended if (each.closed_at or 0) <= event.at]
    if not gone:
        return "not connected at the time, and no connection before it is remembered here"
    last = gone[-1]
    return f"away since {_time(last.closed_at or 0)}: {last.door} ended{_why(last)}"


def _why(connection: Connection) -> str:
    return f" with {connection.code}" + (f" ({connection.reason})" if connection.reason else "")


def connection_view(connection: Connection) -> ConnectionView:
    """Return an open connection as operators see it."""
    return {
        "process": connection.process,
        "id": connection.id,
        "door": connection.door,
        "account_id": connection.account_id,
        "address": connection.address,
        "opened_at": _time(connection.opened_at),
    }


def _open(connection: Connection) -> PlacedConnectionView:
    rooms = {place.where: sorted(place.rooms) for place in connection.places}
    return {**connection_view(connection), "rooms": rooms}


def _ended(connection: Connection) -> EndedConnectionView:
    return {
        "process": connection.process,
        "id": connection.id,
        "door": connection.door,
        "opened_at": _time(connection.opened_at),
        "closed_at": _time(connection.closed_at or 0),
        "code": connection.code,
        "reason": connection.reason or None,
    }


def _time(seconds: float) -> str:
    return to_text(datetime.fromtimestamp(seconds, UTC))

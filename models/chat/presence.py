"""Presence: who is connected, and who is in which channel.

This process's memory is the truth about its own connections; `Leases` tells the other processes.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from models.chat.events import ChannelJoined, ChannelLeft
from models.chat.leases import Leases
from models.chat.records import user_json
from models.chat.statuses import OFFLINE, Statuses
from models.chat.turns import Turns
from models.database import Document
from models.errors import Conflict, DomainError, Unavailable
from models.events import Json, Publisher
from models.rooms import conversation_room
from models.times import Clock, to_text

logger = logging.getLogger(__name__)

ANYWHERE = ""
"""The place where every connected account is; conversations have names."""

MAX_SHOWN = 500
"""People present that a snapshot names; `present_count` counts them all."""


class Listener(Protocol):
    """A connection; it is told apart by what it is, not by what it says."""

    def enter(self, room: str) -> None:
        """Put the connection into a room."""

    def leave(self, room: str) -> None:
        """Take the connection out of a room."""


@dataclass(slots=True)
class _Known:
    """What is kept of a connection."""

    person: Document
    joined: set[str] = field(default_factory=set)
    follows: bool = False


@dataclass(slots=True)
class _Here:
    """What is kept of an account at a place."""

    person: Document
    listeners: set[Listener]


class Presence:
    """The connections of this process, and through the store those of all others.

    `join` and `leave` are called in the turn of their conversation.
    """

    def __init__(
        self,
        leases: Leases,
        statuses: Statuses,
        publisher: Publisher,
        turns: Turns,
        clock: Clock,
        *,
        channels_per_connection: int,
    ) -> None:
        self._leases = leases
        self._statuses = statuses
        self._publisher = publisher
        self._turns = turns
        self._clock = clock
        self._channels_per_connection = channels_per_connection
        self._known: dict[Listener, _Known] = {}
        self._places: dict[str, dict[str, _Here]] = {}
        self._store_lags = False

    async def arrived(self, listener: Listener, person: Document) -> None:
        """Note a connection; the first one of an account tells its status."""
        self._known[listener] = _Known(person)
        async with self._turns.of(_turn(person["id"])):
            if await self._come(listener, person, ANYWHERE):
                await self._statuses.tell(person, await self._statuses.get(person["id"]))

    async def left(self, listener: Listener) -> None:
        """Note the end of a connection, in every channel that it had joined."""
        known = self._known.pop(listener, None)
        if known is None:
            return
        for place in sorted(known.joined):
            async with self._turns.of(place):
                if await self._go(listener, known.person, place):
                    await self._tell(ChannelLeft, place, known.person)
        async with self._turns.of(_turn(known.person["id"])):
            if await self._go(listener, known.person, ANYWHERE):
                await self._statuses.tell(known.person, OFFLINE)

    async def join(self, listener: Listener, conversation_id: str) -> bool:
        """Put a connection into a channel; True when it is its account's first there.

        Raises:
            Conflict: code `too_many_channels`, or `connection_gone`: it has ended.
        """
        known = self._known.get(listener)
        if known is None:
            raise Conflict("The connection has ended.", code="connection_gone")
        if conversation_id in known.joined:
            return False
        if len(known.joined) >= self._channels_per_connection:
            raise Conflict(
                f"A connection may be in {self._channels_per_connection} channels.",
                code="too_many_channels",
            )
        listener.enter(conversation_room(conversation_id))
        known.joined.add(conversation_id)
        try:
            return await self._come(listener, known.person, conversation_id)
        except DomainError:
            await self.leave(listener, conversation_id)
            raise

    def follow(self, listener: Listener) -> None:
        """Let a connection join whatever channel its account joins from now on."""
        known = self._known.get(listener)
        if known is not None:
            known.follows = True

    async def join_followers(self, account_id: str, conversation_id: str) -> bool:
        """Put the connections of an account that follow it into a channel; gives as `join`."""
        first = False
        for listener in self._listeners(ANYWHERE, account_id):
            if self._known[listener].follows:
                with suppress(Conflict):
                    first |= await self.join(listener, conversation_id)
        return first

    async def leave(self, listener: Listener, conversation_id: str) -> bool:
        """Take a connection out of a channel; True when it was its account's last there.

        The one who leaves hears `channel_left`, so that is told before the room is left.

        Raises:
            Conflict: code `not_joined`.
        """
        known = self._known.get(listener)
        if known is None or conversation_id not in known.joined:
            raise Conflict("The connection has not joined that channel.", code="not_joined")
        known.joined.discard(conversation_id)
        try:
            last = await self._go(listener, known.person, conversation_id)
            if last:
                await self._tell(ChannelLeft, conversation_id, known.person)
        finally:
            listener.leave(conversation_room(conversation_id))
        return last

    def joined(self, listener: Listener) -> frozenset[str]:
        """Give the conversations that a connection has joined."""
        known = self._known.get(listener)
        return frozenset(known.joined if known else ())

    async def expel(self, account_id: str, conversation_id: str) -> None:
        """Take all connections that an account has here out of a channel."""
        for listener in self._listeners(conversation_id, account_id):
            await self.leave(listener, conversation_id)

    async def status(self, account_id: str) -> str:
        """Give available, away, busy, or offline for one that no process is connected to."""
        online = self._is_here(ANYWHERE, account_id)
        if online or await self._leases.elsewhere(ANYWHERE, account_id):
            return await self._statuses.get(account_id)
        return OFFLINE

    async def change_status(self, person: Document, status: str) -> None:
        """Keep what an account says of itself, and tell it if that is new."""
        async with self._turns.of(_turn(person["id"])):
            if await self._statuses.set(person["id"], status):
                await self._statuses.tell(person, status)

    async def present(self, conversation_id: str) -> dict[str, Json]:
        """Give who is in a channel: `present`, each a user, and `present_count`."""
        elsewhere = await self._leases.of_others(conversation_id)
        here = [here.person for here in self._places.get(conversation_id, {}).values()]
        people = {person["id"]: user_json(person) for person in (*elsewhere, *here)}
        shown: list[Json] = [people[account_id] for account_id in sorted(people, key=_by_number)]
        return {"present": shown[:MAX_SHOWN], "present_count": len(shown)}

    async def tell_joined(self, conversation_id: str, person: Document) -> None:
        """Tell everyone in a channel, the one who came included."""
        await self._tell(ChannelJoined, conversation_id, person)

    async def sweep(self) -> None:
        """Renew this process's lease, and tell who is gone with processes that died."""
        renewed = await self._leases.renew()
        if self._store_lags or not renewed:
            self._store_lags = False
            await self._reconcile()
        for process_id in await self._leases.dead():
            for noted in await self._leases.of_process(process_id):
                await self._absent(noted)
            await self._leases.bury(process_id)

    async def _come(self, listener: Listener, person: Document, place: str) -> bool:
        accounts = self._places.setdefault(place, {})
        here = accounts.get(person["id"])
        if here is not None:
            here.listeners.add(listener)
            return False
        accounts[person["id"]] = _Here(person, {listener})
        return await self._leases.arrive(place, person)

    async def _go(self, listener: Listener, person: Document, place: str) -> bool:
        accounts = self._places.get(place, {})
        here = accounts.get(person["id"])
        if here is None or listener not in here.listeners:
            return False
        here.listeners.discard(listener)
        if here.listeners:
            return False
        del accounts[person["id"]]
        if not accounts:
            del self._places[place]
        try:
            return await self._leases.depart(place, person["id"])
        except Unavailable as error:
            # The connection is gone all the same; the next sweep removes and tells it.
            logger.warning("presence: %s", error.message)
            self._store_lags = True
            return False

    async def _reconcile(self) -> None:
        """Make the store agree with this process's memory."""
        noted = {
            (found["place"], found["account_id"]): found
            for found in await self._leases.of_process(self._leases.process_id)
        }
        for (place, account_id), found in noted.items():
            if not self._is_here(place, account_id):
                await self._absent(found)
        missing = [
            (place, here.person)
            for place, accounts in self._places.items()
            for account_id, here in accounts.items()
            if (place, account_id) not in noted
        ]
        for place, person in missing:
            async with self._turns.of(place or _turn(person["id"])):
                if self._is_here(place, person["id"]) and await self._leases.arrive(place, person):
                    if place == ANYWHERE:
                        await self._statuses.tell(person, await self._statuses.get(person["id"]))
                    else:
                        await self.tell_joined(place, person)

    async def _absent(self, noted: Document) -> None:
        """Remove what a process noted of somebody who is not there by it any more."""
        place, account_id, process_id = noted["place"], noted["account_id"], noted["process_id"]
        async with self._turns.of(place or _turn(account_id)):
            if process_id == self._leases.process_id and self._is_here(place, account_id):
                return
            last = await self._leases.depart(place, account_id, process_id)
            if not last or self._is_here(place, account_id):
                return
            if place == ANYWHERE:
                await self._statuses.tell(noted["person"], OFFLINE)
            else:
                await self._tell(ChannelLeft, place, noted["person"])

    async def _tell(
        self, event: type[ChannelJoined | ChannelLeft], conversation_id: str, person: Document
    ) -> None:
        told = {
            "conversation_id": conversation_id,
            "at": to_text(self._clock()),
            **user_json(person),
        }
        await self._publisher.publish(event(told), conversation_room(conversation_id))

    def _is_here(self, place: str, account_id: str) -> bool:
        return account_id in self._places.get(place, {})

    def _listeners(self, place: str, account_id: str) -> tuple[Listener, ...]:
        here = self._places.get(place, {}).get(account_id)
        return tuple(here.listeners) if here else ()


def _turn(account_id: str) -> str:
    """Name the turn in which an account comes and goes; no conversation is named so."""
    return f"@{account_id}"


def _by_number(account_id: str) -> tuple[int, str]:
    return len(account_id), account_id

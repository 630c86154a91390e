"""Presence: who is connected, and who is in which channel.

This process's memory is the truth about its own connections; `Leases` tells the other processes.
An account whose last connection has ended stays for a few seconds of grace: a page that is loaded
again, or a phone that changes its network, is no coming and going.
"""

import asyncio
import logging
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, cast

from models.accounts import People
from models.accounts.people import Person
from models.chat.events import ChannelJoined, ChannelLeft
from models.chat.leases import BEAT_S, Leases
from models.chat.records import user_view
from models.chat.statuses import OFFLINE, Statuses
from models.chat.views import PresentView
from models.database import Document
from models.errors import Conflict, DomainError, Unavailable
from models.events import Json, Publisher
from models.keyed_locks import KeyedLocks
from models.rooms import conversation_room, direct_room
from models.signals import Signals
from models.times import Clock, to_text

logger = logging.getLogger(__name__)

ANYWHERE = ""
"""The place where every connected account is; conversations have names."""

SIGNAL = "presence"

MAX_SHOWN = 500
"""People present that a snapshot names; `present_count` counts them all."""


class Listener(Protocol):
    """A connection; it is compared by identity, not by value."""

    def enter(self, room: str) -> None:
        """Put the connection into a room."""

    def leave(self, room: str) -> None:
        """Take the connection out of a room."""


@dataclass(slots=True)
class _Known:
    """What is kept of a connection."""

    account_id: str
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Conversations, each with the rooms by which the connection receives it."""

    unseen: set[str] = field(default_factory=set)
    """Those of them in which the account is not shown to be present: it has not answered yet."""

    follows: bool = False


@dataclass(slots=True)
class _Here:
    """What is kept of an account at a place."""

    listeners: set[Listener]

    ended_at: float | None = None
    """When the last of the listeners ended, in monotonic seconds, while the grace lasts."""


class _Place:
    """The accounts at a place, also in the order in which they are shown."""

    __slots__ = ("accounts", "in_order")

    def __init__(self) -> None:
        self.accounts: dict[str, _Here] = {}
        self.in_order: list[tuple[int, str]] = []

    def add(self, account_id: str, here: _Here) -> None:
        """Add an account that is not here."""
        self.accounts[account_id] = here
        insort(self.in_order, _by_number(account_id))

    def remove(self, account_id: str) -> None:
        """Remove an account that is here."""
        del self.accounts[account_id]
        del self.in_order[bisect_left(self.in_order, _by_number(account_id))]


class Presence:
    """The connections of this process, and through the store those of all others.

    `join` and `leave` are called in the turn of their conversation.
    """

    def __init__(
        self,
        leases: Leases,
        statuses: Statuses,
        people: People,
        publisher: Publisher,
        locks: KeyedLocks,
        clock: Clock,
        *,
        rooms: Callable[[str, str], Awaitable[Iterable[str]]],
        signals: Signals,
        channels_per_connection: int,
        grace_s: float = 0.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the presence of this process.

        Args:
            leases: what the other processes learn, and say.
            statuses: what accounts say of themselves.
            people: how accounts are shown.
            publisher: delivers events.
            locks: those of conversations.
            clock: the time in events.
            rooms: names those that are told when an account comes to a conversation or leaves.
            signals: tell other processes what to do to an account's connections there.
            channels_per_connection: how many channels a connection may be in.
            grace_s: for how long an account is still here after its last connection.
            elapsed: monotonic seconds.
        """
        self._rooms = rooms
        self._leases = leases
        self._statuses = statuses
        self._people = people
        self._publisher = publisher
        self._locks = locks
        self._clock = clock
        self._channels_per_connection = channels_per_connection
        self._known: dict[Listener, _Known] = {}
        self._places: dict[str, _Place] = {}
        self._store_lags = False
        self._grace_s = grace_s
        self._elapsed = elapsed
        self._lingering: deque[tuple[float, str, str]] = deque()
        self._timer: asyncio.Task[None] | None = None
        self._stopped = False
        self._signals = signals
        signals.receive(SIGNAL, self._heard)
        self._at_work: set[asyncio.Task[None]] = set()

    async def arrived(self, listener: Listener, account_id: str) -> None:
        """Note a connection; the first one of an account publishes its status."""
        self._known[listener] = _Known(account_id)
        async with self._locks.lock(_lock_name(account_id)):
            if await self._come(listener, account_id, ANYWHERE):
                await self._publish_status(account_id, await self._statuses.get(account_id))

    async def left(self, listener: Listener) -> None:
        """Note the end of a connection, in every channel that it had joined.

        If it was its account's last one, that is told when the grace is over.
        """
        known = self._known.pop(listener, None)
        if known is None:
            return
        account_id, now = known.account_id, self._elapsed()
        for place in (*sorted(known.joined.keys() - known.unseen), ANYWHERE):
            here = self._here(place, account_id)
            if here is None or listener not in here.listeners:
                continue
            here.listeners.discard(listener)
            if not here.listeners:
                here.ended_at = now
                self._lingering.append((now, place, account_id))
        if self._stopped:
            return
        if not self._grace_s:
            await self.publish_departed()
        elif self._timer is None and self._lingering:
            self._timer = asyncio.create_task(self._wait_for_departures())

    async def publish_departed(self) -> None:
        """Note and publish who has not come back within the grace period."""
        now = self._elapsed()
        while self._lingering and self._lingering[0][0] + self._grace_s <= now:
            ended_at, place, account_id = self._lingering.popleft()
            async with self._locks.lock(place or _lock_name(account_id)):
                here = self._here(place, account_id)
                # Another entry of the queue stands for one that came back and ended again.
                if here is None or here.ended_at != ended_at or self._stopped:
                    continue
                if await self._depart(account_id, place):
                    await self._publish_gone(place, account_id)

    async def _wait_for_departures(self) -> None:
        try:
            while self._lingering:
                wait_s = self._lingering[0][0] + self._grace_s - self._elapsed()
                await asyncio.sleep(max(0.0, wait_s))
                try:
                    await self.publish_departed()
                except Exception:
                    logger.exception("a departure could not be published")
        finally:
            self._timer = None

    async def stop(self) -> None:
        """End this process's part in one write: its people have the grace to come back elsewhere.

        What ends from now on is neither written nor told.
        """
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        await self._leases.end()

    async def join(
        self,
        listener: Listener,
        conversation_id: str,
        *,
        room: str | None = None,
        unseen: bool = False,
    ) -> bool:
        """Put a connection into a channel; True when it is its account's first there.

        `room` is where the connection hears it, by default the conversation's own. An `unseen` one
        hears, and is not there for others; joining again without it makes it seen.

        Raises:
            Conflict: code `too_many_channels`, or `connection_gone`: it has ended.
        """
        known = self._known.get(listener)
        if known is None:
            raise Conflict("The connection has ended.", code="connection_gone")
        if conversation_id in known.joined:
            if unseen or conversation_id not in known.unseen:
                return False
            known.unseen.discard(conversation_id)
            return await self._come(listener, known.account_id, conversation_id)
        if len(known.joined) >= self._channels_per_connection:
            raise Conflict(
                f"A connection may be in {self._channels_per_connection} channels.",
                code="too_many_channels",
            )
        # The second is for what only the account's own connections there are told.
        rooms = (
            room or conversation_room(conversation_id),
            direct_room(conversation_id, known.account_id),
        )
        for each in rooms:
            listener.enter(each)
        known.joined[conversation_id] = rooms
        if unseen:
            known.unseen.add(conversation_id)
            return False
        try:
            return await self._come(listener, known.account_id, conversation_id)
        except DomainError:
            await self.leave(listener, conversation_id)
            raise

    def follow(self, listener: Listener) -> None:
        """Let a connection join whatever channel its account joins from now on."""
        known = self._known.get(listener)
        if known is not None:
            known.follows = True

    async def join_followers(self, account_id: str, conversation_id: str) -> bool:
        """Put the connections of an account that follow it into a channel.

        Returns as `join`, of the connections of this process: others tell of theirs.
        """
        self._signal("join_followers", account_id, conversation_id)
        return await self._join_followers(account_id, conversation_id)

    async def _join_followers(self, account_id: str, conversation_id: str) -> bool:
        first = False
        for listener in self._listeners(ANYWHERE, account_id):
            if self._known[listener].follows:
                with suppress(Conflict):
                    first |= await self.join(listener, conversation_id)
        return first

    async def reveal(self, account_id: str, conversation_id: str) -> bool:
        """Make the connections of an account seen where they were not.

        Returns as `join`, of the connections of this process: others tell of theirs.
        """
        self._signal("reveal", account_id, conversation_id)
        return await self._reveal(account_id, conversation_id)

    async def _reveal(self, account_id: str, conversation_id: str) -> bool:
        first = False
        for listener in self._listeners(ANYWHERE, account_id):
            if conversation_id in self._known[listener].unseen:
                first |= await self.join(listener, conversation_id)
        return first

    async def conceal(self, account_id: str, conversation_id: str) -> bool:
        """Make the connections of an account unseen, without a word; whether it was there."""
        self._signal("conceal", account_id, conversation_id)
        return await self._conceal(account_id, conversation_id)

    async def _conceal(self, account_id: str, conversation_id: str) -> bool:
        last = await self._cut_grace(account_id, conversation_id)
        for listener in self._listeners(conversation_id, account_id):
            known = self._known[listener]
            known.unseen.add(conversation_id)
            last |= await self._go(listener, known.account_id, conversation_id)
        return last

    async def _cut_grace(self, account_id: str, conversation_id: str) -> bool:
        """Let an account whose connections have ended be gone at once; whether it was there."""
        here = self._here(conversation_id, account_id)
        if here is None or here.listeners:
            return False
        return await self._depart(account_id, conversation_id)

    async def overhear(self, account_id: str, conversation_id: str) -> None:
        """Let the connections that follow an account receive a channel in which it is not seen."""
        self._signal("overhear", account_id, conversation_id)
        await self._overhear(account_id, conversation_id)

    async def _overhear(self, account_id: str, conversation_id: str) -> None:
        for listener in self._listeners(ANYWHERE, account_id):
            if self._known[listener].follows:
                with suppress(Conflict):
                    await self.join(listener, conversation_id, unseen=True)

    async def leave(self, listener: Listener, conversation_id: str) -> bool:
        """Take a connection out of a channel; True when it was its account's last there.

        The one who leaves hears `channel_left`, so that is told before the room is left.

        Raises:
            Conflict: code `not_joined`.
        """
        known = self.check_joined(listener, conversation_id)
        rooms = known.joined.pop(conversation_id)
        if conversation_id in known.unseen:
            known.unseen.discard(conversation_id)
            _leave(listener, rooms)
            return False
        try:
            last = await self._go(listener, known.account_id, conversation_id)
            if last:
                told = await self._rooms(conversation_id, known.account_id)
                # One that another process has put out is in no other room any more.
                own = direct_room(conversation_id, known.account_id)
                await self.publish_to_rooms(
                    ChannelLeft, conversation_id, known.account_id, {*told, own}
                )
        finally:
            _leave(listener, rooms)
        return last

    def check_joined(self, listener: Listener, conversation_id: str) -> _Known:
        """Return what is kept of a connection that has joined a channel.

        Raises:
            Conflict: code `not_joined`.
        """
        known = self._known.get(listener)
        if known is None or conversation_id not in known.joined:
            raise Conflict("The connection has not joined that channel.", code="not_joined")
        return known

    def joined(self, listener: Listener) -> frozenset[str]:
        """Return the conversations that a connection has joined."""
        known = self._known.get(listener)
        return frozenset(known.joined if known else ())

    def places(self, listener: Listener) -> Json:
        """Return what a connection has joined, as `Chat.rejoin` reads it."""
        known = self._known.get(listener)
        if known is None:
            return {"joined": {}, "follows": False}
        joined = {each: [rooms[0], each in known.unseen] for each, rooms in known.joined.items()}
        return {"joined": cast(Json, joined), "follows": known.follows}

    async def expel(self, account_id: str, conversation_id: str) -> None:
        """Take all connections that an account has out of a channel."""
        self._signal("expel", account_id, conversation_id)
        await self._expel(account_id, conversation_id)

    async def _expel(self, account_id: str, conversation_id: str) -> None:
        for listener in self._listeners(ANYWHERE, account_id):
            if conversation_id in self._known[listener].joined:
                await self.leave(listener, conversation_id)
        here = self._here(conversation_id, account_id)
        if here is not None and await self._cut_grace(account_id, conversation_id):
            await self._publish(ChannelLeft, conversation_id, account_id)

    # What another process does to an account's connections is done to those here.

    def _signal(self, what: str, account_id: str, conversation_id: str) -> None:
        data = {"do": what, "account_id": account_id, "conversation_id": conversation_id}
        self._signals.send(SIGNAL, data)

    def _heard(self, data: Mapping[str, Json]) -> None:
        """Change rooms at once, for what is delivered next; note and publish it in its turn."""
        do, account_id, conversation_id = (
            str(data.get(name)) for name in ("do", "account_id", "conversation_id")
        )
        for listener in self._listeners(ANYWHERE, account_id):
            known = self._known[listener]
            rooms = known.joined.get(conversation_id)
            if do == "expel" and rooms is not None:
                # The other one is left when it has heard so.
                listener.leave(rooms[0])
            elif (
                do in ("join_followers", "overhear")
                and known.follows
                and rooms is None
                and len(known.joined) < self._channels_per_connection
            ):
                listener.enter(conversation_room(conversation_id))
        task = asyncio.create_task(self._follow_up(do, account_id, conversation_id))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _follow_up(self, do: str, account_id: str, conversation_id: str) -> None:
        try:
            async with self._locks.lock(conversation_id):
                if do == "expel":
                    await self._expel(account_id, conversation_id)
                elif do == "conceal":
                    await self._conceal(account_id, conversation_id)
                elif do == "overhear":
                    await self._overhear(account_id, conversation_id)
                elif do in ("join_followers", "reveal"):
                    method = self._reveal if do == "reveal" else self._join_followers
                    if await method(account_id, conversation_id):
                        await self.publish_joined(conversation_id, account_id)
        except Unavailable as error:
            # Rooms are as they should be; the next sweep agrees with the store.
            logger.warning("presence: %s", error.message)
            self._store_lags = True
        except Exception:
            logger.exception("presence: what another process asked for failed")

    async def status(self, account_id: str) -> str:
        """Return available, away, busy, or offline for one that no process is connected to."""
        online = self._is_here(ANYWHERE, account_id)
        if online or await self._leases.elsewhere(ANYWHERE, account_id):
            return await self._statuses.get(account_id)
        return OFFLINE

    async def change_status(self, person: Person, status: str) -> None:
        """Keep what an account says of itself, and publish it if that is new."""
        async with self._locks.lock(_lock_name(person["id"])):
            if await self._statuses.set(person["id"], status):
                await self._statuses.publish(person, status)

    async def is_in(self, account_id: str, conversation_id: str) -> bool:
        """Return whether an account is present in a conversation, by any process."""
        if self._is_here(conversation_id, account_id):
            return True
        return await self._leases.elsewhere(conversation_id, account_id)

    async def present(
        self, conversation_id: str, seen: Callable[[str], bool] | None = None
    ) -> PresentView:
        """Return who is in a channel.

        With `seen` only accounts that may be seen are counted: for conversations of a few.
        """
        elsewhere = await self._leases.of_others(conversation_id)
        place = self._places.get(conversation_id) or _Place()
        # In a large room a page is copied, not the room.
        first = place.in_order[:MAX_SHOWN] if seen is None else place.in_order
        here = [each for _, each in first if seen is None or seen(each)]
        others = [
            each
            for each in elsewhere
            if each not in place.accounts and (seen is None or seen(each))
        ]
        count = len(others) + (len(place.accounts) if seen is None else len(here))
        present = sorted((*here, *others), key=_by_number)[:MAX_SHOWN]
        people = await self._people.many(present)
        shown = [user_view(people[account_id]) for account_id in present]
        return {"present": shown, "present_count": count}

    async def publish_joined(self, conversation_id: str, account_id: str) -> None:
        """Publish to everyone in a channel, the one who came included."""
        await self._publish(ChannelJoined, conversation_id, account_id)

    async def run(self) -> None:
        """Show forever that this process lives, and look for others that do not."""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.sweep()
            except Unavailable as error:
                logger.warning("presence: %s", error.message)
            except Exception:
                logger.exception("a sweep of presence failed; the next one is soon")

    async def sweep(self) -> None:
        """Move this process's counter, and publish who is gone: also with processes that died."""
        if self._stopped:
            return
        await self.publish_departed()
        renewed = await self._leases.renew()
        if self._store_lags or not renewed:
            self._store_lags = False
            await self._reconcile()
        for process_id in await self._leases.dead():
            for noted in await self._leases.of_process(process_id):
                await self._publish_if_gone(noted)
            await self._leases.bury(process_id)

    async def _come(self, listener: Listener, account_id: str, place: str) -> bool:
        here = self._here(place, account_id)
        if here is not None:
            here.listeners.add(listener)
            here.ended_at = None
            return False
        at_place = self._places.setdefault(place, _Place())
        at_place.add(account_id, _Here({listener}))
        return await self._leases.arrive(place, account_id)

    async def _go(self, listener: Listener, account_id: str, place: str) -> bool:
        here = self._here(place, account_id)
        if here is None or listener not in here.listeners:
            return False
        here.listeners.discard(listener)
        if here.listeners:
            return False
        return await self._depart(account_id, place)

    async def _depart(self, account_id: str, place: str) -> bool:
        """Remove an account from a place; whether no other process has it there."""
        accounts = self._places[place]
        accounts.remove(account_id)
        if not accounts.accounts:
            del self._places[place]
        try:
            return await self._leases.depart(place, account_id)
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
            (place, account_id)
            for place, at_place in self._places.items()
            for account_id in at_place.accounts
            if (place, account_id) not in noted
        ]
        for place, account_id in missing:
            async with self._locks.lock(place or _lock_name(account_id)):
                if self._is_here(place, account_id) and await self._leases.arrive(
                    place, account_id
                ):
                    if place == ANYWHERE:
                        await self._publish_status(account_id, await self._statuses.get(account_id))
                    else:
                        await self.publish_joined(place, account_id)

    async def _absent(self, noted: Document) -> None:
        """Remove what this process noted of someone who is not there by it any more."""
        place, account_id = noted["place"], noted["account_id"]
        async with self._locks.lock(place or _lock_name(account_id)):
            if self._is_here(place, account_id):
                return
            if await self._leases.depart(place, account_id):
                await self._publish_gone(place, account_id)

    async def _publish_if_gone(self, noted: Document) -> None:
        """Publish that a person is gone with a process that died, unless another one has them."""
        place, account_id = noted["place"], noted["account_id"]
        async with self._locks.lock(place or _lock_name(account_id)):
            if self._is_here(place, account_id):
                return
            if not await self._leases.elsewhere(place, account_id):
                await self._publish_gone(place, account_id)

    async def _publish_gone(self, place: str, account_id: str) -> None:
        if place == ANYWHERE:
            await self._publish_status(account_id, OFFLINE)
        else:
            await self._publish(ChannelLeft, place, account_id)

    async def _publish(
        self, event: type[ChannelJoined | ChannelLeft], conversation_id: str, account_id: str
    ) -> None:
        rooms = await self._rooms(conversation_id, account_id)
        await self.publish_to_rooms(event, conversation_id, account_id, rooms)

    async def _publish_status(self, account_id: str, status: str) -> None:
        await self._statuses.publish(await self._people.one(account_id), status)

    async def publish_to_rooms(
        self,
        event: type[ChannelJoined | ChannelLeft],
        conversation_id: str,
        account_id: str,
        rooms: Iterable[str],
    ) -> None:
        """Publish to some rooms that a person has come or gone."""
        person = await self._people.one(account_id)
        told = event(
            conversation_id=conversation_id,
            at=to_text(self._clock()),
            **user_view(person),
            hidden={"user_email": person["email"]},
        )
        await self._publisher.publish(told, *rooms)

    def _here(self, place: str, account_id: str) -> _Here | None:
        at_place = self._places.get(place)
        return at_place.accounts.get(account_id) if at_place is not None else None

    def _is_here(self, place: str, account_id: str) -> bool:
        return self._here(place, account_id) is not None

    def _listeners(self, place: str, account_id: str) -> tuple[Listener, ...]:
        here = self._here(place, account_id)
        return tuple(here.listeners) if here else ()


def _leave(listener: Listener, rooms: Iterable[str]) -> None:
    for room in rooms:
        listener.leave(room)


def _lock_name(account_id: str) -> str:
    """Name the turn in which an account comes and goes; no conversation is named so."""
    return f"@{account_id}"


def _by_number(account_id: str) -> tuple[int, str]:
    return len(account_id), account_id

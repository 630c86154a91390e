"""A raw-WebSocket endpoint: who gets in, who is connected, and how connections end."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial

from aiohttp import web
from websockets.frames import CloseCode

from app.legacy.dialect import Attendance, Dialect
from app.legacy.peer import RawPeer
from app.legacy.policy import DISABLED, REPLACED, UNAUTHORIZED, Policy
from app.legacy.refusal import TurnedAway
from app.legacy.roster import Roster
from app.origins import Origins
from app.realtime.deadlines import Deadlines
from app.realtime.rooms import RoomManager
from app.realtime.upgrade import Upgrade
from app.realtime.websocket import Listener, WebSocket
from app.settings import Limits
from models.errors import DomainError, Forbidden, TooManyRequests
from models.identity import Identity
from models.limits import RateLimit
from namespaces.conduct import Conduct

logger = logging.getLogger(__name__)

GOING_AWAY_REASON = "server going away"

FAREWELL_S = 0.5
"""How long peers may take to answer the close frame of a stopping server."""


class RawEndpoint:
    """One URL of the legacy APIs: a dialect, and the policy by which peers are let in."""

    def __init__(
        self,
        dialect: Dialect,
        policy: Policy,
        manager: RoomManager,
        origins: Origins,
        *,
        limits: Limits,
        ping_interval_s: float,
    ) -> None:
        self.ping_interval_s = ping_interval_s
        self.deadlines = Deadlines(min(1.0, ping_interval_s / 20))
        self._dialect = dialect
        self._policy = policy
        self._manager = manager
        self._origins = origins
        self._limits = limits
        self._connects = RateLimit(policy.connects_per_minute, 60.0)
        self._messages = RateLimit(limits.messages_per_s, 1.0)
        self._roster = Roster()
        self._closing = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        """Give the number of connections."""
        return len(self._roster)

    def __iter__(self) -> Iterator[RawPeer]:
        """Give the connections of this moment."""
        return iter(self._roster)

    @property
    def users(self) -> int:
        """Give the number of accounts that are connected."""
        return self._roster.users

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a request; a refusal is an HTTP status before it, or a close code after it."""
        if not self._origins.allow(request):
            raise Forbidden("Pages of this origin may not connect.", code="origin_not_allowed")
        upgrade = Upgrade(request)
        try:
            identity = await self._policy.identify(request)
            self._admit(identity)
        except DomainError as error:
            close_code = self._policy.close_codes.get(type(error))
            if close_code is None:
                raise
            return upgrade.to(self._socket(TurnedAway(close_code, error.message)))
        arrive = None
        if self._policy.attendance is not None:
            arrive = partial(self._attend, self._policy.attendance, request.query)
        of_user = None
        if self._policy.rate_of_user:
            of_user = partial(self._messages.check, identity.account_id)
        conduct = Conduct(self._limits.messages_per_s, of_user)
        peer = RawPeer(self, self._dialect, identity, conduct, arrive)
        return upgrade.to(self._socket(peer))

    def _admit(self, identity: Identity) -> None:
        self._connects.check(identity.account_id)
        if not self._policy.newest_wins:
            allowed = self._policy.connections_per_user
            if len(self._roster.of(identity.account_id)) >= allowed:
                raise TooManyRequests(
                    f"{allowed} connections are open already.", code="too_many_connections"
                )

    def _socket(self, listener: Listener) -> WebSocket:
        return WebSocket(
            listener,
            message_bytes=self._limits.message_bytes,
            unsent_bytes=self._limits.unsent_bytes,
        )

    # What peers tell their host.

    def arrived(self, peer: RawPeer) -> None:
        """Put a peer into its rooms, perhaps in the place of the user's oldest connection."""
        if self._closing:
            peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)
            return
        account_id = peer.identity.account_id
        former = self._roster.of(account_id)
        for oldest in former[: len(former) + 1 - self._policy.connections_per_user]:
            self._roster.remove(oldest)
            self._manager.remove_peer(oldest)
            oldest.close(REPLACED, "replaced by a newer connection")
        self._roster.add(peer)
        self._manager.enter_peer(peer, self._policy.rooms_of(peer.identity))
        logger.info("Client connected: UserID=%s, Total=%d", account_id, len(self))

    async def _attend(
        self, attendance: Attendance, query: Mapping[str, str], peer: RawPeer
    ) -> None:
        if peer not in self._roster:
            return
        try:
            await attendance.arrived(peer, query)
        except DomainError as error:
            logger.warning("arrival of account %s: %s", peer.identity.account_id, error.message)
            peer.close(CloseCode.TRY_AGAIN_LATER, "not available now")
        except Exception:
            logger.exception("arrival of account %s failed", peer.identity.account_id)
            peer.close(CloseCode.INTERNAL_ERROR, "something went wrong here")

    def entered(self, peer: RawPeer, room: str) -> None:
        """Put a peer into one more room."""
        self._manager.enter_peer(peer, (room,))

    def exited(self, peer: RawPeer, room: str) -> None:
        """Take a peer out of one room."""
        self._manager.leave_peer(peer, room)

    def left(self, peer: RawPeer) -> None:
        """Take a peer out of everything."""
        self._manager.remove_peer(peer)
        if self._policy.attendance is not None:
            peer.do(partial(self._policy.attendance.left, peer))
        if self._roster.remove(peer):
            account_id = peer.identity.account_id
            logger.info("Client disconnected: UserID=%s, Total=%d", account_id, len(self))
        if self._closing and not self._roster:
            self._empty.set()

    # How connections end from this side.

    def turn_out(self, accounts: AbstractSet[str], sessions: AbstractSet[str]) -> None:
        """End the connections of disabled `accounts` and of ended `sessions`, both by id."""
        for peer in self._roster:
            if peer.identity.account_id in accounts:
                peer.close(DISABLED, "account disabled")
            elif peer.identity.session_id in sessions:
                peer.close(UNAUTHORIZED, "session ended")

    async def close_all(self) -> None:
        """Tell every peer that the server is going away, and let it answer.

        A socket closed before that would be reset, and the peer might never read the close frame.
        """
        self._closing = True
        if not self._roster:
            return
        for peer in self._roster:
            peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), FAREWELL_S)
        # Who has not answered is gone for the domains, too, while there is a store to note it.
        for peer in self._roster:
            peer.depart()

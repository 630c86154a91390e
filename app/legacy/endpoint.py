"""A raw-WebSocket endpoint: who gets in, who is connected, and how connections end."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress

from aiohttp import web
from websockets.frames import CloseCode

from app.legacy.dialect import Dialect
from app.legacy.peer import UNAUTHORIZED, RawPeer
from app.origins import Origins
from app.realtime.deadlines import Deadlines
from app.realtime.rooms import RoomManager
from app.realtime.upgrade import Upgrade
from app.realtime.websocket import WebSocket
from app.rest.requests import AUTHENTICATE, bearer_token
from app.settings import Limits
from models.errors import Forbidden
from models.identity import Identity
from models.limits import RateLimit
from namespaces.conduct import Conduct

logger = logging.getLogger(__name__)

REPLACED = 4009
"""`READING.md`: a newer connection of the same user took this one's place."""

DISABLED = 4003
"""`conversation-chat.md`: the account is disabled."""

GOING_AWAY_REASON = "server going away"

FAREWELL_S = 0.5
"""How long peers may take to answer the close frame of a stopping server."""

RoomsOf = Callable[[Identity], Iterable[str]]


class RawEndpoint:
    """One URL of the legacy APIs. One connection per user: a new one replaces the old."""

    def __init__(
        self,
        dialect: Dialect,
        manager: RoomManager,
        rooms_of: RoomsOf,
        origins: Origins,
        *,
        limits: Limits,
        ping_interval_s: float,
    ) -> None:
        self.ping_interval_s = ping_interval_s
        self.deadlines = Deadlines(min(1.0, ping_interval_s / 20))
        self._dialect = dialect
        self._manager = manager
        self._rooms_of = rooms_of
        self._origins = origins
        self._limits = limits
        self._connects = RateLimit(limits.connects_per_minute, 60.0)
        self._peers: dict[str, RawPeer] = {}
        self._closing = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        """Give the number of connections."""
        return len(self._peers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a request, or refuse it before the upgrade with 401, 403 or 429."""
        if not self._origins.allow(request):
            raise Forbidden("Pages of this origin may not connect.", code="origin_not_allowed")
        upgrade = Upgrade(request)
        token = request.query.get("token") or bearer_token(request)
        identity = await request.app[AUTHENTICATE](token)
        self._connects.check(identity.account_id)
        peer = RawPeer(self, self._dialect, identity, Conduct(self._limits.messages_per_s))
        return upgrade.to(
            WebSocket(
                peer,
                message_bytes=self._limits.message_bytes,
                unsent_bytes=self._limits.unsent_bytes,
            )
        )

    def arrived(self, peer: RawPeer) -> None:
        """Put a peer into its rooms, in the place of the user's former connection."""
        if self._closing:
            peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)
            return
        account_id = peer.identity.account_id
        former = self._peers.get(account_id)
        if former is not None:
            self._manager.remove_peer(former)
            former.close(REPLACED, "replaced by a newer connection")
        self._peers[account_id] = peer
        self._manager.enter_peer(peer, self._rooms_of(peer.identity))
        logger.info("Client connected: UserID=%s, Total=%d", account_id, len(self))

    def left(self, peer: RawPeer) -> None:
        """Take a peer out of everything."""
        self._manager.remove_peer(peer)
        account_id = peer.identity.account_id
        if self._peers.get(account_id) is peer:
            del self._peers[account_id]
            logger.info("Client disconnected: UserID=%s, Total=%d", account_id, len(self))
        if self._closing and not self._peers:
            self._empty.set()

    def turn_out(self, accounts: AbstractSet[str], sessions: AbstractSet[str]) -> None:
        """End the connections of disabled `accounts` and of ended `sessions`, both by id."""
        for peer in list(self._peers.values()):
            if peer.identity.account_id in accounts:
                peer.close(DISABLED, "account disabled")
            elif peer.identity.session_id in sessions:
                peer.close(UNAUTHORIZED, "session ended")

    async def close_all(self) -> None:
        """Tell every peer that the server is going away, and let it answer.

        A socket closed before that would be reset, and the peer might never read the close frame.
        """
        self._closing = True
        if not self._peers:
            return
        for peer in list(self._peers.values()):
            peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), FAREWELL_S)

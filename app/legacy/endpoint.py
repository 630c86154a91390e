"""A raw-WebSocket endpoint: who gets in, who is connected, and how connections end."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web
from websockets.frames import CloseCode

from app.legacy.cursor import Cursor
from app.legacy.dialect import Attendance, Dialect
from app.legacy.peer import RawPeer
from app.legacy.policy import REPLACED, Policy
from app.legacy.refusal import RefusedConnection
from app.legacy.roster import Roster
from app.logs import fields
from app.memory import Budget
from app.origins import Origins
from app.realtime.deadlines import Deadlines
from app.realtime.events.delivery import Delivery, read_all
from app.realtime.finishing import FAREWELL_S, FINISH_S, drain_each, finish_each
from app.realtime.lives import REQUEST_ID, Lives
from app.realtime.rooms import RoomManager
from app.realtime.traffic import Traffic
from app.realtime.websocket.connection import Listener, WebSocket
from app.realtime.websocket.upgrade import Upgrade
from app.realtime.wirejson import dumps
from app.rest.contract import Credential, contract
from app.settings import Limits
from models.accounts.revocations import Revocation
from models.error_codes import CATALOGUE, DISABLED, UNAUTHORIZED
from models.errors import DomainError, Forbidden, TooManyRequests
from models.identity import Identity
from models.limits import RateLimit
from namespaces.guard import AccountLimits

logger = logging.getLogger(__name__)

GOING_AWAY_REASON = "server going away"


class RawEndpoint:
    """One URL of the legacy APIs: a dialect, and the policy by which peers are let in."""

    def __init__(
        self,
        dialect: Dialect,
        policy: Policy,
        manager: RoomManager,
        origins: Origins,
        account_limits: AccountLimits,
        *,
        limits: Limits,
        ping_interval_s: float,
        budget: Budget,
        lives: Lives | None = None,
    ) -> None:
        self.budget = budget
        self.ping_interval_s = ping_interval_s
        self.account_limits = account_limits
        self.deadlines = Deadlines(min(1.0, ping_interval_s / 20))
        self.traffic = Traffic()
        self._lives = lives
        self._dialect = dialect
        self._policy = policy
        self._manager = manager
        self._origins = origins
        self._limits = limits
        self.connects = RateLimit(policy.connects_per_minute, 60.0)
        self._roster = Roster()
        self.elsewhere: Callable[[str], int] = lambda account_id: 0
        """Returns how many connections an account has in other processes."""

        self.changed: Callable[[str], None] = lambda account_id: None
        """Called when an account has more or fewer connections here."""

        self._closing = False
        self._empty = asyncio.Event()
        self._arrivals: set[RawPeer] = set()
        """Those whose arrival is known to other processes."""

        self._signal = f"arrived at {dialect.path}"
        manager.log.receive(self._signal, self._heard_arrival)

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._roster)

    def __iter__(self) -> Iterator[RawPeer]:
        """Return the connections of this moment."""
        return iter(self._roster)

    @property
    def users(self) -> int:
        """Return the number of accounts that are connected."""
        return self._roster.users

    @contract(
        "older APIs",
        {101: None},
        credential=Credential.CHAT,
        errors=("bad_request", "upgrade_required", "another_user", "too_many_connections"),
    )
    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a request; a refusal is an HTTP status before it, or a close code after it."""
        if not self._origins.allow_raw(request):
            raise Forbidden("Pages of this origin may not connect.", code="origin_not_allowed")
        upgrade = Upgrade(request)
        try:
            identity = await self._policy.identify(request)
            self._admit(identity)
        except DomainError as error:
            if isinstance(error, TooManyRequests):
                self.account_limits.record_refusal("connections")
            close_code = CATALOGUE[error.code].close_code
            if close_code is None or not self._policy.refuses_by_closing:
                raise
            logger.info(
                "refused at %s: %d %s",
                self._dialect.path,
                close_code,
                error.code,
                extra=fields(f"refused at {self._dialect.path}", id=request.get(REQUEST_ID)),
            )
            return upgrade.to(self._socket(RefusedConnection(close_code, error.message)))
        arrive = None
        if self._policy.attendance is not None:
            arrive = partial(self._attend, self._policy.attendance, request.query)
        since = request.query.get("since")
        cursor = None if since is None else Cursor(since)
        peer = RawPeer(self, self._dialect, identity, arrive, cursor)
        if self._lives is not None:
            peer.life = self._lives.begin(self._dialect.path, request)
            peer.life.account_id = identity.account_id
        return upgrade.to(self._socket(peer))

    def _admit(self, identity: Identity) -> None:
        account_id = identity.account_id
        self.connects.check(account_id)
        allowed = self._policy.connections_per_user
        is_full = self._count_of(account_id) >= allowed
        if is_full and not self._policy.newest_wins:
            raise TooManyRequests(
                f"{allowed} connections are open already.", code="too_many_connections"
            )
        if not is_full:
            self.account_limits.check_connections(account_id)
        self.account_limits.count_connect(account_id)

    def _count_of(self, account_id: str) -> int:
        here = self.here_of(account_id)
        # A newer one takes the place of one that another process has: it is told to end it.
        return here if self._policy.newest_wins else here + self.elsewhere(account_id)

    def here(self) -> dict[str, int]:
        """Return how many connections each account has in this process."""
        return self._roster.numbers()

    def here_of(self, account_id: str) -> int:
        """Return how many connections an account has in this process."""
        return len(self._roster.of(account_id))

    def _socket(self, listener: Listener) -> WebSocket:
        return WebSocket(
            listener,
            message_bytes=self._limits.message_bytes,
            unsent_bytes=self._limits.unsent_bytes,
            budget=self.budget,
        )

    # Called by peers, as their host.

    def arrived(self, peer: RawPeer) -> None:
        """Put a peer into its rooms, perhaps in the place of the user's oldest connection."""
        if self._closing:
            peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)
            return
        account_id = peer.identity.account_id
        former = self._roster.of(account_id)
        for oldest in former[: len(former) + 1 - self._policy.connections_per_user]:
            self._replace(oldest)
        # Nothing was awaited since `_admit`, so there is room for it.
        self.account_limits.add_connection(account_id, peer)
        self._roster.add(peer)
        self.changed(account_id)
        if self._policy.newest_wins:
            self._announce_arrival(peer)
        for room in self._policy.rooms_of(peer.identity):
            peer.enter(room)
        logger.info("Client connected: UserID=%s, Total=%d", account_id, len(self))

    def _announce_arrival(self, peer: RawPeer) -> None:
        """Let this user's connections of other processes end.

        Of two that come at the same time on two processes the later one in the log stays: one whose
        own arrival has not come back yet is newer than those that are heard of.
        """
        account_id = peer.identity.account_id
        self._manager.log.send(self._signal, {"account_id": account_id})
        self._manager.log.after_published(partial(self._note_arrival, peer))

    def _note_arrival(self, peer: RawPeer) -> None:
        if peer in self._roster:
            self._arrivals.add(peer)

    def _heard_arrival(self, data: Mapping[str, Any]) -> None:
        for peer in self._roster.of(str(data.get("account_id"))):
            if peer in self._arrivals:
                self._replace(peer)

    def _replace(self, peer: RawPeer) -> None:
        self._forget(peer)
        self._manager.remove_peer(peer)
        peer.close(REPLACED, "replaced by a newer connection")

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

    @property
    def position(self) -> str:
        """The offset of the event that was delivered last."""
        return self._manager.log.position

    async def missed(self, since: str, rooms: Collection[str]) -> list[tuple[str, Delivery]]:
        """Return what came after an offset for members of `rooms`.

        Raises:
            Gap: not all of it is known, or it is more than a client may have unread.
        """
        log = self._manager.log
        return await read_all(log, since, rooms, self._limits.unsent_bytes // 2)

    def entered(self, peer: RawPeer, rooms: Iterable[str]) -> None:
        """Put a peer into more rooms."""
        self._manager.enter_peer(peer, rooms)

    def exited(self, peer: RawPeer, room: str) -> None:
        """Take a peer out of one room."""
        self._manager.leave_after_published(peer, room, self._manager.leave_peer)

    def left(self, peer: RawPeer) -> None:
        """Take a peer out of everything."""
        self._manager.remove_peer(peer)
        if self._policy.attendance is not None:
            peer.do(partial(self._policy.attendance.left, peer))
        if self._forget(peer):
            account_id = peer.identity.account_id
            logger.info("Client disconnected: UserID=%s, Total=%d", account_id, len(self))
        if self._closing and not self._roster:
            self._empty.set()

    def _forget(self, peer: RawPeer) -> bool:
        """Count a peer no longer; False when it was not counted."""
        self._arrivals.discard(peer)
        if not self._roster.remove(peer):
            return False
        self.account_limits.remove_connection(peer.identity.account_id, peer)
        self.changed(peer.identity.account_id)
        return True

    def announce_gap(self, *, is_certain: bool) -> None:
        """Have all peers fetch anew: by a frame if they know it, else as when the server stops.

        Those that do not know it are let be where it is only possible that events were lost.
        """
        for peer in self._roster:
            if peer.cursor is not None:
                peer.send(dumps(self._dialect.gap_frame()))
            elif is_certain:
                peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)

    # How connections end from this side.

    def close_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Close the connections whose identity one of `revocations` covers."""
        for peer in self._roster:
            covering = [entry for entry in revocations if entry.covers(peer.identity)]
            if any(entry.disabled for entry in covering):
                peer.close(DISABLED, "account disabled")
            elif covering:
                peer.close(UNAUTHORIZED, "session ended")

    async def drain(self, within_s: float) -> None:
        """As `close_all`, a few peers at a time within so many seconds; the others go on."""
        await drain_each(
            list(self._roster),
            _send_away,
            is_there=self._roster.__contains__,
            within_s=within_s,
            finish_s=FINISH_S,
        )

    async def close_all(self, finish_s: float = FINISH_S) -> None:
        """Let every peer have its answers, send it the close frame, and let it reply.

        A socket closed before that would be reset, and the peer might never read the close frame.
        """
        self._closing = True
        if not self._roster:
            return
        await finish_each(list(self._roster), _send_away, finish_s)
        if self._roster:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), FAREWELL_S)
        # Who has not answered is gone for the domains, too, while there is a store to note it.
        for peer in self._roster:
            peer.depart()


async def _send_away(peer: RawPeer) -> None:
    peer.close(CloseCode.GOING_AWAY, GOING_AWAY_REASON)

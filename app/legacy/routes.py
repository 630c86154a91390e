"""The endpoints of the dialects: where each is served, and who may connect."""

import asyncio
from collections.abc import Awaitable, Callable, ItemsView, Sequence

from aiohttp import web

from app.legacy.census import Census
from app.legacy.credentials import ByPath
from app.legacy.dialect import USER_IN_PATH, Attendance, Dialect
from app.legacy.endpoint import RawEndpoint
from app.legacy.policy import Policy
from app.legacy.registry import dialects
from app.memory import Budget
from app.origins import Origins
from app.realtime.finishing import FINISH_S
from app.realtime.lives import Lives
from app.realtime.rooms import RoomManager
from app.settings import Settings
from models.accounts import Account
from models.database import Document
from namespaces.base import Commands
from namespaces.guard import AccountLimits


class LegacyRoutes:
    """An endpoint for every dialect of the registry."""

    def __init__(
        self,
        domains: Sequence[Commands],
        manager: RoomManager,
        origins: Origins,
        settings: Settings,
        account_limits: AccountLimits,
        resolve_path: Callable[[str], Awaitable[Account | None]],
        budget: Budget,
        lives: Lives | None = None,
        others: Callable[[], Sequence[Document]] = lambda: (),
        kinds: Sequence[type[Dialect]] | None = None,
    ) -> None:
        """Make the endpoints.

        `others` returns what the other processes that live have reported; `kinds` are the dialects,
        those of the registry if left out.
        """
        self._budget = budget
        self._lives = lives
        self._manager = manager
        self._origins = origins
        self._settings = settings
        self._account_limits = account_limits
        self._resolve_path = resolve_path
        spoken = [kind(domains) for kind in (dialects() if kinds is None else kinds)]
        self._endpoints = {dialect: self._endpoint(dialect) for dialect in spoken}
        self.census = Census(self._endpoints, others)

    @property
    def endpoints(self) -> tuple[RawEndpoint, ...]:
        """The endpoints, one for each dialect."""
        return tuple(self._endpoints.values())

    def items(self) -> ItemsView[Dialect, RawEndpoint]:
        """Return each dialect with its endpoint."""
        return self._endpoints.items()

    def connections_at(self, path: str) -> int:
        """Return the number of connections to the dialect at `path`, over all processes."""
        return sum(
            self.census[dialect].connections for dialect in self._endpoints if dialect.path == path
        )

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be added to the application."""
        routes: list[web.RouteDef] = []
        for dialect, endpoint in self._endpoints.items():
            routes.append(web.get(dialect.path, endpoint.handle))
            routes += dialect.routes(self.census[dialect])
        # The router takes the first that matches: `/ws/stats` is not the user `stats` of another.
        return sorted(routes, key=lambda route: USER_IN_PATH in route.path)

    def announce_gap(self, *, is_certain: bool) -> None:
        """Announce to all connections that events were lost on their way here, or may have been."""
        for endpoint in self.endpoints:
            endpoint.announce_gap(is_certain=is_certain)

    async def drain(self, within_s: float) -> None:
        """Close all connections, a few at a time within so many seconds; the others go on."""
        await asyncio.gather(*(endpoint.drain(within_s) for endpoint in self.endpoints))

    async def close_all(self, finish_s: float = FINISH_S) -> None:
        """Close all connections (1001) when what they have begun is answered."""
        await asyncio.gather(*(endpoint.close_all(finish_s) for endpoint in self.endpoints))

    def _endpoint(self, dialect: Dialect) -> RawEndpoint:
        return RawEndpoint(
            dialect,
            self._policy(dialect),
            self._manager,
            self._origins,
            self._account_limits,
            limits=self._settings.limits,
            ping_interval_s=self._settings.raw_ping_interval_s,
            budget=self._budget,
            lives=self._lives,
        )

    def _policy(self, dialect: Dialect) -> Policy:
        limits, access = self._settings.limits, dialect.access
        names_user = USER_IN_PATH in dialect.path
        allowed = 1 if access.one_per_user else limits.connections_per_user
        return Policy(
            ByPath(access.identify, self._resolve_path) if names_user else access.identify,
            dialect.rooms_of,
            connections_per_user=allowed,
            # As often as it takes to open all that one may have, the documented number of times.
            connects_per_minute=limits.connects_per_minute * allowed,
            newest_wins=access.one_per_user,
            refuses_by_closing=names_user,
            attendance=dialect if isinstance(dialect, Attendance) else None,
        )

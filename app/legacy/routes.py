"""The legacy endpoints: which URL speaks which dialect, and lets in whom."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from aiohttp import web

from app.legacy.channels import ChannelsDialect
from app.legacy.conversations import ConversationsDialect
from app.legacy.credentials import (
    ByPath,
    by_chat_token,
    by_chat_token_or_email,
    by_token,
    by_token_or_path,
)
from app.legacy.dialect import Dialect
from app.legacy.diary import DiaryDialect
from app.legacy.endpoint import RawEndpoint
from app.legacy.notifications import NotificationsDialect
from app.legacy.policy import CLOSE_CODES, Policy
from app.origins import Origins
from app.realtime.rooms import RoomManager
from app.settings import Settings
from models.accounts import Account
from models.identity import Identity
from namespaces.base import Commands
from namespaces.chat import ChatCommands
from namespaces.diary import DiaryCommands

Wanted = TypeVar("Wanted", bound=Commands)


class LegacyRoutes:
    """`notifications` at `/ws`, `channels` at `/api/v1/ws`, `conversations` at `/ws/{user_id}`,
    `diary` at `/api/v1/ws/{user_id}`."""

    def __init__(
        self,
        domains: Sequence[Commands],
        manager: RoomManager,
        origins: Origins,
        settings: Settings,
        find_account: Callable[[str], Awaitable[Account | None]],
    ) -> None:
        self._manager = manager
        self._origins = origins
        self._settings = settings
        limits = settings.limits
        # As often as it takes to open all that one may have, the documented number of times.
        often = limits.connects_per_minute * limits.connections_per_user
        self._chat = chat = _the(ChatCommands, domains)
        self.notifications = self._endpoint(
            NotificationsDialect(),
            Policy(
                by_token,
                _rooms_of(domains),
                connections_per_user=1,
                connects_per_minute=limits.connects_per_minute,
                newest_wins=True,
            ),
        )
        channels = ChannelsDialect(chat)
        self.channels = self._endpoint(
            channels,
            Policy(
                by_chat_token_or_email,
                _no_rooms,
                limits.connections_per_user,
                often,
                attendance=channels,
            ),
        )
        conversations = ConversationsDialect(chat)
        self.conversations = self._endpoint(
            conversations,
            Policy(
                ByPath(by_chat_token, find_account),
                chat.rooms_of,
                limits.connections_per_user,
                often,
                close_codes=CLOSE_CODES,
                attendance=conversations,
            ),
        )
        diary = _the(DiaryCommands, domains)
        self.diary = self._endpoint(
            DiaryDialect(diary),
            Policy(
                ByPath(by_token_or_path, find_account),
                diary.rooms_of,
                limits.connections_per_user,
                often,
                close_codes=CLOSE_CODES,
                rate_of_user=True,
            ),
        )
        self.endpoints = (self.notifications, self.channels, self.conversations, self.diary)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        return [
            web.get("/ws", self.notifications.handle),
            web.get("/api/v1/ws", self.channels.handle),
            web.get("/api/v1/ws/stats", self.stats),
            web.get("/api/v1/ws/status", self.status),
            web.get("/api/v1/ws/{user_id}", self.diary.handle),
            web.get("/ws/{user_id}", self.conversations.handle),
        ]

    async def stats(self, request: web.Request) -> web.Response:
        """200 with the connections of `/api/v1/ws`, and how many are in each public channel.

        Anyone may ask (`channel-chat.md`), so the names of private channels are kept.
        """
        channels = await self._chat.listeners(peer.caller for peer in self.channels)
        data = {"total_clients": len(self.channels), "channels": channels}
        return web.json_response({"success": True, "data": data})

    async def status(self, request: web.Request) -> web.Response:
        """200 with the number of users whose diary is connected to this process (`diary.md`)."""
        return web.json_response({"connected_users": self.diary.users, "status": "active"})

    async def close_all(self) -> None:
        """Tell all peers that the server is going away."""
        await asyncio.gather(*(endpoint.close_all() for endpoint in self.endpoints))

    def _endpoint(self, dialect: Dialect, policy: Policy) -> RawEndpoint:
        return RawEndpoint(
            dialect,
            policy,
            self._manager,
            self._origins,
            limits=self._settings.limits,
            ping_interval_s=self._settings.raw_ping_interval_s,
        )


def _the(kind: type[Wanted], domains: Sequence[Commands]) -> Wanted:
    return next(commands for commands in domains if isinstance(commands, kind))


def _rooms_of(domains: Sequence[Commands]) -> Callable[[Identity], Iterable[str]]:
    def rooms_of(identity: Identity) -> Iterable[str]:
        return set(chain.from_iterable(commands.rooms_of(identity) for commands in domains))

    return rooms_of


def _no_rooms(identity: Identity) -> Iterable[str]:
    """Give none: what is heard there is joined by name."""
    return ()

"""`/api/v1/channels`: make channels, list them, invite, leave."""

from http import HTTPStatus

from aiohttp import web

from app.rest.chat_messages import succeeded
from app.rest.requests import body, chat_caller, query
from models.chat import Chat
from models.chat.schema import ChannelsQuery, CreateChannel, Invite

_CREATE = CreateChannel()
_INVITE = Invite()
_PAGE = ChannelsQuery()


class ChannelRoutes:
    """The routes of channels."""

    def __init__(self, chat: Chat) -> None:
        self._membership = chat.membership
        self._lists = chat.lists

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        root = "/api/v1/channels"
        return [
            web.post(root, self.create),
            web.get(root, self.page),
            web.post(f"{root}/{{channel_id}}/invite", self.invite),
            web.post(f"{root}/{{channel_id}}/leave", self.leave),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the channel."""
        identity = await chat_caller(request)
        wanted = await body(request, _CREATE)
        channel = await self._membership.create_channel(identity, **wanted)
        return succeeded(channel, HTTPStatus.CREATED)

    async def page(self, request: web.Request) -> web.Response:
        """200 with channels by name, each with `member_count`; `page` has `next`."""
        identity = await chat_caller(request)
        wanted = await query(request, _PAGE)
        page = await self._lists.channels(identity, **wanted)
        return succeeded(page.pop("items"), page=page)

    async def invite(self, request: web.Request) -> web.Response:
        """200 with the channel; `participants` are its members now."""
        identity = await chat_caller(request)
        wanted = await body(request, _INVITE)
        channel_id = request.match_info["channel_id"]
        return succeeded(await self._membership.invite(identity, channel_id, **wanted))

    async def leave(self, request: web.Request) -> web.Response:
        """200; the caller is a member no more."""
        identity = await chat_caller(request)
        await self._membership.leave(identity, request.match_info["channel_id"])
        return succeeded(None)

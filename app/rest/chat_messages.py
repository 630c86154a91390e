"""`/api/v1/messages`: messages as `channel-chat.md` posts them, and what belongs to them."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from app.rest.idempotency import keyed_operation_id
from app.rest.requests import body, chat_caller, query
from models.chat import Chat
from models.chat.schema import HistoryQuery, MessageEdit, SendMessage
from models.events import Json
from models.stories.schema import React

_SEND = SendMessage()
_EDIT = MessageEdit()
_PAGE = HistoryQuery()
_REACT = React()


class MessageRoutes:
    """The routes of messages; a message's channel may be a conversation's id as well."""

    def __init__(self, chat: Chat) -> None:
        self._messages = chat.messages
        self._reading = chat.reading
        self._reactions = chat.reactions

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        root = "/api/v1/messages"
        one = f"{root}/{{message_id}}"
        return [
            web.post(root, self.send),
            web.get(root, self.page),
            web.get(one, self.get),
            web.put(one, self.edit),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
            web.post(f"{one}/reactions", self.react),
            web.delete(f"{one}/reactions", self.unreact),
            web.post(f"{one}/read", self.read),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """201 with the message; sent again with the same `client_id`, the same."""
        identity = await chat_caller(request)
        wanted = named_once(request, await body(request, _SEND))
        message = await self._messages.send(identity, **wanted)
        return succeeded(shown(message), HTTPStatus.CREATED)

    async def page(self, request: web.Request) -> web.Response:
        """200 with messages in order of `seq`; `page` has `seq`, `revision`, `more`."""
        identity = await chat_caller(request)
        wanted = await query(request, _PAGE)
        page = await self._reading.history(identity, **wanted)
        items = page.pop("items")
        assert isinstance(items, list)
        data: list[Json] = [shown(item) for item in items if isinstance(item, dict)]
        return succeeded(data, page=page)

    async def get(self, request: web.Request) -> web.Response:
        """200 with the message, or its tombstone."""
        identity = await chat_caller(request)
        return succeeded(shown(await self._messages.get(identity, _message_id(request))))

    async def edit(self, request: web.Request) -> web.Response:
        """200 with the message as it is now."""
        identity = await chat_caller(request)
        wanted = await body(request, _EDIT)
        message = await self._messages.edit(identity, _message_id(request), **wanted)
        return succeeded(shown(message))

    async def delete(self, request: web.Request) -> web.Response:
        """200 with the tombstone."""
        identity = await chat_caller(request)
        return succeeded(shown(await self._messages.delete(identity, _message_id(request))))

    async def react(self, request: web.Request) -> web.Response:
        """200 with the message."""
        identity = await chat_caller(request)
        wanted = await body(request, _REACT)
        message = await self._reactions.react(identity, _message_id(request), **wanted)
        return succeeded(shown(message))

    async def unreact(self, request: web.Request) -> web.Response:
        """200 with the message; the reaction is `?emoji=`."""
        identity = await chat_caller(request)
        wanted = await query(request, _REACT)
        message = await self._reactions.unreact(identity, _message_id(request), **wanted)
        return succeeded(shown(message))

    async def read(self, request: web.Request) -> web.Response:
        """200 with `conversation_id`, `read_seq`, `unread`."""
        identity = await chat_caller(request)
        return succeeded(await self._reading.mark(identity, _message_id(request)))


def named_once(request: web.Request, wanted: dict[str, Any]) -> dict[str, Any]:
    """Give a message that has no `client_id` one from its `Idempotency-Key`.

    By it the message is the same even if the process that wrote it died before it answered.
    """
    return {**wanted, "client_id": wanted["client_id"] or keyed_operation_id(request)}


def succeeded(
    data: Json, status: HTTPStatus = HTTPStatus.OK, **beside: dict[str, Json]
) -> web.Response:
    """Answer in the envelope of `channel-chat.md`."""
    return web.json_response({"success": True, "data": data, **beside}, status=status)


def shown(message: dict[str, Json]) -> dict[str, Json]:
    """Add what `channel-chat.md` calls the conversation and the author."""
    return {
        **message,
        "channel_id": message["conversation_id"],
        "user_email": message["author_email"],
    }


def _message_id(request: web.Request) -> str:
    return request.match_info["message_id"]

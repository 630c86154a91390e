"""`/api/v1/conversations`: direct and group conversations, and channels by their names."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from marshmallow import pre_load

from app.rest.chat_messages import named_once
from app.rest.requests import body, chat_caller, query
from models.chat import Chat
from models.chat.schema import (
    ChangesQuery,
    CreateConversation,
    HistoryQuery,
    Invite,
    MessageBody,
    MessageId,
    SearchQuery,
)

_ALSO = {
    "messageType": "message_type",
    "messageId": "message_id",
    "replyTo": "reply_to",
    "clientId": "client_id",
}
"""Fields as clients of the conversation dialect write them."""


class _Either:
    """Takes both spellings of a field."""

    @pre_load
    def either(self, data: Any, **_: Any) -> Any:
        """Spell the fields as the domain does."""
        if not isinstance(data, Mapping):
            return data
        return {_ALSO.get(field, field): value for field, value in data.items()}


class _Body(_Either, MessageBody):
    """A message: `content`, `messageType`, `replyTo`, `clientId`, `attachments`."""


class _MessageId(_Either, MessageId):
    """A message by its id: `messageId`."""


_CREATE = CreateConversation()
_SEND = _Body()
_MESSAGE_ID = _MessageId()
_INVITE = Invite()
_PAGE = HistoryQuery(exclude=("conversation_id",))
_CHANGES = ChangesQuery(exclude=("conversation_id",))
_SEARCH = SearchQuery(exclude=("conversation_id",))


class ConversationRoutes:
    """The routes of conversations."""

    def __init__(self, chat: Chat) -> None:
        self._membership = chat.membership
        self._lists = chat.lists
        self._messages = chat.messages
        self._reading = chat.reading

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        root = "/api/v1/conversations"
        one = f"{root}/{{conversation_id}}"
        return [
            web.post(root, self.create),
            web.get(root, self.list),
            web.get(one, self.get),
            web.post(f"{one}/messages", self.send),
            web.get(f"{one}/messages", self.page),
            web.get(f"{one}/changes", self.changes),
            web.get(f"{one}/search", self.search),
            web.post(f"{one}/read", self.read),
            web.post(f"{one}/participants", self.invite),
            web.post(f"{one}/leave", self.leave),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the conversation; the direct one of two is always the same."""
        identity = await chat_caller(request)
        wanted = await body(request, _CREATE)
        conversation = await self._membership.create_conversation(identity, **wanted)
        return web.json_response(conversation, status=HTTPStatus.CREATED)

    async def list(self, request: web.Request) -> web.Response:
        """200 with `items`, each with `last_message` and `unread`."""
        identity = await chat_caller(request)
        return web.json_response(await self._lists.conversations(identity))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the conversation, `seq`, `revision`, and `members` where it is no channel."""
        identity = await chat_caller(request)
        return web.json_response(await self._lists.get(identity, _conversation_id(request)))

    async def send(self, request: web.Request) -> web.Response:
        """201 with the message."""
        identity = await chat_caller(request)
        wanted = named_once(request, await body(request, _SEND))
        message = await self._messages.send(identity, _conversation_id(request), **wanted)
        return web.json_response(message, status=HTTPStatus.CREATED)

    async def page(self, request: web.Request) -> web.Response:
        """200 with `items` in order of `seq`, `seq`, `revision`, `more`."""
        identity = await chat_caller(request)
        wanted = await query(request, _PAGE)
        page = await self._reading.history(identity, _conversation_id(request), **wanted)
        return web.json_response(page)

    async def changes(self, request: web.Request) -> web.Response:
        """200 with `messages` changed after the revision `after`, `revision`, `more`."""
        identity = await chat_caller(request)
        wanted = await query(request, _CHANGES)
        page = await self._reading.changed(identity, _conversation_id(request), **wanted)
        return web.json_response(page)

    async def search(self, request: web.Request) -> web.Response:
        """200 with `items` that have `text`, and `before` to go on with."""
        identity = await chat_caller(request)
        wanted = await query(request, _SEARCH)
        found = await self._reading.search(identity, _conversation_id(request), **wanted)
        return web.json_response(found)

    async def read(self, request: web.Request) -> web.Response:
        """200 with `read_seq` and `unread`."""
        identity = await chat_caller(request)
        wanted = await body(request, _MESSAGE_ID)
        state = await self._reading.mark(
            identity, wanted["message_id"], conversation_id=_conversation_id(request)
        )
        return web.json_response(state)

    async def invite(self, request: web.Request) -> web.Response:
        """200 with the conversation; `participants` are its members now."""
        identity = await chat_caller(request)
        wanted = await body(request, _INVITE)
        conversation_id = _conversation_id(request)
        return web.json_response(await self._membership.invite(identity, conversation_id, **wanted))

    async def leave(self, request: web.Request) -> web.Response:
        """204; the caller is a member no more."""
        identity = await chat_caller(request)
        await self._membership.leave(identity, _conversation_id(request))
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _conversation_id(request: web.Request) -> str:
    return request.match_info["conversation_id"]

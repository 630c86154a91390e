"""Chat over REST: its routes, in one module for each of what they are about."""

from aiohttp import web

from app.rest.chat_channels import ChannelRoutes
from app.rest.chat_conversations import ConversationRoutes
from app.rest.chat_messages import MessageRoutes
from app.rest.chat_uploads import UploadRoutes
from models.chat import Chat


class ChatRest:
    """The routes of chat.

    `/api/v1/messages` and `/api/v1/channels` answer as `channel-chat.md` does, in
    `{"success": true, "data": …}`; the others with what they give.
    """

    def __init__(self, chat: Chat) -> None:
        self._parts = (
            MessageRoutes(chat),
            ChannelRoutes(chat),
            ConversationRoutes(chat),
            UploadRoutes(chat.attachments),
        )

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        return [route for part in self._parts for route in part.routes()]

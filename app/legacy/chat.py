"""What the two dialects of chat share: a connection is a presence in chat."""

from collections.abc import Mapping

from app.legacy.dialect import Dialect, Speaker
from namespaces.chat import ChatCommands


class ChatDialect(Dialect):
    """A dialect whose connections come to chat and leave it."""

    domain = "chat"

    @property
    def chat(self) -> ChatCommands:
        """The commands of chat."""
        commands = self.commands
        assert isinstance(commands, ChatCommands)
        return commands

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note the connection: the account is online."""
        for room in await self.chat.arrived(peer.caller):
            peer.caller.connection.enter(room)

    async def left(self, peer: Speaker) -> None:
        """Leave every channel; the account is offline if this was its last connection."""
        await self.chat.left(peer.caller)

"""Messages as accounts see them: with their authors as they are shown now."""

from collections.abc import Sequence

from models.accounts import People
from models.chat.records import DIRECT, StoredConversation, StoredMessage, message_view
from models.chat.views import MessageView


class Showing:
    """Shows stored messages to accounts that may see them."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def message(
        self, conversation: StoredConversation, message: StoredMessage, viewer_id: str
    ) -> MessageView:
        """Return a message as an account sees it."""
        return (await self.messages(conversation, [message], viewer_id))[0]

    async def messages(
        self, conversation: StoredConversation, messages: Sequence[StoredMessage], viewer_id: str
    ) -> list[MessageView]:
        """Return messages as an account sees them."""
        authors = await self._people.many(message["author"]["id"] for message in messages)
        departed = conversation.get("departed_ids", ())
        shown = []
        for message in messages:
            author = authors[message["author"]["id"]]
            if author["id"] in departed:
                # The account has another owner than when it wrote here.
                author = {**author, "email": None, "name": None}
            shown.append(
                message_view(
                    message, author, viewer_id=viewer_id, email=conversation["kind"] == DIRECT
                )
            )
        return shown

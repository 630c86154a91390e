"""Messages: write, change and delete, each told in the order of its number."""

from models.chat import records
from models.chat.attachments import Attachments
from models.chat.conversations import rooms_of
from models.chat.events import Mentioned, MessageDeleted, MessageUpdated, NewMessage
from models.chat.mentions import mentioned
from models.chat.part import Ground, Part
from models.chat.presence import Presence
from models.chat.records import message_json, person_of
from models.chat.sending import Sending, SendKey
from models.database import Document
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.events import Json
from models.identity import Identity
from models.rooms import user_room


class Messages(Part):
    """What authors do. All of it happens in the conversation's turn, so that every connection of
    this process hears it in the order of `seq` and `revision`."""

    def __init__(
        self,
        ground: Ground,
        sending: Sending,
        attachments: Attachments,
        presence: Presence,
    ) -> None:
        super().__init__(ground)
        self._sending = sending
        self._attachments = attachments
        self._presence = presence

    async def send(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        content: str,
        message_type: str,
        reply_to: str | None = None,
        attachments: list[str] | None = None,
        client_id: str | None = None,
    ) -> dict[str, Json]:
        """Write a message, values as `SendMessage` loads them; gives it as `message_json` does.

        With a `client_id` that the caller used in the conversation before, nothing is written and
        the first message is the answer, as it is by now. Who writes in a public channel follows it.

        Raises:
            NotFound: code `conversation_not_found`.
            Forbidden: code `channel_private`.
            Invalid: `reply_to` or `attachments` name nothing in this conversation.
            Conflict: code `client_id_reused` or `attachment_used`.
        """
        async with self._turns.of(conversation_id):
            conversation = await self._conversations.writable(caller, conversation_id)
            author, chosen = person_of(caller), attachments or []
            key = client_id and SendKey(
                conversation_id,
                caller.account_id,
                client_id,
                (content, message_type, reply_to, chosen),
            )
            sent = await self._sending.find(key or None)
            if sent is not None:
                return message_json(sent)
            await self._check_reply(conversation_id, reply_to)
            message = records.new_message(
                author,
                content=content,
                message_type=message_type,
                reply_to=reply_to,
                mentions=await mentioned(self._members, conversation, content, caller.account_id),
                attachments=await self._attachments.claim(
                    caller, conversation_id, chosen, message_type, key.id if key else None
                ),
                client_id=client_id,
                created_at=self._clock(),
            )
            _, joined = await self._members.ensure(conversation, author, conversation["last_seq"])
            if joined and await self._presence.join_followers(caller.account_id, conversation_id):
                await self._presence.tell_joined(conversation_id, author)
            stored, new = await self._sending.append(conversation, message, key or None)
            await self._conversations.note_message(stored)
            await self._members.read(conversation_id, caller.account_id, stored["seq"])
            if new:
                await self._tell(conversation, NewMessage(message_json(stored)))
                await self._call(stored, stored["mentions"])
            return message_json(stored)

    async def edit(self, caller: Identity, message_id: str, *, content: str) -> dict[str, Json]:
        """Change the text of an own message; gives it as it is now.

        Raises:
            NotFound: code `message_not_found`.
            Forbidden: code `not_the_author`, `channel_private`.
            Conflict: code `message_deleted`.
        """
        async with self._turns.of(_conversation_of(message_id)):
            conversation, message = await self._own(caller, message_id)
            if message["deleted_at"] is not None:
                raise deleted()
            if message["content"] == content:
                return message_json(message)
            if not content and not message["attachments"]:
                raise Invalid("Write something.", fields={"content": ["Write something."]})
            mentions = await mentioned(self._members, conversation, content, caller.account_id)
            values = {"content": content, "mentions": mentions, "edited_at": self._clock()}
            changed = await self._changes.write(conversation, message, {"$set": values}, given={})
            if changed is None:
                raise deleted()
            await self._tell(conversation, MessageUpdated(message_json(changed)))
            await self._call(changed, [who for who in mentions if who not in message["mentions"]])
            return message_json(changed)

    async def delete(self, caller: Identity, message_id: str) -> dict[str, Json]:
        """Leave a tombstone of an own message; gives it. Deleting it again changes nothing.

        Raises:
            NotFound: code `message_not_found`.
            Forbidden: code `not_the_author`, `channel_private`.
        """
        async with self._turns.of(_conversation_of(message_id)):
            conversation, message = await self._own(caller, message_id)
            if message["deleted_at"] is None:
                nothing = {"content": "", "mentions": [], "attachments": [], "reactions": []}
                values = {**nothing, "deleted_at": self._clock()}
                changed = await self._changes.write(
                    conversation, message, {"$set": values}, given={}
                )
                if changed is None:  # another process was first
                    return message_json((await self._own(caller, message_id))[1])
                await self._attachments.remove(message["attachments"])
                await self._tell(conversation, MessageDeleted(message_json(changed)))
                message = changed
            return message_json(message)

    async def get(self, caller: Identity, message_id: str) -> dict[str, Json]:
        """Give a message; raises as `find`."""
        return message_json((await self.find(caller, message_id))[1])

    async def find(self, caller: Identity, message_id: str) -> tuple[Document, Document]:
        """Give a message that the caller may read, with its conversation.

        Raises:
            NotFound: code `message_not_found`.
            Forbidden: code `channel_private`.
        """
        place = records.place_of(message_id)
        if place is None:
            raise message_not_found()
        conversation_id, seq = place
        try:
            conversation = await self._conversations.readable(caller, conversation_id)
        except NotFound:
            raise message_not_found() from None
        message = await self._conversations.messages.get(conversation_id, seq)
        if message is None:
            raise message_not_found()
        return conversation, message

    async def _own(self, caller: Identity, message_id: str) -> tuple[Document, Document]:
        conversation, message = await self.find(caller, message_id)
        if message["author"]["id"] != caller.account_id:
            raise Forbidden("Only the message's author may do this.", code="not_the_author")
        return conversation, message

    async def _check_reply(self, conversation_id: str, reply_to: str | None) -> None:
        if reply_to is None:
            return
        place = records.place_of(reply_to)
        here = place is not None and place[0] == conversation_id
        if not (place and here and await self._conversations.messages.get(*place)):
            problem = "There is no such message in this conversation."
            raise Invalid(problem, fields={"reply_to": [problem]})

    async def _tell(
        self, conversation: Document, event: NewMessage | MessageUpdated | MessageDeleted
    ) -> None:
        await self._publisher.publish(event, *rooms_of(conversation))

    async def _call(self, message: Document, account_ids: list[str]) -> None:
        if account_ids:
            rooms = [user_room(account_id) for account_id in account_ids]
            await self._publisher.publish(Mentioned(message_json(message)), *rooms)


def message_not_found() -> NotFound:
    """Give the one error for a message that is not there, or not for the caller."""
    return NotFound("There is no such message.", code="message_not_found")


def deleted() -> Conflict:
    """Give the error for changing a tombstone."""
    return Conflict("The message was deleted.", code="message_deleted")


def _conversation_of(message_id: str) -> str:
    place = records.place_of(message_id)
    if place is None:
        raise message_not_found()
    return place[0]

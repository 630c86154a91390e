"""Messages: write, change and delete, each published in the order of its number."""

from models.accounts import person_of
from models.chat import records
from models.chat.attachments import Attachments
from models.chat.events import MemberAdded, Mentioned, MessageDeleted, MessageUpdated, NewMessage
from models.chat.mentions import mentioned
from models.chat.presence import Presence
from models.chat.records import DIRECT, StoredConversation, StoredMessage, message_view
from models.chat.sending import Sending, SendKey
from models.chat.service import ChatContext, ChatService
from models.chat.showing import Showing
from models.chat.standing import is_heard, is_open, joined_room, own_rooms, rooms_of, unheard_by
from models.chat.standings import Standings
from models.chat.views import MessageView
from models.database import Document
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.identity import Identity
from models.rooms import user_room
from models.text import is_visible


class Messages(ChatService):
    """What authors do. All of it happens in the conversation's turn, so that every connection of
    this process hears it in the order of `seq` and `revision`."""

    def __init__(
        self,
        context: ChatContext,
        sending: Sending,
        attachments: Attachments,
        presence: Presence,
        standings: Standings,
    ) -> None:
        super().__init__(context)
        self._standings = standings
        self._sending = sending
        self._attachments = attachments
        self._presence = presence
        self.showing = Showing(context.people)

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
        operation_id: str | None = None,
    ) -> MessageView:
        """Write a message, values as `SendMessage` loads them; returns it as `message_view` does.

        With a `client_id` or `operation_id` that the caller used in the conversation before,
        nothing is written and the first message is the answer, as it is now. Who writes in a
        public channel becomes a member of it.

        Raises:
            NotFound: code `conversation_not_found`.
            Forbidden: code `channel_private`.
            Invalid: `reply_to` or `attachments` name nothing in this conversation; code
                `key_reused`.
            Conflict: code `attachment_used`.
        """
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.readable(caller, conversation_id)
            await self._standings.check(caller, conversation)
            author, chosen = person_of(caller), attachments or []
            key = None
            if client_id is not None or operation_id is not None:
                wanted = (content, message_type, reply_to, chosen)
                key = SendKey(conversation_id, caller.account_id, client_id, operation_id, wanted)
            sent = await self._sending.find(key)
            if sent is not None:
                return await self._shown(caller, conversation, sent)
            await self._check_reply(caller, conversation, reply_to)
            message = records.new_message(
                caller.account_id,
                content=content,
                message_type=message_type,
                reply_to=reply_to,
                mentions=await self._mentioned(caller, conversation, content),
                attachments=await self._attachments.claim(
                    caller, conversation_id, chosen, message_type, key.id if key else None
                ),
                client_id=client_id,
                operation_id=operation_id,
                created_at=self._clock(),
            )
            conversation = await self._standings.engage(caller, conversation)
            _, joined = await self._members.ensure(conversation, author, conversation["last_seq"])
            if joined:
                await self.publish_member(MemberAdded, conversation, author)
            if joined and await self._presence.join_followers(caller.account_id, conversation_id):
                await self._presence.publish_joined(conversation_id, caller.account_id)
            message["kept_from"] = unheard_by(conversation, caller.account_id)
            stored, new = await self._sending.append(conversation, message, key)
            self._conversations.note_message(stored)
            self._members.note_read(conversation_id, caller.account_id, stored["seq"])
            if new:
                await self._publish(caller, conversation, NewMessage, stored)
                await self._call(caller, conversation, stored, stored["mentions"])
            return await self._shown(caller, conversation, stored)

    async def edit(self, caller: Identity, message_id: str, *, content: str) -> MessageView:
        """Change the text of an own message; returns it as it is now.

        Raises:
            NotFound: code `message_not_found`.
            Forbidden: code `not_the_author`, `channel_private`.
            Conflict: code `message_deleted`.
        """
        async with self._locks.lock(_conversation_of(message_id)):
            conversation, message = await self._own(caller, message_id)
            if message["deleted_at"] is not None:
                raise deleted()
            shown = await self._shown(caller, conversation, message)
            if shown["content"] == content:
                return shown
            if not is_visible(content) and not message["attachments"]:
                raise Invalid("Write something.", fields={"content": ["Write something."]})
            mentions = await self._mentioned(caller, conversation, content)
            edit = {"content": content, "mentions": mentions, "edited_at": self._clock()}
            unheard = unheard_by(conversation, caller.account_id)
            # What the other side has seen stays as it was there: it hears nothing any more.
            values = {**edit, "kept_edit": None, "folded": records.folded_texts(content)}
            if unheard and not message.get("kept_from"):
                folded = records.folded_texts(message["content"], content)
                values = {"kept_edit": edit, "folded": folded}
            changed = await self._changes.write(
                conversation,
                message,
                {"$set": values},
                given={},
                kept_from=unheard or message.get("kept_from", []),
            )
            if changed is None:
                raise deleted()
            await self._publish(caller, conversation, MessageUpdated, changed)
            newly = [who for who in mentions if who not in message["mentions"]]
            await self._call(caller, conversation, changed, newly)
            return await self._shown(caller, conversation, changed)

    async def delete(self, caller: Identity, message_id: str) -> MessageView:
        """Leave a tombstone of an own message; returns it. Deleting it again changes nothing.

        Raises:
            NotFound: code `message_not_found`.
            Forbidden: code `not_the_author`, `channel_private`.
        """
        async with self._locks.lock(_conversation_of(message_id)):
            conversation, message = await self._own(caller, message_id)
            if message["deleted_at"] is None:
                nothing = {"content": "", "mentions": [], "attachments": [], "reactions": []}
                kept: Document = {"folded": [], "kept_edit": None, "kept_reactions": []}
                values = {
                    **nothing,
                    **kept,
                    "deleted_at": self._clock(),
                    "deleted_in": conversation["_id"],
                }
                await self._attachments.deleting(message)
                changed = await self._changes.write(
                    conversation,
                    message,
                    {"$set": values},
                    given={},
                    kept_from=message.get("kept_from", []),
                )
                if changed is None:  # another process was first
                    conversation, message = await self._own(caller, message_id)
                    return await self._shown(caller, conversation, message)
                await self._attachments.remove(each["id"] for each in message["attachments"])
                await self._publish(caller, conversation, MessageDeleted, changed)
                message = changed
            return await self._shown(caller, conversation, message)

    async def get(self, caller: Identity, message_id: str) -> MessageView:
        """Return a message; raises as `find`."""
        return await self._shown(caller, *await self.find(caller, message_id))

    async def find(
        self, caller: Identity, message_id: str
    ) -> tuple[StoredConversation, StoredMessage]:
        """Return a message that the caller may read, with its conversation.

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
        if message is None or caller.account_id in message.get("kept_from", ()):
            raise message_not_found()
        return conversation, message

    async def _own(
        self, caller: Identity, message_id: str
    ) -> tuple[StoredConversation, StoredMessage]:
        conversation, message = await self.find(caller, message_id)
        if message["author"]["id"] != caller.account_id:
            raise Forbidden("Only the message's author may do this.", code="not_the_author")
        return conversation, message

    async def _check_reply(
        self, caller: Identity, conversation: StoredConversation, reply_to: str | None
    ) -> None:
        if reply_to is None:
            return
        place = records.place_of(reply_to)
        here = place is not None and place[0] == conversation["_id"]
        found = await self._conversations.messages.get(*place) if place and here else None
        if found is None or caller.account_id in found.get("kept_from", ()):
            problem = "There is no such message in this conversation."
            raise Invalid(problem, fields={"reply_to": [problem]})

    async def _publish(
        self,
        caller: Identity,
        conversation: StoredConversation,
        event: type[NewMessage | MessageUpdated | MessageDeleted],
        message: StoredMessage,
    ) -> None:
        rooms = rooms_of(conversation, caller.account_id)
        if message.get("kept_from") and is_open(conversation):
            # Of a message that was kept from the other side, so is all that becomes of it.
            account_id = caller.account_id
            rooms = [user_room(account_id), joined_room(conversation, account_id)]
        told = self._event(caller, conversation, event, message)
        if message["client_id"] is None:
            await self._publisher.publish(told, *rooms)
            return
        own, others, but = own_rooms(conversation, caller.account_id, rooms)
        if others:
            await self._publisher.publish(told, *others, except_room=but)
        mine = self._event(caller, conversation, event, message, by_maker=True)
        await self._publisher.publish(mine, *own)

    async def _call(
        self,
        caller: Identity,
        conversation: StoredConversation,
        message: StoredMessage,
        account_ids: list[str],
    ) -> None:
        heard = [] if message.get("kept_from") or not is_heard(conversation) else account_ids
        if heard:
            rooms = [user_room(account_id) for account_id in heard]
            event = self._event(caller, conversation, Mentioned, message)
            await self._publisher.publish(event, *rooms)

    def _event(
        self,
        caller: Identity,
        conversation: StoredConversation,
        event: type[NewMessage | MessageUpdated | MessageDeleted | Mentioned],
        message: StoredMessage,
        *,
        by_maker: bool = False,
    ) -> NewMessage | MessageUpdated | MessageDeleted | Mentioned:
        unheard = unheard_by(conversation, caller.account_id)
        viewer = caller.account_id if by_maker or unheard else None
        direct = conversation["kind"] == DIRECT
        payload = message_view(message, person_of(caller), viewer_id=viewer, email=direct)
        return event(**payload, hidden={"author_email": caller.email})

    async def _mentioned(
        self, caller: Identity, conversation: StoredConversation, content: str
    ) -> list[str]:
        return await mentioned(
            self._members, self._people, conversation, content, caller.account_id
        )

    async def _shown(
        self, caller: Identity, conversation: StoredConversation, message: StoredMessage
    ) -> MessageView:
        """Return a message as the caller sees it."""
        return await self.showing.message(conversation, message, caller.account_id)


def message_not_found() -> NotFound:
    """Return the one error for a message that is not there, or not for the caller."""
    return NotFound("There is no such message.", code="message_not_found")


def deleted() -> Conflict:
    """Return the error for changing a tombstone."""
    return Conflict("The message was deleted.", code="message_deleted")


def _conversation_of(message_id: str) -> str:
    place = records.place_of(message_id)
    if place is None:
        raise message_not_found()
    return place[0]

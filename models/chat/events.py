"""Events of chat, under the names of the older chat APIs (docs/older-apis) where they have one.

Every payload has `conversation_id` (a channel's is its name) but those about statuses; people are
`user_id` (account), `user_email`, `user_public_id`, `user_name`, authors the same with `author_`;
times are UTC text with milliseconds. `user_email` and `author_email` are null but in direct
conversations, for a side that has shown itself (see `models.chat.standing`). The private part of an
event is the e-mail that frames of docs/older-apis/channel-chat.md have, hidden from strangers.

How a client that has a snapshot applies them: `new_message` unless its `seq` is known already;
`message_updated` and `message_deleted` when their `revision` is above the message's; reactions,
arrivals and departures as additions to and removals from a set, but no reaction to a deleted
message and none whose `revision` is not above the snapshot's. A `new_message` also means that its
author has read everything up to it.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.chat.views import AttachmentView, AuthorEmail, ConversationView, ReactionView, UserEmail
from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChatEvent(Event):
    domain: ClassVar[str] = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class _MessageEvent(_ChatEvent):
    """The payload is a `MessageView`."""

    id: str
    conversation_id: str
    seq: int
    author_id: str
    author_email: str | None
    author_public_id: str | None
    author_name: str | None
    content: str
    message_type: str
    reply_to: str | None
    mentions: list[str]
    attachments: list[AttachmentView]
    reactions: list[ReactionView]
    client_id: str | None
    created_at: str
    edited_at: str | None
    deleted_at: str | None
    revision: int
    hidden: AuthorEmail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _PersonEvent(_ChatEvent):
    """Something that a person does in a conversation."""

    conversation_id: str
    at: str
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReactionEvent(_ChatEvent):
    conversation_id: str
    message_id: str
    seq: int
    emoji: str
    revision: int
    at: str
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _StatusEvent(_ChatEvent):
    """The payload is a `StatusView`."""

    status: str
    at: str
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage(_MessageEvent):
    """A person wrote a message."""

    name: ClassVar[str] = "new_message"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUpdated(_MessageEvent):
    """The author changed a message; this is the message as it is now."""

    name: ClassVar[str] = "message_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted(_MessageEvent):
    """The author deleted a message; this is its tombstone."""

    name: ClassVar[str] = "message_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReacted(_ReactionEvent):
    """A person reacted to a message."""

    name: ClassVar[str] = "message_reacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnreacted(_ReactionEvent):
    """A person took a reaction back."""

    name: ClassVar[str] = "message_unreacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRead(_ChatEvent):
    """Another member has read up to a message."""

    name: ClassVar[str] = "message_read"

    conversation_id: str
    message_id: str
    seq: int
    at: str
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRead(_ChatEvent):
    """The account itself has read, on any of its devices; a `ReadState`."""

    name: ClassVar[str] = "conversation_read"

    conversation_id: str
    read_seq: int
    unread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing(_PersonEvent):
    """Another member is typing."""

    name: ClassVar[str] = "typing"
    volatile: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelJoined(_PersonEvent):
    """The first connection of a person has joined."""

    name: ClassVar[str] = "channel_joined"
    volatile: ClassVar[bool] = True

    hidden: UserEmail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLeft(_PersonEvent):
    """The last connection of a person has left or dropped."""

    name: ClassVar[str] = "channel_left"
    volatile: ClassVar[bool] = True

    hidden: UserEmail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStatusChanged(_StatusEvent):
    """A contact, who has shown themselves to the account, has another status."""

    name: ClassVar[str] = "user_status_change"
    volatile: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStatusChanged(_StatusEvent):
    """The account itself has another status, by what any of its devices did."""

    name: ClassVar[str] = "own_status_change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned(_MessageEvent):
    """A message names the account."""

    name: ClassVar[str] = "mentioned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationAdded(_ChatEvent):
    """The account is now a member of a conversation, added by the user."""

    name: ClassVar[str] = "conversation_added"

    conversation_id: str
    conversation: ConversationView
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAccepted(_ChatEvent):
    """The other side of a direct conversation has shown itself."""

    name: ClassVar[str] = "contact.accepted"

    conversation_id: str
    status: str
    at: str
    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered(_ChatEvent):
    """The account itself has answered a request: `accepted` or `declined`."""

    name: ClassVar[str] = "request.answered"

    conversation_id: str
    answer: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockChanged(_ChatEvent):
    """The account itself has blocked or unblocked a user."""

    name: ClassVar[str] = "block.changed"

    blocked_user_id: str
    blocked: bool
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAdded(_PersonEvent):
    """A conversation has a new member."""

    name: ClassVar[str] = "member_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(_PersonEvent):
    """A person is no longer a member."""

    name: ClassVar[str] = "member_left"

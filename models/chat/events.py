"""What is told about chat, under the names of `channel-chat.md` and `conversation-chat.md`.

Every payload has `conversation_id` (a channel's is its name) but those about statuses; people are
`user_id` (account), `user_email`, `user_public_id`, `user_name`, authors the same with `author_`;
times are UTC text with milliseconds.

How a client that has a snapshot applies them: `new_message` unless its `seq` is known already;
`message_updated` and `message_deleted` when their `revision` is above the message's; reactions,
arrivals and departures as additions to and removals from a set, but no reaction to a deleted
message and none whose `revision` is not above the snapshot's. A `new_message` also means that its
author has read everything up to it.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json

Data = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _ChatEvent(Event):
    domain: ClassVar[str] = "chat"

    payload: Data

    def data(self) -> Data:
        """Give the payload, a new one at every call."""
        return dict(self.payload)


class NewMessage(_ChatEvent):
    """Somebody wrote; the payload is the message, as `records.message_json` shows it."""

    name: ClassVar[str] = "new_message"


class MessageUpdated(_ChatEvent):
    """The author changed a message; the payload is the message as it is now."""

    name: ClassVar[str] = "message_updated"


class MessageDeleted(_ChatEvent):
    """The author deleted a message; the payload is its tombstone."""

    name: ClassVar[str] = "message_deleted"


class MessageReacted(_ChatEvent):
    """Somebody reacted: `message_id`, `seq`, `emoji`, `revision`, `at`, user."""

    name: ClassVar[str] = "message_reacted"


class MessageUnreacted(_ChatEvent):
    """Somebody took a reaction back: as `message_reacted`."""

    name: ClassVar[str] = "message_unreacted"


class MessageRead(_ChatEvent):
    """Another member has read up to `message_id`, `seq`; `at`, user."""

    name: ClassVar[str] = "message_read"


class ConversationRead(_ChatEvent):
    """The account itself has read, on any of its devices: `read_seq`, `unread`."""

    name: ClassVar[str] = "conversation_read"


class Typing(_ChatEvent):
    """Another member is typing: `at`, user."""

    name: ClassVar[str] = "typing"


class ChannelJoined(_ChatEvent):
    """The first connection of somebody has joined: `at`, user."""

    name: ClassVar[str] = "channel_joined"


class ChannelLeft(_ChatEvent):
    """The last connection of somebody has left or dropped: `at`, user."""

    name: ClassVar[str] = "channel_left"


class UserStatusChanged(_ChatEvent):
    """Somebody with whom one shares a conversation is now `status`: `at`, user."""

    name: ClassVar[str] = "user_status_change"


class OwnStatusChanged(_ChatEvent):
    """The account itself is now `status`, by what any of its devices did: `at`, user."""

    name: ClassVar[str] = "own_status_change"


class Mentioned(_ChatEvent):
    """A message names the account; the payload is the message."""

    name: ClassVar[str] = "mentioned"


class ConversationAdded(_ChatEvent):
    """The account is now a member of `conversation`, added by user."""

    name: ClassVar[str] = "conversation_added"


class MemberAdded(_ChatEvent):
    """A conversation has a new member: `at`, user."""

    name: ClassVar[str] = "member_added"


class MemberLeft(_ChatEvent):
    """Somebody is no longer a member: `at`, user."""

    name: ClassVar[str] = "member_left"

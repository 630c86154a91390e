"""The shapes in which chat shows its records: answers and events are made of them."""

from typing import NotRequired, TypedDict


class UserView(TypedDict):
    """A person who acted."""

    user_id: str
    user_email: str | None
    user_public_id: str | None
    user_name: str | None


class ReactionView(TypedDict):
    """One emoji, and the accounts that gave it, in the order of the first."""

    emoji: str
    user_ids: list[str]


class AttachmentView(TypedDict):
    """A file of a message; `GET /api/v1/uploads/{upload_id}` returns its content."""

    id: str
    name: str
    content_type: str
    size: int
    """In bytes."""


class MessageView(TypedDict):
    """A message, or the tombstone of one."""

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


class ChangesView(TypedDict):
    """Messages as they are after a revision, in order of `seq`."""

    messages: list[MessageView]
    revision: int
    """After which to ask on."""

    more: bool


class ConversationView(TypedDict):
    """A conversation as an account sees it that may read it."""

    id: str
    kind: str
    private: bool
    request: bool
    title: str | None
    created_by: str
    created_at: str


class HistoryView(TypedDict):
    """A page of messages in the order of `seq`, tombstones included."""

    items: list[MessageView]
    seq: int
    """Of the latest message that the account sees."""

    revision: int
    more: bool
    """Whether there are more in the direction that was asked for; around a message, in either."""

    more_before: bool
    more_after: bool


class SearchView(TypedDict):
    """Messages that have a text, the latest first; a page may have few or none."""

    items: list[MessageView]
    before: int | None
    """The `seq` to go on before; null when everything was looked at."""


class MemberView(UserView):
    """A member of a conversation."""

    read_seq: int
    status: NotRequired[str]
    """Not in channels: `available`, `away`, `busy` or `offline`."""


class ListedConversationView(ConversationView):
    """A conversation in the list of an account that belongs to it."""

    last_message: MessageView | None
    seq: int
    read_seq: int
    unread: int
    """Deleted messages do not count."""

    member_ids: NotRequired[list[str]]
    """Not of channels."""

    status: NotRequired[str]
    """Of the other side of a direct conversation."""


class WholeConversationView(ListedConversationView):
    """A conversation as the list has it, and who is in it."""

    members: NotRequired[list[MemberView]]
    """Not of channels."""


class ChannelView(ConversationView):
    """A channel in the list of channels."""

    member_count: int


class PresentView(TypedDict):
    """Who is in a channel."""

    present: list[UserView]
    """The first 500."""

    present_count: int


class EnteredView(PresentView):
    """How far a conversation goes at the moment in which a connection joins it."""

    seq: int
    """The connection receives exactly the messages after it."""

    revision: int
    read_seq: int
    unread: int
    told: bool
    """Whether `channel_joined` was sent: this is the account's first connection there."""


class SnapshotView(EnteredView):
    """What a connection sees of a conversation that it has joined."""

    conversation: ConversationView
    messages: list[MessageView]
    """The latest, in the order of `seq`."""

    members: NotRequired[list[MemberView]]
    """Not of channels."""


class LeftChannelView(TypedDict):
    """A channel that a connection leaves."""

    conversation_id: str
    told: bool
    """Whether `channel_left` was sent: this was the account's last connection there."""


class FollowedChannelsView(TypedDict):
    """The channels that a connection receives."""

    channel_ids: list[str]


class BlockView(TypedDict):
    """Whether the account has blocked another."""

    blocked_user_id: str
    blocked: bool


class BlockedUserView(UserView):
    """An account that is blocked."""

    blocked_at: str


class StatusSetView(TypedDict):
    """What an account says of itself."""

    status: str


class StatusView(UserView):
    """What a person says of themselves."""

    status: str
    at: str


class ReadState(TypedDict):
    """How far an account has read a conversation."""

    conversation_id: str
    read_seq: int
    unread: int


class AuthorEmail(TypedDict):
    """The private part of events about messages."""

    author_email: str | None


class UserEmail(TypedDict):
    """The private part of events about who is in a channel."""

    user_email: str | None

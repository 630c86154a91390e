"""How conversations, members and messages stand in the database, and as JSON.

Documents name people by their account's id. How they are shown comes from `models.accounts.people`,
as `{"id", "email", "public_id", "name"}`.
"""

import re
from datetime import datetime
from typing import NotRequired, TypedDict

from models.accounts.people import Person
from models.chat.views import AttachmentView, ConversationView, MessageView, ReactionView, UserView
from models.files import FileMetadata, StoredFile
from models.text import found_by, one_emoji
from models.times import to_text

CHANNEL = "channel"
DIRECT = "direct"
GROUP = "group"
KINDS = (CHANNEL, DIRECT, GROUP)

SEQ_DIGITS = 10


class UploadMetadata(FileMetadata):
    """What is known of an uploaded file."""

    conversation_id: str
    uploader_id: str
    content_type: str
    """By the content."""

    attached_to: str | None
    """A token of the message that has it."""

    charge: NotRequired[str]
    """As of `models.chat.usage.Charge`."""

    removing_at: NotRequired[datetime | None]
    """Since when a process removes it."""

    deleting_at: NotRequired[datetime | None]
    """Since when a process deletes the message that has it, `message_seq`."""

    message_seq: NotRequired[int]


StoredUpload = StoredFile[UploadMetadata]
"""A document of `uploads.files`."""


class StoredUsage(TypedDict):
    """A document of `upload_usage`: how many bytes an account or a conversation has."""

    _id: str
    """`account|<id>` or `conversation|<id>`."""

    bytes: int
    pending: list[str]
    """The charges whose change is under way, each `<upload>:<bytes>:<seconds>`."""

    open: int
    """How many those are."""


class StoredSilence(TypedDict):
    """A range of seqs that one side of a direct conversation never sees."""

    hidden_from: str
    first: int
    last: int | None
    """None while it lasts."""

    read_seq: int
    """How far that side had read when it closed the conversation."""


class StoredConversation(TypedDict):
    """A document of `conversations`; its lists of accounts mean what `standing` says.

    Those of before a field was there lack it: what reads them asks with a default.
    """

    _id: str
    kind: str
    listed: bool
    member_ids: list[str]
    request_ids: list[str]
    quiet_ids: list[str]
    closed_ids: list[str]
    departed_ids: list[str]
    shown_ids: list[str]
    silences: list[StoredSilence]
    asked: list[str]
    """The names by which accounts were asked, until they answer."""

    alias: str | None
    answered: NotRequired[bool]
    """True once whoever `alias` stands for has departed after showing themselves."""

    title: str | None
    created_by: str
    created_at: datetime
    last_seq: int
    """May lag behind the messages, and never runs ahead; so may `revision`."""

    last_at: datetime
    revision: int
    operation_id: NotRequired[str | None]


class StoredAuthor(TypedDict):
    """Who wrote a message."""

    id: str


class StoredEdit(TypedDict):
    """What only the author sees of a message that was changed while kept back."""

    content: str
    mentions: list[str]
    edited_at: datetime


class NewMessage(TypedDict):
    """A message that has no number yet."""

    author: StoredAuthor
    content: str
    folded: list[str]
    """What it is found by, as `folded_texts` has it: its text, and that which only its author
    sees."""

    message_type: str
    reply_to: str | None
    mentions: list[str]
    attachments: list[AttachmentView]
    reactions: list[str]
    kept_from: list[str]
    kept_edit: StoredEdit | None
    kept_reactions: list[str]
    client_id: str | None
    operation_id: str | None
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    revision: int


class StoredMessage(NewMessage):
    """A document of `chat_messages`."""

    _id: str
    conversation_id: str
    seq: int
    deleted_in: NotRequired[str]
    """Of a deleted one its conversation, for counting those."""


class StoredMember(TypedDict):
    """A document of `chat_members`."""

    _id: str
    conversation_id: str
    account_id: str
    kind: str
    handles: list[str]
    asked_as: str | None
    read_seq: int
    joined_at: datetime


class StoredChange(TypedDict):
    """A document of `chat_changes`."""

    _id: str
    conversation_id: str
    number: int
    seq: int
    at: datetime
    kept_from: list[str]


_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CONVERSATION_ID = re.compile(r"c-[0-9a-f]{32}")


def is_channel_name(text: str) -> bool:
    """Whether a channel may be named so; ids of conversations are kept out of their reach."""
    return bool(_CHANNEL_NAME.fullmatch(text)) and not _CONVERSATION_ID.fullmatch(text)


def numbered_id(conversation_id: str, number: int) -> str:
    """Return the key of the message, or of the change, with this number."""
    return f"{conversation_id}:{number:0{SEQ_DIGITS}d}"


def place_of(message_id: str) -> tuple[str, int] | None:
    """Return the conversation and the seq in a message id; None when it is no such id."""
    conversation_id, _, digits = message_id.rpartition(":")
    if not (conversation_id and digits.isascii() and digits.isdecimal()):
        return None
    seq = int(digits[: SEQ_DIGITS + 1])
    return (conversation_id, seq) if numbered_id(conversation_id, seq) == message_id else None


def user_view(person: Person, *, email: bool = False) -> UserView:
    """Return `user_id`, `user_email`, `user_public_id`, `user_name` of a person who acted.

    `user_email` is null unless the person has shown `email` to everyone who receives this.
    """
    return {
        "user_id": person["id"],
        "user_email": person["email"] if email else None,
        "user_public_id": person["public_id"],
        "user_name": person["name"],
    }


def new_conversation(
    conversation_id: str,
    kind: str,
    creator_id: str,
    created_at: datetime,
    *,
    member_ids: list[str] | None = None,
    title: str | None = None,
) -> StoredConversation:
    """Build a conversation; without `member_ids` it is a public channel.

    `last_seq` and `revision` may lag behind the messages and changes, and never run ahead. What the
    lists of accounts mean is said in `models.chat.standing`.
    """
    return {
        "_id": conversation_id,
        "kind": kind,
        "listed": member_ids is None,
        "member_ids": member_ids or [],
        "request_ids": [],
        "quiet_ids": [],
        "closed_ids": [],
        "departed_ids": [],
        "shown_ids": [],
        "silences": [],
        "asked": [],
        "alias": None,
        "title": title,
        "created_by": creator_id,
        "created_at": created_at,
        "last_seq": 0,
        "last_at": created_at,
        "revision": 0,
    }


def conversation_view(conversation: StoredConversation, viewer_id: str) -> ConversationView:
    """Return a conversation as an account sees it that may read it.

    `request` says that the account was asked into it and has not answered.
    """
    asked = conversation.get("request_ids", []), conversation.get("quiet_ids", [])
    return {
        "id": conversation["_id"],
        "kind": conversation["kind"],
        "private": not conversation["listed"],
        "request": any(viewer_id in ids for ids in asked),
        "title": conversation["title"],
        "created_by": conversation["created_by"],
        "created_at": to_text(conversation["created_at"]),
    }


def new_message(
    author_id: str,
    *,
    content: str,
    message_type: str,
    reply_to: str | None,
    mentions: list[str],
    attachments: list[AttachmentView],
    client_id: str | None,
    operation_id: str | None = None,
    created_at: datetime,
) -> NewMessage:
    """Build a message that has no number yet.

    `client_id` and `operation_id` are what it was sent under. `kept_from` are accounts that never
    see it; `kept_edit` (`content`, `mentions`, `edited_at`) and `kept_reactions` are what only
    their maker sees of it: what was done while not heard. A deleted message has its conversation's
    id once more as `deleted_in`, for counting those.
    """
    return {
        "author": {"id": author_id},
        "content": content,
        "folded": folded_texts(content),
        "message_type": message_type,
        "reply_to": reply_to,
        "mentions": mentions,
        "attachments": attachments,
        "reactions": [],
        "kept_from": [],
        "kept_edit": None,
        "kept_reactions": [],
        "client_id": client_id,
        "operation_id": operation_id,
        "created_at": created_at,
        "edited_at": None,
        "deleted_at": None,
        "revision": 0,
    }


def folded_texts(*contents: str) -> list[str]:
    """Return what a message with these texts is found by: it may have one for its author only."""
    return [found_by(content) for content in contents]


def message_view(
    message: StoredMessage, author: Person, *, viewer_id: str | None = None, email: bool = False
) -> MessageView:
    """Return a message, or the tombstone of one: `deleted_at` set and `content` empty.

    `author` is the person behind it as others see them now.

    `author_email` is null unless `email` says that the author has shown it to all who receive this.
    `viewer_id` sees edits and reactions of its own that were kept from the other side, and the
    `client_id` of its own messages; without one it is null, as in what others are told. `revision`
    is the number of the latest change to it in its conversation, 0 when there is none.
    `reactions`: `emoji` and the `user_ids` who gave it, in the order of the first.
    """
    reactions = message["reactions"]
    if viewer_id is not None:
        own = reaction(viewer_id, "")
        kept = message.get("kept_reactions", ())
        reactions = [*reactions, *(given for given in kept if given.startswith(own))]
        edit = message.get("kept_edit")
        if edit and author["id"] == viewer_id:
            message = {**message, **edit}
    return {
        "id": message["_id"],
        "conversation_id": message["conversation_id"],
        "seq": message["seq"],
        "author_id": author["id"],
        "author_email": author["email"] if email else None,
        "author_public_id": author["public_id"],
        "author_name": author["name"],
        "content": message["content"],
        "message_type": message["message_type"],
        "reply_to": message["reply_to"],
        "mentions": list(message["mentions"]),
        "attachments": [_attachment_view(each) for each in message["attachments"]],
        "reactions": _reactions_view(reactions),
        "client_id": message["client_id"] if viewer_id == author["id"] else None,
        "created_at": to_text(message["created_at"]),
        "edited_at": _time(message["edited_at"]),
        "deleted_at": _time(message["deleted_at"]),
        "revision": message["revision"],
    }


def reaction(account_id: str, emoji: str) -> str:
    """Return a reaction as messages keep it: one string, which sets of the database can hold."""
    return f"{account_id}:{emoji}"


def stored_as(reaction: str, given: list[str]) -> str | None:
    """Return how a reaction stands among those given, None when it is not there.

    Messages of before emoji had a normal form hold other spellings of it.
    """
    if reaction in given:
        return reaction
    return next((stored for stored in given if _in_normal_form(stored) == reaction), None)


def _in_normal_form(stored: str) -> str:
    account_id, _, emoji = stored.partition(":")
    return reaction(account_id, one_emoji(emoji) or emoji)


def _reactions_view(reactions: list[str]) -> list[ReactionView]:
    # Within one emoji each account counts once, in whatever spellings it stands there.
    by_emoji: dict[str, dict[str, None]] = {}
    for stored in reactions:
        account_id, _, emoji = _in_normal_form(stored).partition(":")
        by_emoji.setdefault(emoji, {})[account_id] = None
    return [{"emoji": emoji, "user_ids": [*user_ids]} for emoji, user_ids in by_emoji.items()]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def _attachment_view(attachment: AttachmentView) -> AttachmentView:
    return {
        "id": attachment["id"],
        "name": attachment["name"],
        "content_type": attachment["content_type"],
        "size": attachment["size"],
    }

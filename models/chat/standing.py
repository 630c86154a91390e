"""How accounts stand in a conversation that has members: who is in, who is asked, who is received.

A conversation holds each account in one of four lists, in `request_ids` and `quiet_ids` only until
it has answered:

- `member_ids`: in it. In a direct conversation the one who opened it, and the other side once it
has
  written, reacted or accepted.
- `request_ids`: asked by someone who is no contact; hears what is said.
- `quiet_ids`: asked, too, but longer ago than the latest requests; sees it in the list only.
- `closed_ids`: has declined, is gone, or in a direct conversation blocked the other side. A
  declined group does not exist for the account any more; a direct conversation does.

Two accounts are *contacts* when both are members of their direct conversation. A direct
conversation has more: `shown_ids`, who has shown presence and e-mail to the other side (what was
shown once stays known; in a group it is presence only); `silences`, the ranges of seqs that one
side never sees, with `hidden_from`, `first`, `last` (null while it lasts) and `read_seq`, how far
that side had read when it closed; `departed_ids`, whose account has another owner now, and no
access; and `alias`, the id under which the opener sees someone named by an address.
"""

from models.chat.records import CHANNEL, DIRECT, StoredConversation
from models.rooms import conversation_room, direct_room, user_room


def may_read(conversation: StoredConversation, account_id: str) -> bool:
    """Return whether an account may read and write in a conversation."""
    if account_id in conversation.get("departed_ids", ()):
        return False
    return conversation["listed"] or account_id in parties(conversation)


def parties(conversation: StoredConversation) -> list[str]:
    """Return the accounts for which a conversation with members exists."""
    closed = conversation.get("closed_ids", []) if conversation["kind"] == DIRECT else []
    return [*conversation["member_ids"], *asked(conversation), *closed]


def asked(conversation: StoredConversation) -> list[str]:
    """Return the accounts that have not answered yet."""
    return [*conversation.get("request_ids", []), *conversation.get("quiet_ids", [])]


def hearing(conversation: StoredConversation) -> list[str]:
    """Return the accounts that receive what others say where no one is silenced."""
    return [*conversation["member_ids"], *conversation.get("request_ids", [])]


def is_in(conversation: StoredConversation, account_id: str) -> bool:
    """Return whether an account is a member, or needs not be one."""
    member_ids: list[str] = conversation["member_ids"]
    return conversation["listed"] or account_id in member_ids


def is_open(conversation: StoredConversation) -> bool:
    """Return whether the two sides of a direct conversation receive one another."""
    return not conversation.get("closed_ids")


def is_closed_by(conversation: StoredConversation, account_id: str) -> bool:
    """Return whether the account has declined or blocked the other side."""
    return account_id in conversation.get("closed_ids", [])


def has_shown(conversation: StoredConversation, account_id: str) -> bool:
    """Return whether an account has shown its e-mail to everyone in the conversation.

    Only in a direct conversation; those of before this was asked count as accepted.
    """
    if conversation["kind"] != DIRECT:
        return False
    shown_ids = conversation.get("shown_ids")
    return account_id in (conversation["member_ids"] if shown_ids is None else shown_ids)


def is_present_to(conversation: StoredConversation, account_id: str) -> bool:
    """Return whether the others in a direct or group conversation may see the account's presence.

    They may when it has opened the conversation, written, reacted or accepted.
    """
    is_member = account_id in conversation["member_ids"]
    if conversation["kind"] == DIRECT:
        return is_member and is_open(conversation)
    return is_member and account_id in conversation.get("shown_ids", ())


def are_contacts(conversation: StoredConversation | None) -> bool:
    """Return whether the two of a direct conversation have accepted one another."""
    if conversation is None or conversation["kind"] != DIRECT:
        return False
    return len(conversation["member_ids"]) > 1


def other_party(conversation: StoredConversation, account_id: str) -> str:
    """Return the other side of a direct conversation."""
    return next(who for who in parties(conversation) if who != account_id)


def is_heard(conversation: StoredConversation) -> bool:
    """Return whether what is said reaches anybody: not where a direct conversation is closed."""
    return conversation["kind"] != DIRECT or is_open(conversation)


def unheard_by(conversation: StoredConversation, author_id: str) -> list[str]:
    """Return from whom the author's doings are kept: the side that has closed the conversation."""
    if conversation["kind"] != DIRECT:
        return []
    return [who for who in conversation.get("closed_ids", []) if who != author_id]


def listeners(conversation: StoredConversation, author_id: str) -> list[str]:
    """Return the accounts that receive what the author does, in a conversation with members."""
    if not is_heard(conversation):
        return [author_id]
    return parties(conversation) if conversation["kind"] == DIRECT else hearing(conversation)


def rooms_of(conversation: StoredConversation, author_id: str) -> list[str]:
    """Return the rooms of all who receive what the author does in a conversation.

    Members of a direct or group conversation hear it on every connection; a channel, like a
    conversation that a connection has joined by name, is heard by those connections that joined.
    """
    conversation_id = conversation["_id"]
    if conversation["kind"] == CHANNEL:
        return [conversation_room(conversation_id)]
    heard = listeners(conversation, author_id)
    rooms = [user_room(account_id) for account_id in heard]
    if conversation["kind"] == DIRECT:
        return [*rooms, *(direct_room(conversation_id, account_id) for account_id in heard)]
    return [conversation_room(conversation_id), *rooms]


def own_rooms(
    conversation: StoredConversation, account_id: str, rooms: list[str]
) -> tuple[list[str], list[str], str | None]:
    """Split the `rooms` of `rooms_of` into those of the author's own connections and the others'.

    Returns both, and the room whose connections the others' rooms are told without: no connection
    is in both parts.
    """
    mine, here = user_room(account_id), direct_room(conversation["_id"], account_id)
    if conversation["kind"] == CHANNEL:
        return [here], rooms, here
    own = [room for room in rooms if room in (mine, here)]
    others = [room for room in rooms if room not in (mine, here)]
    return own, others, mine


def joined_room(conversation: StoredConversation, account_id: str) -> str:
    """Return the room of an account's connections that join a conversation by name."""
    if conversation["kind"] == DIRECT:
        return direct_room(conversation["_id"], account_id)
    return conversation_room(conversation["_id"])


def presence_rooms(conversation: StoredConversation, account_id: str) -> list[str]:
    """Return the rooms that are notified when an account joins or leaves by name."""
    if conversation["kind"] != DIRECT:
        return [conversation_room(conversation["_id"])]
    told = [account_id]
    if is_present_to(conversation, account_id):
        told = parties(conversation)
    return [direct_room(conversation["_id"], who) for who in told]

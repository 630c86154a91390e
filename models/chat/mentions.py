"""Who is meant by `@name` in a message."""

from models.accounts import People
from models.accounts.people import Person
from models.chat.members import Members, handles_of
from models.chat.records import StoredConversation
from models.chat.standing import has_shown, is_in, parties
from models.text import as_handle, handles_in

MAX_MENTIONS = 20
"""Handles looked up for one message: each is one query, or two where it has an apostrophe."""


async def mentioned(
    members: Members, people: People, conversation: StoredConversation, content: str, author_id: str
) -> list[str]:
    """Return the ids of the members whom `content` names, without the author.

    Members only: an account that never joined is not called by strangers, even where they write.
    """
    named: dict[str, None] = {}
    for meanings in handles_in(content)[:MAX_MENTIONS]:
        for handle in meanings:
            called = await _called(members, people, conversation, handle)
            if called:
                named |= dict.fromkeys(called)
                break
    named.pop(author_id, None)
    return list(named)


async def _called(
    members: Members, people: People, conversation: StoredConversation, handle: str
) -> list[str]:
    found = await members.named(conversation["_id"], handle)
    account_ids = [member["account_id"] for member in found]
    persons = await people.many(account_ids)
    return [who for who in account_ids if _is_called(conversation, persons[who], handle)]


def _is_called(conversation: StoredConversation, person: Person, handle: str) -> bool:
    account_id = person["id"]
    if handle not in handles_of(person):
        # It was called so, and has another name since.
        return False
    if is_in(conversation, account_id) or has_shown(conversation, account_id):
        return True
    # One who has not answered is called by what strangers see, not by an address: else a message
    # would ask whose it is.
    shown = {as_handle(person["name"] or ""), as_handle(person["public_id"])}
    quiet = account_id in conversation.get("quiet_ids", ())
    return account_id in parties(conversation) and not quiet and handle in shown

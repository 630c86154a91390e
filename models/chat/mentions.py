"""Who is meant by `@name` in a message."""

import re

from models.chat.conversations import may_read
from models.chat.members import Members, fold
from models.database import Document

MAX_MENTIONS = 20
"""Handles looked up for one message: each is a query."""

_HANDLE = re.compile(r"(?<![\w@.+-])@([\w+][\w.+@-]*)")


def handles_in(content: str) -> list[str]:
    """Give what stands after `@`, each once: `@ann, ask @bob@example.com.` has two."""
    found = (match.rstrip(".-@") for match in _HANDLE.findall(content))
    return list(dict.fromkeys(fold(handle) for handle in found if handle))[:MAX_MENTIONS]


async def mentioned(
    members: Members, conversation: Document, content: str, author_id: str
) -> list[str]:
    """Give the ids of the members whom `content` names, the author left out.

    Members only: whoever never joined is not called by strangers, even where they might read.
    """
    named: dict[str, None] = {}
    for handle in handles_in(content):
        for member in await members.named(conversation["_id"], handle):
            if may_read(conversation, member["account_id"]):
                named[member["account_id"]] = None
    named.pop(author_id, None)
    return list(named)

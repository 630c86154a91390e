"""Store a message once: at the next number, and under its author's `client_id` if it has one.

`chat_sends`: `_id` "<conversation>|<author>|<client_id>", `seq`, `digest`. It is written first and
says at which seq the message is, or will be. Only when that place is taken by another message does
the seq move on, to the end; so however many try, and wherever a process dies, a retry goes on from
there and the message is stored once.
"""

import hashlib
import json
from dataclasses import dataclass

from pymongo.errors import DuplicateKeyError

from models.chat.log import Log
from models.database import Database, Document
from models.errors import Conflict


@dataclass(frozen=True, slots=True)
class SendKey:
    """What makes two requests the same message, and what must be equal in both."""

    conversation_id: str
    author_id: str
    client_id: str
    chosen: tuple[object, ...]
    """What the author chose of the message, as JSON values."""

    @property
    def id(self) -> str:
        """The natural key."""
        return f"{self.conversation_id}|{self.author_id}|{self.client_id}"

    @property
    def digest(self) -> str:
        """What tells messages apart: SHA-256 of what the author chose."""
        return hashlib.sha256(json.dumps(self.chosen).encode()).hexdigest()

    def made(self, message: Document) -> bool:
        """Whether a stored message is the one of this key."""
        same_author = message["author"]["id"] == self.author_id
        return bool(same_author and message["client_id"] == self.client_id)


class Sending:
    """Appends messages."""

    def __init__(self, database: Database, messages: Log) -> None:
        self._sends = database["chat_sends"]
        self._messages = messages

    async def find(self, key: SendKey | None) -> Document | None:
        """Give the message of the key, if it is stored already.

        Raises:
            Conflict: code `client_id_reused`: the key was used with other content.
        """
        sent = await self._sends.find_one({"_id": key.id}) if key else None
        if key is None or sent is None:
            return None
        _check(sent, key)
        held = await self._messages.get(key.conversation_id, sent["seq"])
        return held if held is not None and key.made(held) else None

    async def append(
        self, conversation: Document, message: Document, key: SendKey | None
    ) -> tuple[Document, bool]:
        """Store the message after the newest; gives it as stored, and whether this call did it."""
        conversation_id, known = conversation["_id"], conversation["last_seq"]
        if key is None:
            return await self._messages.append(conversation_id, known, message), True
        seq = await self._reserve(key, known + 1)
        while True:
            try:
                return await self._messages.insert(conversation_id, seq, message), True
            except DuplicateKeyError:
                held = await self._messages.get(conversation_id, seq)
            if held is not None and key.made(held):
                return held, False
            known = await self._messages.newest(conversation_id, max(known, seq))
            await self._sends.update_one({"_id": key.id, "seq": seq}, {"$set": {"seq": known + 1}})
            seq = await self._reserve(key, known + 1)

    async def _reserve(self, key: SendKey, seq: int) -> int:
        """Give the seq that is the message's by now, `seq` when it has none yet."""
        try:
            await self._sends.insert_one({"_id": key.id, "seq": seq, "digest": key.digest})
        except DuplicateKeyError:
            sent = await self._sends.find_one({"_id": key.id})
            assert sent is not None  # never deleted
            _check(sent, key)
            reserved: int = sent["seq"]
            return reserved
        return seq


def _check(sent: Document, key: SendKey) -> None:
    if sent["digest"] != key.digest:
        raise Conflict(
            "This client_id was used for a message with other content.", code="client_id_reused"
        )

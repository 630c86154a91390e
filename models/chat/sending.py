"""Store a message once: at the next number, and under its author's key if it has one.

`chat_sends`: `_id` "<conversation>|<author>|<key>", `seq`, `digest`, `at`. The key is the
`client_id`, or a space and the operation of an `Idempotency-Key`: it is what `models.idempotency`
keeps of other operations, and says besides at which seq the message is, or will be. It is written
first. Only when
that place is taken by another message does the seq move on, to the end; so however many try, and
wherever a process dies, a retry goes on from there and the message is stored once. A key is
forgotten after longer than a client may be offline with messages to send (`models.collections`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from pymongo.errors import DuplicateKeyError

from models.chat.log import Log
from models.chat.records import NewMessage, StoredConversation, StoredMessage
from models.collections import retention_of
from models.database import Database, typed
from models.idempotency import digest_of, key_reused
from models.retention import expire, prepare_expiry
from models.times import Clock


@dataclass(frozen=True, slots=True)
class SendKey:
    """What makes two requests the same message, and what must be equal in both."""

    conversation_id: str
    author_id: str
    client_id: str | None
    operation_id: str | None
    chosen: tuple[object, ...]
    """What the author chose of the message, as JSON values."""

    @property
    def id(self) -> str:
        """The natural key."""
        key = f" {self.operation_id}" if self.client_id is None else self.client_id
        return f"{self.conversation_id}|{self.author_id}|{key}"

    @property
    def digest(self) -> str:
        """What distinguishes messages, of what the author chose."""
        return digest_of(self.chosen)

    def made(self, message: StoredMessage) -> bool:
        """Whether a stored message is the one of this key."""
        if message["author"]["id"] != self.author_id:
            return False
        if self.client_id is None:
            return bool(message.get("operation_id") == self.operation_id)
        return bool(message["client_id"] == self.client_id)


class StoredSend(TypedDict):
    """A document of `chat_sends`."""

    _id: str
    seq: int
    digest: str
    """Of what the author chose."""

    at: datetime


class Sending:
    """Appends messages."""

    def __init__(self, database: Database, messages: Log[StoredMessage], clock: Clock) -> None:
        self._sends = typed(database["chat_sends"], StoredSend)
        self._messages = messages
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index by which old keys are forgotten."""
        await prepare_expiry(self._sends, retention_of("chat_sends"))

    async def sweep(self) -> None:
        """Forget keys under which no client sends again."""
        await expire(self._sends, retention_of("chat_sends"), self._clock())

    async def find(self, key: SendKey | None) -> StoredMessage | None:
        """Return the message of the key, if it is stored already.

        Raises:
            Invalid: code `key_reused`: it was used with other content.
        """
        sent = await self._sends.find_one({"_id": key.id}) if key else None
        if key is None or sent is None:
            return None
        _check(sent, key)
        held = await self._messages.get(key.conversation_id, sent["seq"])
        return held if held is not None and key.made(held) else None

    async def append(
        self, conversation: StoredConversation, message: NewMessage, key: SendKey | None
    ) -> tuple[StoredMessage, bool]:
        """Store the message after the newest; returns it, and whether this call stored it."""
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
        """Return the seq that is the message's by now, `seq` when it has none yet."""
        sent: StoredSend = {"_id": key.id, "seq": seq, "digest": key.digest, "at": self._clock()}
        while True:
            try:
                await self._sends.insert_one(sent)
            except DuplicateKeyError:
                known = await self._sends.find_one({"_id": key.id})
            else:
                return seq
            if known is not None:  # else it was forgotten just now
                _check(known, key)
                reserved: int = known["seq"]
                return reserved


def _check(sent: StoredSend, key: SendKey) -> None:
    if sent["digest"] != key.digest:
        raise key_reused()

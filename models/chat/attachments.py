"""Attachments: uploaded to a conversation first, then sent with one message.

They are in the bucket `uploads` (see `models.files`). What is stored has lost its personal metadata
(`models.media`); length and `sha256` are those of that.
"""

import unicodedata
import uuid
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from models.chat.conversations import Conversations
from models.chat.records import StoredMessage, StoredUpload
from models.chat.usage import Charge, Quotas, Usage
from models.chat.views import AttachmentView
from models.database import Database, typed
from models.errors import Conflict, DomainError, Invalid, NotFound, TooManyRequests
from models.files import Files, StoredChunk
from models.identity import Identity
from models.media.cleaner import Cleaner, CleanFile
from models.text import is_visible
from models.times import Clock

ABANDONED = timedelta(hours=1)
"""An upload that no message took by then is removed: a message is written in less time."""

REMOVAL = timedelta(minutes=10)
"""A removal that began longer ago is done again: its process died."""

MAX_NAME = 255

_JOINERS = "\u200c\u200d"
"""ZERO WIDTH NON-JOINER and JOINER."""


class Attachments:
    """Uploads, and who may see them: the readers of their conversation."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        clock: Clock,
        *,
        max_bytes: int,
        quotas: Quotas,
        per_account: int,
    ) -> None:
        self._files = Files(
            typed(database["uploads.files"], StoredUpload),
            typed(database["uploads.chunks"], StoredChunk),
        )
        self._conversations = conversations
        self._clock = clock
        self._cleaner = Cleaner(max_bytes)
        self._usage = Usage(database, quotas, clock)
        self._per_account = per_account
        self._under_way: Counter[str] = Counter()

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._files.prepare()
        await self._usage.prepare()
        for since in ("metadata.removing_at", "metadata.deleting_at"):
            await self._files.files.create_index([(since, 1)])
        await self._files.files.create_index([("metadata.attached_to", 1), ("uploadDate", 1)])

    async def upload(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        filename: str,
        content: AsyncIterable[bytes],
    ) -> AttachmentView:
        """Store a file for a message in a conversation; returns `attachment_json`.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            TooLarge: the file is larger than `max_bytes`.
            Invalid: code `media_type_refused`, `media_unreadable`.
            Conflict: code `upload_quota_exceeded`.
            TooManyRequests: code `too_many_uploads`: that many are under way for the account.
        """
        await self._conversations.readable(caller, conversation_id)
        with self._slot(caller.account_id):
            # Before anything is received: a client with no room left need not send it all.
            await self._usage.check(caller.account_id, conversation_id)
            async with self._cleaner.cleaned(content) as clean:
                file = await self._store(caller, conversation_id, _clean(filename), clean)
        return attachment_json(file)

    async def _store(
        self, caller: Identity, conversation_id: str, filename: str, clean: CleanFile
    ) -> StoredUpload:
        upload_id, at = uuid.uuid4().hex, self._clock()
        charge = Charge.new(upload_id, caller.account_id, conversation_id, clean.size, at)
        await self._usage.charge(charge)
        try:
            file = await self._files.write(
                clean.content(),
                filename=filename,
                metadata={
                    "conversation_id": conversation_id,
                    "uploader_id": caller.account_id,
                    "content_type": clean.content_type,
                    "attached_to": None,
                    "charge": charge.entry,
                    "removing_at": None,
                    "complete": False,
                },
                at=at,
                file_id=upload_id,
            )
        except BaseException:
            await self._usage.refund(charge)
            raise
        await self._usage.stored(charge)
        return file

    @contextmanager
    def _slot(self, account_id: str) -> Iterator[None]:
        if self._under_way[account_id] >= self._per_account:
            raise TooManyRequests(
                f"An account may have {self._per_account} uploads under way.",
                code="too_many_uploads",
                retry_after_s=1.0,
            )
        self._under_way[account_id] += 1
        try:
            yield
        finally:
            self._under_way[account_id] -= 1
            if not self._under_way[account_id]:
                del self._under_way[account_id]

    async def find(self, caller: Identity, upload_id: str) -> StoredUpload:
        """Return the document of a file that the caller may see; `read` takes it.

        Raises:
            NotFound: code `upload_not_found`.
        """
        file = await self._files.find(upload_id)
        if file is None:
            raise _not_found()
        try:
            await self._conversations.readable(caller, file["metadata"]["conversation_id"])
        except DomainError as error:
            raise _not_found() from error
        return file

    def read(self, file: StoredUpload, first: int, last: int) -> AsyncIterator[bytes]:
        """Return the bytes `first` to `last`, both included."""
        return self._files.read(file, first, last)

    async def claim(
        self,
        caller: Identity,
        conversation_id: str,
        upload_ids: list[str],
        message_type: str,
        token: str | None,
    ) -> list[AttachmentView]:
        """Take uploads for one message, `token` naming it; returns them as messages keep them.

        Raises:
            Invalid: `attachments`: not the caller's, not of this conversation, of another type.
            Conflict: code `attachment_used`: another message has it.
        """
        token = token or uuid.uuid4().hex
        files = []
        for upload_id in upload_ids:
            file = await self._files.find(upload_id)
            if file is None or not _fits(file, caller, conversation_id, message_type):
                problem = (
                    f"{upload_id} is no {message_type} that you uploaded to this conversation."
                )
                raise Invalid(problem, fields={"attachments": [problem]})
            files.append(file)
        for position, file in enumerate(files):
            if not await self._take(file["_id"], token):
                for taken in files[:position]:
                    await self._give_back(taken["_id"], token)
                raise Conflict("The upload was sent with a message.", code="attachment_used")
        return [attachment_json(file) for file in files]

    async def deleting(self, message: StoredMessage) -> None:
        """Note that a message is about to be deleted: should this process die in between, the
        sweep finds its files."""
        for attachment in message["attachments"]:
            await self._files.files.update_one(
                {"_id": attachment["id"]},
                {
                    "$set": {
                        "metadata.deleting_at": self._clock(),
                        "metadata.message_seq": message["seq"],
                    }
                },
            )

    async def _finish_deleting(self, file: StoredUpload) -> None:
        metadata = file["metadata"]
        message = await self._conversations.messages.get(
            metadata["conversation_id"], metadata["message_seq"]
        )
        if message is None or message["deleted_at"] is not None:
            await self.remove([file["_id"]])
        else:
            await self._files.files.update_one(
                {"_id": file["_id"]}, {"$set": {"metadata.deleting_at": None}}
            )

    async def remove(self, upload_ids: Iterable[str]) -> None:
        """Remove the files of a message that was deleted."""
        for upload_id in upload_ids:
            # Without a message the sweep finds it, should this process die here.
            await self._files.files.update_one(
                {"_id": upload_id}, {"$set": {"metadata.attached_to": None}}
            )
            await self._remove(upload_id)

    async def sweep(self) -> None:
        """Remove uploads that no message took, and finish what processes that died have left."""
        now = self._clock()
        deleting = {"metadata.deleting_at": {"$lte": now - REMOVAL}}
        async for file in self._files.files.find(deleting):
            await self._finish_deleting(file)
        for left in (
            {"metadata.attached_to": None, "uploadDate": {"$lte": now - ABANDONED}},
            {"metadata.removing_at": {"$lte": now - REMOVAL}},
        ):
            async for file in self._files.files.find(left, only=["uploadDate"]):
                await self._remove(file["_id"])
        await self._usage.settle(self._files)

    async def _remove(self, upload_id: str) -> None:
        """Remove a file that no message has, and give its bytes back, both once."""
        now = self._clock()
        free = [
            {"metadata.removing_at": None},
            {"metadata.removing_at": {"$lte": now - REMOVAL}},
        ]
        taken = await self._files.files.find_one_and_update(
            {"_id": upload_id, "metadata.attached_to": None, "$or": free},
            {"$set": {"metadata.removing_at": now}},
        )
        if taken is None:
            # A message took it, or another process removes it.
            return
        charge = Charge.of(taken)
        if charge is not None:
            await self._usage.removing(charge)
        await self._files.remove(upload_id)
        if charge is not None:
            await self._usage.refund(charge)

    async def _take(self, upload_id: str, token: str) -> bool:
        taken = await self._files.files.update_one(
            {"_id": upload_id, "metadata.attached_to": None, "metadata.removing_at": None},
            {"$set": {"metadata.attached_to": token}},
        )
        if taken.matched_count:
            return True
        held = await self._files.files.find_one({"_id": upload_id})
        return held is not None and held["metadata"]["attached_to"] == token

    async def _give_back(self, upload_id: str, token: str) -> None:
        await self._files.files.update_one(
            {"_id": upload_id, "metadata.attached_to": token},
            {"$set": {"metadata.attached_to": None}},
        )


def attachment_json(file: StoredUpload) -> AttachmentView:
    """Show an upload: `id`, `name`, `content_type`, `size` in bytes."""
    return {
        "id": file["_id"],
        "name": file["filename"],
        "content_type": file["metadata"]["content_type"],
        "size": file["length"],
    }


def _fits(file: StoredUpload, caller: Identity, conversation_id: str, message_type: str) -> bool:
    metadata = file["metadata"]
    return (
        metadata["conversation_id"] == conversation_id
        and metadata["uploader_id"] == caller.account_id
        and metadata["content_type"].partition("/")[0] == message_type
    )


def _clean(filename: str) -> str:
    """Return what is no path of a name, and shows what it says.

    Joiners stay, without which names in Persian, Hindi or with emoji are others; all spaces become
    the usual one; controls and what changes the direction of text (`a\u202egpj.exe`) go.
    """
    name = filename.replace("\\", "/").rpartition("/")[2]
    spaced = (" " if unicodedata.category(each) == "Zs" else each for each in name)
    kept = "".join(each for each in spaced if each.isprintable() or each in _JOINERS)
    kept = kept.strip(f" {_JOINERS}")[:MAX_NAME].rstrip(f" {_JOINERS}")
    return kept if is_visible(kept) else "file"


def _not_found() -> NotFound:
    return NotFound("There is no such upload.", code="upload_not_found")

"""Attachments: uploaded to a conversation first, then sent with one message.

Bucket `uploads` (see `models.files`), `metadata`: `conversation_id`, `uploader_id`, `content_type`
(by the bytes), `attached_to` (a token of the message that has it, or null), `sha256`, `complete`.
"""

import uuid
from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta

from models.chat.conversations import Conversations
from models.chat.media import SNIFFED, media_type
from models.database import Database, Document
from models.errors import Conflict, DomainError, Invalid, NotFound
from models.events import Json
from models.files import Files
from models.identity import Identity
from models.times import Clock

ABANDONED = timedelta(hours=24)
"""An upload that no message took by then is removed."""

MAX_NAME = 255


class Attachments:
    """Uploads, and who may see them: the readers of their conversation."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        clock: Clock,
        *,
        max_bytes: int,
    ) -> None:
        self._files = Files(database, "uploads")
        self._conversations = conversations
        self._clock = clock
        self._max_bytes = max_bytes

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._files.prepare()
        await self._files.files.create_index([("metadata.attached_to", 1), ("uploadDate", 1)])

    async def upload(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        filename: str,
        content: AsyncIterable[bytes],
    ) -> dict[str, Json]:
        """Store a file for a message in a conversation; gives `attachment_json`.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Invalid: code `media_type_refused`, `file_too_large`.
        """
        await self._conversations.readable(caller, conversation_id)
        head, rest = await _begin(content)
        found = media_type(head)
        if found is None:
            raise Invalid("Send an image, video or audio file.", code="media_type_refused")
        file = await self._files.write(
            rest,
            filename=_clean(filename),
            metadata={
                "conversation_id": conversation_id,
                "uploader_id": caller.account_id,
                "content_type": found,
                "attached_to": None,
            },
            at=self._clock(),
            max_bytes=self._max_bytes,
        )
        return attachment_json(file)

    async def find(self, caller: Identity, upload_id: str) -> Document:
        """Give the document of a file that the caller may see; `read` takes it.

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

    def read(self, file: Document, first: int, last: int) -> AsyncIterator[bytes]:
        """Give the bytes `first` to `last`, both included."""
        return self._files.read(file, first, last)

    async def claim(
        self,
        caller: Identity,
        conversation_id: str,
        upload_ids: list[str],
        message_type: str,
        token: str | None,
    ) -> list[Document]:
        """Take uploads for one message, `token` naming it; gives them as messages keep them.

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
        return [dict(attachment_json(file)) for file in files]

    async def remove(self, attachments: list[Document]) -> None:
        """Remove the files of a message that was deleted."""
        for attachment in attachments:
            # Without a message the sweep finds it, should this process die here.
            await self._files.files.update_one(
                {"_id": attachment["id"]}, {"$set": {"metadata.attached_to": None}}
            )
            await self._files.remove(attachment["id"])

    async def sweep(self) -> None:
        """Remove uploads that no message took."""
        abandoned = {
            "metadata.attached_to": None,
            "uploadDate": {"$lte": self._clock() - ABANDONED},
        }
        async for file in self._files.files.find(abandoned):
            await self._files.remove(file["_id"])

    async def _take(self, upload_id: str, token: str) -> bool:
        taken = await self._files.files.update_one(
            {"_id": upload_id, "metadata.attached_to": None},
            {"$set": {"metadata.attached_to": token}},
        )
        if taken.matched_count:
            return True
        held = await self._files.files.find_one({"_id": upload_id})
        return bool(held and held["metadata"]["attached_to"] == token)

    async def _give_back(self, upload_id: str, token: str) -> None:
        await self._files.files.update_one(
            {"_id": upload_id, "metadata.attached_to": token},
            {"$set": {"metadata.attached_to": None}},
        )


def attachment_json(file: Document) -> dict[str, Json]:
    """Show an upload: `id`, `name`, `content_type`, `size` in bytes."""
    return {
        "id": file["_id"],
        "name": file["filename"],
        "content_type": file["metadata"]["content_type"],
        "size": file["length"],
    }


def _fits(file: Document, caller: Identity, conversation_id: str, message_type: str) -> bool:
    metadata = file["metadata"]
    return bool(
        metadata["conversation_id"] == conversation_id
        and metadata["uploader_id"] == caller.account_id
        and metadata["content_type"].partition("/")[0] == message_type
    )


async def _begin(content: AsyncIterable[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Read the first bytes; gives them, and all of the content from its beginning."""
    parts = aiter(content)
    head = b""
    while len(head) < SNIFFED:
        try:
            head += await anext(parts)
        except StopAsyncIteration:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for part in parts:
            yield part

    return head[:SNIFFED], whole()


def _clean(filename: str) -> str:
    """Keep of a name what is printable and no path."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    kept = "".join(character for character in name if character.isprintable())
    return kept.strip()[:MAX_NAME] or "file"


def _not_found() -> NotFound:
    return NotFound("There is no such upload.", code="upload_not_found")

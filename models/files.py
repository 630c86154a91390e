"""Files in the database, in the layout of GridFS: `<bucket>.files` and `<bucket>.chunks`.

https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md

Written with operations that both databases have. What is in MongoDB can be read with any GridFS
tool.
"""

import hashlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from http import HTTPStatus
from typing import Generic, NotRequired, TypedDict, TypeVar

from models.database import TypedCollection
from models.error_codes import ErrorCode
from models.errors import DomainError

CHUNK_BYTES = 255 * 1024
"""The specification's default."""


class TooLarge(DomainError):
    """There are more than `max_bytes`."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code: ErrorCode = "request_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The file is larger than {max_bytes} bytes.")
        self.max_bytes = max_bytes


class FileMetadata(TypedDict):
    """What a bucket keeps of each file besides what GridFS does."""

    complete: bool
    """Whether all chunks are written; before that, and after removal has begun, a file is not to be
    read, and anyone who keeps the bucket clean may remove it."""

    sha256: NotRequired[str]
    """Of the content, once that is complete."""


Metadata = TypeVar("Metadata", bound=FileMetadata)


class StoredFile(TypedDict, Generic[Metadata]):
    """A document of `<bucket>.files`."""

    _id: str
    filename: str
    length: int
    """Bytes; 0 until the content is complete."""

    chunkSize: int
    uploadDate: datetime
    metadata: Metadata


class StoredChunk(TypedDict):
    """A document of `<bucket>.chunks`."""

    _id: str
    """`<file>:<n>`."""

    files_id: str
    n: int
    """0, 1, 2 …"""

    data: bytes


class Files(Generic[Metadata]):
    """One bucket."""

    def __init__(
        self, files: TypedCollection[StoredFile[Metadata]], chunks: TypedCollection[StoredChunk]
    ) -> None:
        self.files = files
        self._chunks = chunks

    async def prepare(self) -> None:
        """Make the index that removal and other programs that read GridFS rely on."""
        await self._chunks.create_index([("files_id", 1), ("n", 1)])

    async def write(
        self,
        content: AsyncIterable[bytes],
        *,
        filename: str,
        metadata: Metadata,
        at: datetime,
        file_id: str | None = None,
    ) -> StoredFile[Metadata]:
        """Store a file and return its document; `metadata`, not complete, is completed.

        Nothing is kept of one whose content breaks off.
        """
        file: StoredFile[Metadata] = {
            "_id": file_id or uuid.uuid4().hex,
            "filename": filename,
            "length": 0,
            "chunkSize": CHUNK_BYTES,
            "uploadDate": at,
            "metadata": metadata,
        }
        await self.files.insert_one(file)
        try:
            length, digest = await self._write_chunks(file["_id"], content)
        except BaseException:
            await self.remove(file["_id"])
            raise
        await self.files.update_one(
            {"_id": file["_id"]},
            {
                "$set": {
                    "length": length,
                    "metadata.sha256": digest,
                    "metadata.complete": True,
                }
            },
        )
        metadata["sha256"], metadata["complete"] = digest, True
        return {**file, "length": length, "metadata": metadata}

    async def find(self, file_id: str) -> StoredFile[Metadata] | None:
        """Return the document of a file that can be read."""
        file = await self.files.find_one({"_id": file_id})
        return file if file and file["metadata"]["complete"] else None

    async def read(self, file: StoredFile[Metadata], first: int, last: int) -> AsyncIterator[bytes]:
        """Return the bytes `first` to `last`, both included, a chunk at a time.

        Raises:
            EOFError: a chunk is missing: the file was removed meanwhile.
        """
        size = file["chunkSize"]
        for n in range(first // size, last // size + 1):
            chunk = await self._chunks.find_one({"_id": _chunk_id(file["_id"], n)})
            if chunk is None:
                raise EOFError(f"file {file['_id']} has no chunk {n}")
            yield chunk["data"][max(0, first - n * size) : last + 1 - n * size]

    async def remove(self, file_id: str) -> None:
        """Remove a file; done again after a crash it goes on."""
        await self.files.update_one({"_id": file_id}, {"$set": {"metadata.complete": False}})
        await self._chunks.delete_many({"files_id": file_id})
        await self.files.delete_one({"_id": file_id})

    async def _write_chunks(self, file_id: str, content: AsyncIterable[bytes]) -> tuple[int, str]:
        buffer, n, length = bytearray(), 0, 0
        digest = hashlib.sha256()
        async for part in content:
            length += len(part)
            digest.update(part)
            buffer += part
            while len(buffer) >= CHUNK_BYTES:
                await self._write_chunk(file_id, n, bytes(buffer[:CHUNK_BYTES]))
                del buffer[:CHUNK_BYTES]
                n += 1
        if buffer:
            await self._write_chunk(file_id, n, bytes(buffer))
        return length, digest.hexdigest()

    async def _write_chunk(self, file_id: str, n: int, data: bytes) -> None:
        await self._chunks.insert_one(
            {"_id": _chunk_id(file_id, n), "files_id": file_id, "n": n, "data": data}
        )


def _chunk_id(file_id: str, n: int) -> str:
    return f"{file_id}:{n}"

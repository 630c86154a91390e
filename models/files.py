"""Files in the database, in the layout of GridFS: `<bucket>.files` and `<bucket>.chunks`.

https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md

Written with operations that both databases have: the embedded store's own GridFS class has no
methods yet (tinymongo 1.3.1). What is in MongoDB can be read with any GridFS tool.
"""

import hashlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime

from models.database import Database, Document
from models.errors import Invalid

CHUNK_BYTES = 255 * 1024
"""The specification's default."""


class TooLarge(Invalid):
    """There are more than `max_bytes`."""

    code = "file_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The file is larger than {max_bytes} bytes.")
        self.max_bytes = max_bytes


class Files:
    """One bucket.

    `metadata.complete` says that all chunks are written; before that, and after removal has begun,
    a file is not to be read, and whoever keeps the bucket clean may remove it.
    """

    def __init__(self, database: Database, bucket: str) -> None:
        self.files = database[f"{bucket}.files"]
        self._chunks = database[f"{bucket}.chunks"]

    async def prepare(self) -> None:
        """Make the index that removal and other programs that read GridFS rely on."""
        await self._chunks.create_index([("files_id", 1), ("n", 1)])

    async def write(
        self,
        content: AsyncIterable[bytes],
        *,
        filename: str,
        metadata: Document,
        at: datetime,
        max_bytes: int,
    ) -> Document:
        """Store a file and give its document; `metadata` gets `sha256` and `complete`.

        Raises:
            TooLarge: more than `max_bytes`; nothing is kept.
        """
        file: Document = {
            "_id": uuid.uuid4().hex,
            "filename": filename,
            "length": 0,
            "chunkSize": CHUNK_BYTES,
            "uploadDate": at,
            "metadata": {**metadata, "complete": False},
        }
        await self.files.insert_one(file)
        try:
            length, digest = await self._write_chunks(file["_id"], content, max_bytes)
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
        done = {**file["metadata"], "sha256": digest, "complete": True}
        return {**file, "length": length, "metadata": done}

    async def find(self, file_id: str) -> Document | None:
        """Give the document of a file that can be read."""
        file = await self.files.find_one({"_id": file_id})
        return file if file and file["metadata"]["complete"] else None

    async def read(self, file: Document, first: int, last: int) -> AsyncIterator[bytes]:
        """Give the bytes `first` to `last`, both included, a chunk at a time.

        Raises:
            EOFError: a chunk is missing: the file was removed meanwhile.
        """
        size: int = file["chunkSize"]
        for n in range(first // size, last // size + 1):
            chunk = await self._chunks.find_one({"_id": _chunk_id(file["_id"], n)})
            if chunk is None:
                raise EOFError(f"file {file['_id']} has no chunk {n}")
            data: bytes = chunk["data"]
            yield data[max(0, first - n * size) : last + 1 - n * size]

    async def remove(self, file_id: str) -> None:
        """Remove a file; done again after a crash it goes on."""
        await self.files.update_one({"_id": file_id}, {"$set": {"metadata.complete": False}})
        await self._chunks.delete_many({"files_id": file_id})
        await self.files.delete_one({"_id": file_id})

    async def _write_chunks(
        self, file_id: str, content: AsyncIterable[bytes], max_bytes: int
    ) -> tuple[int, str]:
        buffer, n, length = bytearray(), 0, 0
        digest = hashlib.sha256()
        async for part in content:
            length += len(part)
            if length > max_bytes:
                raise TooLarge(max_bytes)
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

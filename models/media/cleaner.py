"""Takes in a file as it comes and cleans it off the event loop."""

import asyncio
import mmap
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import IO

from models.errors import Invalid
from models.files import TooLarge
from models.media.cleaning import clean
from models.media.source import Cleaned, Malformed, NotMedia

THREADS = 2
"""Files being cleaned at once: parsing holds the interpreter, so more threads would only make the
event loop wait longer for its turns."""

BUFFER_BYTES = 1_048_576
"""Collected before a thread writes it to the disk."""


class CleanFile:
    """A file without personal metadata, that is still in the temporary file it came into."""

    def __init__(self, file: IO[bytes], cleaned: Cleaned) -> None:
        self._file = file
        self._cleaned = cleaned
        self.content_type = cleaned.content_type
        self.size = cleaned.size

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the content in pieces."""
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for piece in self._cleaned.pieces(data):
                yield piece


class Cleaner:
    """Cleans uploads of at most `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="media")

    @asynccontextmanager
    async def cleaned(self, content: AsyncIterable[bytes]) -> AsyncIterator[CleanFile]:
        """Receive a file; the result can be read within the context.

        Raises:
            TooLarge: there are more than `max_bytes`.
            Invalid: code `media_type_refused` or `media_unreadable`.
        """
        with tempfile.TemporaryFile() as file:
            await self._receive(file, content)
            loop = asyncio.get_running_loop()
            try:
                cleaned = await loop.run_in_executor(self._threads, _clean, file)
            except NotMedia:
                raise Invalid(
                    "Send an image, video or audio file.", code="media_type_refused"
                ) from None
            except Malformed as error:
                raise Invalid(
                    f"The file cannot be read: {error}.", code="media_unreadable"
                ) from None
            yield CleanFile(file, cleaned)

    async def _receive(self, file: IO[bytes], content: AsyncIterable[bytes]) -> None:
        buffer, length = bytearray(), 0
        async for piece in content:
            length += len(piece)
            if length > self._max_bytes:
                raise TooLarge(self._max_bytes)
            buffer += piece
            if len(buffer) >= BUFFER_BYTES:
                await asyncio.to_thread(file.write, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(_finish, file, bytes(buffer))


def _finish(file: IO[bytes], rest: bytes) -> None:
    file.write(rest)
    file.flush()


def _clean(file: IO[bytes]) -> Cleaned:
    if not file.seek(0, 2):
        raise NotMedia("it is empty")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return clean(data)

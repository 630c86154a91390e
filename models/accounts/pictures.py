"""Pictures of people: one small square for each account that has set one.

Who may see the name of an account may see its picture.
"""

import hashlib
from collections.abc import Iterable

from models.accounts.stored import StoredPicture
from models.database import Database, typed
from models.errors import Invalid, NotFound
from models.files import TooLarge
from models.media import Malformed, NotMedia, clean
from models.times import Clock, now

PICTURE_BYTES = 64 * 1024
"""A square of 256 pixels of good quality has 10 to 30 KB, and a screen shows dozens of them."""

SIDE_MIN, SIDE_MAX = 32, 512
"""Pixels. More than twice the largest avatar of a dense display is not seen."""

JPEG, PNG = "image/jpeg", "image/png"


class Pictures:
    """The pictures, one for each account at most."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._pictures = typed(database["account_pictures"], StoredPicture)
        self._clock = clock

    async def put(self, account_id: str, content: bytes) -> str:
        """Set an account's picture, and return its version.

        Raises:
            TooLarge: code `request_too_large`: more than `PICTURE_BYTES`.
            Invalid: code `media_type_refused` or `media_unreadable`; `invalid` where it is no
                square of an allowed size.
        """
        if len(content) > PICTURE_BYTES:
            raise TooLarge(PICTURE_BYTES)
        content_type, cleaned = _cleaned(content)
        width, height = _size(content_type, cleaned)
        if width != height or not SIDE_MIN <= width <= SIDE_MAX:
            problem = f"Send a square of {SIDE_MIN} to {SIDE_MAX} pixels."
            raise Invalid("The picture has another shape.", fields={"picture": [problem]})
        version = hashlib.sha256(cleaned).hexdigest()[:16]
        values = {
            "content": cleaned,
            "content_type": content_type,
            "version": version,
            "updated_at": self._clock(),
        }
        await self._pictures.update_one({"_id": account_id}, {"$set": values}, upsert=True)
        return version

    async def remove(self, account_id: str) -> None:
        """Delete an account's picture; a repeat is quiet."""
        await self._pictures.delete_one({"_id": account_id})

    async def of(self, account_id: str) -> StoredPicture:
        """Return an account's picture.

        Raises:
            NotFound: it has none.
        """
        found = await self._pictures.find_one({"_id": account_id})
        if found is None:
            raise NotFound("There is no picture.")
        return found

    async def versions(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Return the versions of the pictures that there are of some accounts, by account id."""
        ids = list(dict.fromkeys(account_ids))
        found = self._pictures.find({"_id": {"$in": ids}}, only=["version"])
        return {picture["_id"]: picture["version"] async for picture in found}


def _cleaned(content: bytes) -> tuple[str, bytes]:
    """Return the type, judged by the content, and the content without metadata."""
    try:
        cleaned = clean(content)
    except NotMedia:
        raise _refused() from None
    except Malformed:
        raise Invalid("The picture is damaged.", code="media_unreadable") from None
    if cleaned.content_type not in (JPEG, PNG):
        raise _refused()
    return cleaned.content_type, b"".join(cleaned.pieces(content))


def _refused() -> Invalid:
    return Invalid("Pictures are JPEG or PNG.", code="media_type_refused")


def _size(content_type: str, content: bytes) -> tuple[int, int]:
    """Return width and height as the picture says them; zeros where it does not."""
    if content_type == PNG:
        # The signature has 8 bytes; the first chunk is IHDR (PNG, 5.6 and 11.2.2).
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        # SOF0 to SOF15, but DHT, JPG and DAC among them (ITU-T T.81, B.1.1.3).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = content[at + 5 : at + 7], content[at + 7 : at + 9]
            return int.from_bytes(width), int.from_bytes(height)
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return 0, 0

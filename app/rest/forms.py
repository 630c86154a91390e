"""Forms with files (`multipart/form-data`, RFC 7578), read as they come, within bounds.

The parser is the sans-I/O one of `multipart`; here stand the limits of what surrounds the content.
aiohttp's own reader has none: a preamble of five megabytes of newlines held the event loop for
seconds, and any number of headers of a part was collected.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import unquote

from aiohttp import ClientPayloadError, web
from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from app.rest import requests
from models.errors import Invalid, Unreadable

PREAMBLE_BYTES = 1024
"""Before the first boundary, where RFC 2046 has a note for readers of mail; browsers send none."""

HEADER_BYTES = 2048
"""One header of a part: room for a file name of 255 characters, whatever their script."""

MAX_HEADERS = 8
"""Of one part; RFC 7578 knows three."""

MAX_FIELDS = 8
"""Parts up to the file. The documented forms have two."""

FIELD_BYTES = 256
"""The value of a field next to the file: room for any id."""

IDLE_BYTES = 262_144
"""Of a form that are neither content nor its headers: what one read of a socket may hold."""

UPLOAD_S = 600.0
"""For a whole form to come: the largest file takes as long at 20 kB a second. `requests.BODY_S`
is for each piece of it."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_LONG_NAME = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_AS_IT_IS = ("", "7bit", "8bit", "binary")


class Part:
    """One part of a form, whose content has yet to come."""

    def __init__(self, form: "Form", segment: MultipartSegment) -> None:
        """Check the headers of `segment`.

        Raises:
            Unreadable: they have control characters, or announce parts of a part.
            web.HTTPUnsupportedMediaType: the content is encoded.
        """
        self._form = form
        self.name: str = segment.name or ""
        self.filename = _filename(segment)
        if any(_CONTROL.search(value) for _, value in segment.headerlist) or _CONTROL.search(
            self.name + self.filename
        ):
            raise Unreadable("A header of the form has control characters.")
        if (segment.content_type or "").startswith("multipart/"):
            raise Unreadable("A form has no parts of parts.")
        transfer = segment.header("Content-Transfer-Encoding", "").strip().lower()
        if transfer not in _AS_IT_IS or segment.header("Content-Encoding", "") not in (
            "",
            "identity",
        ):
            raise web.HTTPUnsupportedMediaType(reason="Send the parts of the form as they are")

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the content, in pieces as they come.

        Raises:
            Unreadable: the form is cut short or wrongly written.
            web.HTTPRequestTimeout: the next piece did not come.
        """
        async for event in self._form.events:
            if event is None:
                return
            if isinstance(event, bytes):
                yield event

    async def text(self) -> str:
        """Return the whole content of a short field; raises as `content`.

        Raises:
            Invalid: it is longer than `FIELD_BYTES`.
        """
        data = b""
        async for piece in self.content():
            data += piece
            if len(data) > FIELD_BYTES:
                raise Invalid("A field of the form is too long.", fields={self.name: ["Too long."]})
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise _unreadable() from None


class Form:
    """The form that is the body of a request."""

    def __init__(self, request: web.Request) -> None:
        """Look at the request's head.

        Raises:
            Unreadable: there is no boundary, or one that RFC 2046 does not allow.
            web.HTTPUnsupportedMediaType: the body is no form.
        """
        if request.content_type != "multipart/form-data":
            raise web.HTTPUnsupportedMediaType(reason="Send a form: multipart/form-data")
        boundary = _boundary(request)
        self._content = request.content
        self._opening = b"--" + boundary
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            max_segment_count=MAX_FIELDS + 1,
        )
        self.events = self._events()
        """What the parser finds: a segment, pieces of its content, None at its end."""

    async def next_part(self) -> Part | None:
        """Return the next part, or None at the end of the form; raises as `Part.content`."""
        async for event in self.events:
            if isinstance(event, MultipartSegment):
                return Part(self, event)
        return None

    async def aclose(self) -> None:
        """Read no further."""
        await self.events.aclose()

    async def _events(self) -> AsyncGenerator[MultipartSegment | bytes | None, None]:
        idle = 0
        try:
            data = await self._first()
            while data:
                idle += len(data)
                for event in self._parser.parse(data):
                    idle = 0
                    yield event
                if idle > IDLE_BYTES:
                    raise _unreadable()
                data = await self._piece()
            self._parser.close()
        except (MultipartError, ClientPayloadError, web.RequestPayloadError):
            raise _unreadable() from None

    async def _first(self) -> bytes:
        """Return the beginning of the form, from its first boundary on."""
        data = b""
        while (at := data.find(self._opening)) < 0:
            if len(data) > PREAMBLE_BYTES + len(self._opening):
                raise _unreadable()
            piece = await self._piece()
            if not piece:
                raise _unreadable()
            data += piece
        if at > PREAMBLE_BYTES or data[:at][-2:] not in (b"", b"\r\n"):
            raise _unreadable()
        return data[at:]

    async def _piece(self) -> bytes:
        try:
            async with asyncio.timeout(requests.BODY_S):
                return await self._content.readany()
        except TimeoutError:
            raise web.HTTPRequestTimeout(reason="The form stopped coming") from None


def _boundary(request: web.Request) -> bytes:
    """Return the boundary that `Content-Type` names."""
    _, options = parse_options_header(request.headers["Content-Type"])
    boundary: str = options.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Unreadable("Content-Type names no boundary of 1 to 70 characters (RFC 2046).")
    return boundary.encode("ascii")


def _filename(segment: MultipartSegment) -> str:
    """Return the file's name; `filename*` (RFC 8187), which some older clients send, wins."""
    long = _LONG_NAME.search(segment.header("Content-Disposition", ""))
    return unquote(long[1]) if long else segment.filename or ""


def _unreadable() -> Unreadable:
    return Unreadable("The form is cut short or wrongly written.")

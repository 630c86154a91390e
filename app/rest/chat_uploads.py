"""`/api/v1/uploads`: files for chat messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

from aiohttp import BodyPartReader, ClientPayloadError, ETag, MultipartReader, web

from app.rest import requests
from app.rest.ranges import Unsatisfiable, wanted_range
from app.rest.requests import chat_caller
from models.chat.attachments import Attachments
from models.database import Document
from models.errors import Invalid, Unreadable
from models.files import TooLarge

T = TypeVar("T")

FIELDS = ("conversation_id", "channel_id")
FIELD_BYTES = 256
"""A form field beside the file: room for any id."""

FORM_FIELDS = 8
READ_BYTES = 65_536

_MALFORMED = (ValueError, AssertionError, ClientPayloadError, web.RequestPayloadError)


class UploadRoutes:
    """The routes of uploads."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        return [
            web.post("/api/v1/uploads", self.upload),
            web.get("/api/v1/uploads/{upload_id}", self.get),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """201 with `id`, `name`, `content_type`, `size`.

        A form (RFC 7578) with `file`; `conversation_id` or `channel_id` stands before it, or in
        the query string.
        """
        identity = await chat_caller(request)
        conversation_id, part = await _form(request)
        try:
            stored = await self._attachments.upload(
                identity,
                conversation_id,
                filename=part.filename or "",
                content=_content(part),
            )
        except TooLarge as error:
            raise web.HTTPRequestEntityTooLarge(
                error.max_bytes, error.max_bytes + 1, reason=error.message
            ) from None
        return web.json_response(stored, status=HTTPStatus.CREATED)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """200 with the file, 206 with a part of it, 304 or 416; for readers of its conversation."""
        identity = await chat_caller(request)
        file = await self._attachments.find(identity, request.match_info["upload_id"])
        etag = file["metadata"]["sha256"]
        response = web.StreamResponse(headers=_headers(file))
        response.etag = ETag(etag)
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            response.set_status(HTTPStatus.NOT_MODIFIED)
            await response.prepare(request)
            return response
        size: int = file["length"]
        first, last = 0, size - 1
        try:
            part = wanted_range(_range(request, etag), size)
        except Unsatisfiable:
            return web.Response(
                status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                headers={"Content-Range": f"bytes */{size}"},
            )
        if part is not None:
            first, last = part
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        response.content_type = file["metadata"]["content_type"]
        response.content_length = last - first + 1
        await response.prepare(request)
        if request.method != "HEAD":
            async for data in self._attachments.read(file, first, last):
                await response.write(data)
            await response.write_eof()
        return response


def _headers(file: Document) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(file['filename'], safe='')}",
        # Whatever the bytes are, no browser makes a document of them that could do something.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # Who may read can change: kept copies are asked about, which costs a 304.
        "Cache-Control": "private, no-cache",
    }


def _range(request: web.Request, etag: str) -> str | None:
    """Give the `Range` header, unless `If-Range` names another version."""
    condition = request.headers.get("If-Range")
    return None if condition not in (None, f'"{etag}"') else request.headers.get("Range")


async def _form(request: web.Request) -> tuple[str, BodyPartReader]:
    """Read up to the file; gives the conversation's id, and the part with the file."""
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType(reason="Send a form: multipart/form-data")
    found = {field: request.query[field] for field in FIELDS if field in request.query}
    try:
        form = await request.multipart()
        for _ in range(FORM_FIELDS):
            part = await _soon(form.next())
            if part is None:
                break
            if isinstance(part, MultipartReader):
                raise Unreadable("A form has no parts of parts.")
            if part.name == "file":
                if not found:
                    problem = "Name it before the file."
                    raise Invalid(problem, fields={"conversation_id": [problem]})
                return next(iter(found.values())), part
            found[str(part.name)] = await _text(part)
            found = {field: value for field, value in found.items() if field in FIELDS}
    except _MALFORMED:
        raise _unreadable() from None
    raise Invalid("Send a file.", fields={"file": ["Send a file."]})


async def _text(part: BodyPartReader) -> str:
    data = b""
    while chunk := await _soon(part.read_chunk(READ_BYTES)):
        data += chunk
        if len(data) > FIELD_BYTES:
            raise Invalid(
                "A field of the form is too long.", fields={str(part.name): ["Too long."]}
            )
    return data.decode()


async def _content(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while chunk := await _soon(part.read_chunk(READ_BYTES)):
            yield bytes(chunk)
    except _MALFORMED:
        raise _unreadable() from None


async def _soon(piece: Awaitable[T]) -> T:
    """Wait for a piece of the form: all of it may take long, none of them may."""
    try:
        async with asyncio.timeout(requests.BODY_S):
            return await piece
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason="The form stopped coming") from None


def _unreadable() -> Unreadable:
    return Unreadable("The form is cut short or wrongly written.")

"""`/api/v1/uploads`: files for chat messages."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import ETag, web
from aiohttp.typedefs import Handler

from app.http.assets import is_known
from app.http.protections import INERT
from app.http.responses import stream
from app.rest import forms
from app.rest.contract import Content, Credential, contract
from app.rest.forms import Form, Part
from app.rest.ranges import Unsatisfiable, wanted_range
from app.rest.requests import chat_caller
from models.chat import Chat
from models.chat.attachments import Attachments
from models.chat.records import StoredUpload
from models.chat.views import AttachmentView
from models.errors import Invalid
from models.fields import Input, id_field

FIELDS = ("conversation_id", "channel_id")


class UploadQuery(Input):
    """Of which conversation the file is, unless the form says it."""

    conversation_id = id_field()
    channel_id = id_field()


_WHERE = UploadQuery()


def special(chat: Chat) -> Mapping[str, Handler]:
    """Return the handlers that are written by hand, by operation."""
    uploads = Uploads(chat.attachments)
    return {"upload_file": uploads.upload, "get_upload": uploads.get}


class Uploads:
    """Files that come in forms, and go out in parts."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    @contract(
        "chat",
        {201: AttachmentView},
        credential=Credential.CHAT,
        body=Content("multipart/form-data"),
        query=_WHERE,
        errors=("unsupported_media_type",),
    )
    async def upload(self, request: web.Request) -> web.Response:
        """201 with `id`, `name`, `content_type`, `size`.

        A form (RFC 7578) with `file`; `conversation_id` or `channel_id` stands before it, or in
        the query string.
        """
        identity = await chat_caller(request)
        form = Form(request)
        try:
            async with asyncio.timeout(forms.UPLOAD_S), aclosing(form):
                conversation_id, part = await _file(request, form)
                stored = await self._attachments.upload(
                    identity, conversation_id, filename=part.filename, content=part.content()
                )
        except TimeoutError:
            raise web.HTTPRequestTimeout(
                reason=f"The form did not come in {forms.UPLOAD_S:g} s"
            ) from None
        return web.json_response(stored, status=HTTPStatus.CREATED)

    @contract(
        "chat",
        {200: Content("*/*"), 206: Content("*/*"), 304: None, 416: None},
        credential=Credential.CHAT,
        headers=("If-None-Match", "If-Range", "Range"),
    )
    async def get(self, request: web.Request) -> web.StreamResponse:
        """200 with the file, 206 with a part of it, 304 or 416; for readers of its conversation."""
        identity = await chat_caller(request)
        file = await self._attachments.find(identity, request.match_info["upload_id"])
        etag = file["metadata"]["sha256"]
        response = web.StreamResponse(headers=_headers(file))
        response.etag = ETag(etag)
        if is_known(request, etag):
            response.set_status(HTTPStatus.NOT_MODIFIED)
            await response.prepare(request)
            return response
        size = file["length"]
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
        return await stream(request, response, self._attachments.read(file, first, last))


def _headers(file: StoredUpload) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(file['filename'], safe='')}",
        **INERT,
        # Who may read can change: kept copies are asked about, which costs a 304.
        "Cache-Control": "private, no-cache",
    }


def _range(request: web.Request, etag: str) -> str | None:
    """Return the `Range` header, unless `If-Range` names another version."""
    condition = request.headers.get("If-Range")
    return None if condition not in (None, f'"{etag}"') else request.headers.get("Range")


async def _file(request: web.Request, form: Form) -> tuple[str, Part]:
    """Read up to the file; returns the conversation's id, and the part with the file."""
    found = {field: request.query[field] for field in FIELDS if field in request.query}
    while (part := await form.next_part()) is not None:
        if part.name == "file":
            if not found:
                problem = "Name it before the file."
                raise Invalid(problem, fields={"conversation_id": [problem]})
            return next(iter(found.values())), part
        text = await part.text()
        if part.name in FIELDS:
            found[part.name] = text
    raise Invalid("Send a file.", fields={"file": ["Send a file."]})

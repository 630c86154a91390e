"""Versions over REST: `ETag` of what has one, `If-Match` of what is to be changed (RFC 9110)."""

import re
from typing import Any

from aiohttp import ETag, hdrs, web

from models.errors import Invalid
from models.versions import MAX_VERSION, NAME, version_conflict, version_of

HEADER = "If-Match"

_VERSION = re.compile(r'"([1-9][0-9]{0,15})"')


def with_if_match(request: web.Request, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a change with the version that its `If-Match` names.

    `*` is any version. An `ETag` that is none of this API, weak ones among them, is no version of
    the thing.

    Raises:
        Invalid: several; another one than `if_version`.
        PreconditionFailed: code `version_conflict`: it is no version.
    """
    headers = request.headers.getall(hdrs.IF_MATCH, [])
    if not headers:
        return fields
    if len(headers) > 1 or "," in headers[0]:
        raise Invalid("If-Match names one version.", fields={NAME: ["One ETag, or `*`."]})
    wanted = headers[0].strip()
    if wanted == "*":
        return fields
    found = _VERSION.fullmatch(wanted)
    if found is None or int(found[1]) > MAX_VERSION:
        raise version_conflict()
    version = int(found[1])
    if fields.get(NAME) not in (None, version):
        raise Invalid("Two versions are named.", fields={NAME: ["If-Match names another one."]})
    return fields | {NAME: version}


def with_version(response: web.Response, answer: object) -> web.Response:
    """Return the response with the `ETag` of an answer that has a version."""
    version = version_of(answer)
    if version is not None:
        response.etag = ETag(str(version))
    return response

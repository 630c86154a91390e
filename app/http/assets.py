"""Files that are held in memory and served whole, compressed for clients that take that."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ETag, web


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    packed: bytes
    content_type: str
    etag: str


def make_asset(body: bytes, content_type: str) -> Asset:
    """Compress and hash a file, once for all requests; `content_type` has its charset."""
    return Asset(
        body,
        gzip.compress(body, 9, mtime=0),
        content_type,
        etag=hashlib.sha256(body).hexdigest()[:32],
    )


def serve(request: web.Request, asset: Asset, headers: Mapping[str, str]) -> web.Response:
    """Return the file; `headers` say how long it is kept, and have `Vary`."""
    packed = len(asset.packed) < len(asset.body) and accepts_gzip(
        request.headers.get("Accept-Encoding", "")
    )
    all_headers = {**headers, "Content-Type": asset.content_type}
    if packed:
        all_headers["Content-Encoding"] = "gzip"
    return web.Response(body=asset.packed if packed else asset.body, headers=all_headers)


def serve_unless_known(
    request: web.Request, asset: Asset, headers: Mapping[str, str]
) -> web.Response:
    """Return the file, or 304 where the client has it as it is."""
    if is_known(request, asset.etag):
        response = web.Response(status=304, headers=headers)
    else:
        response = serve(request, asset, headers)
    # Weak: the same file is sent with and without compression.
    response.etag = ETag(asset.etag, is_weak=True)
    return response


def is_known(request: web.Request, etag: str) -> bool:
    """Whether `If-None-Match` names this version (RFC 9110, 13.1.2)."""
    return any(known.value in (etag, "*") for known in request.if_none_match or ())


def accepts_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` takes gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return weights.get("gzip", weights.get("*", False))

"""The browser client at `/`: its page, modules and styles, under a strict Content-Security-Policy.

The set of files is fixed when the routes are made: a request names a file of that set or gets 404,
so no path can lead out of it, and neither `package.json` nor `node_modules` is ever listed.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import ETag, web

WEB = Path(__file__).resolve().parent.parent / "web"

# The version `web/package-lock.json` holds, and the hash of that package's own file.
SOCKETIO_CLIENT_VERSION = "4.8.4"
SOCKETIO_CLIENT_INTEGRITY = (
    "sha384-fBrXvbDtHoeKWJ/hcA6M+YGueiDW+h45I7V6F2kD1S8bOkrF9rZYPLVkCR6BLR/1"
)
SOCKETIO_CLIENT_FILE = Path("node_modules/socket.io-client/dist/socket.io.min.js")
SOCKETIO_CLIENT_CDN = (
    f"https://cdn.jsdelivr.net/npm/socket.io-client@{SOCKETIO_CLIENT_VERSION}/dist/socket.io.min.js"
)
PLACEHOLDER = "<!-- socket.io-client -->"

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
COMMON_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# What may stand in a policy as a host-source; IPv6 literals may not, `'self'` covers those.
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def routes(folder: Path = WEB) -> list[web.RouteDef]:
    """Give the routes of the client in `folder`: `/`, `/web/<file>` and `/vendor/<file>`.

    socket.io-client is served from here when `npm ci` has installed it in `folder`, else the page
    loads it from a content delivery network, held to its hash.
    """
    installed = folder / SOCKETIO_CLIENT_FILE
    vendored = {installed.name: installed} if installed.is_file() else {}
    own = {path.name: path for path in folder.iterdir() if path.suffix in CONTENT_TYPES}
    return [
        web.get("/", _Page(folder / "index.html", local_client=bool(vendored)).serve),
        web.get("/web/{name}", _Files(own).serve),
        web.get("/vendor/{name}", _Files(vendored).serve),
    ]


class _Page:
    """index.html with its one placeholder filled."""

    def __init__(self, path: Path, *, local_client: bool) -> None:
        if local_client:
            tag = f'<script defer src="/vendor/{SOCKETIO_CLIENT_FILE.name}"></script>'
        else:
            tag = (
                f'<script defer src="{SOCKETIO_CLIENT_CDN}" '
                f'integrity="{SOCKETIO_CLIENT_INTEGRITY}" crossorigin="anonymous"></script>'
            )
        self._body = path.read_text(encoding="utf-8").replace(PLACEHOLDER, tag).encode()
        self._etag = hashlib.sha256(self._body).hexdigest()[:32]
        self._script_sources = "'self'" if local_client else f"'self' {SOCKETIO_CLIENT_CDN}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        headers = {
            **COMMON_HEADERS,
            "Content-Security-Policy": policy(request.host, self._script_sources),
        }
        known = request.if_none_match or ()
        if any(etag.value in (self._etag, "*") for etag in known):
            response = web.Response(status=304, headers=headers)
        else:
            response = web.Response(
                body=self._body, content_type="text/html", charset="utf-8", headers=headers
            )
        response.etag = ETag(self._etag)
        return response


class _Files:
    """Files by their exact name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = self._files.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        headers = {
            **COMMON_HEADERS,
            "Content-Type": CONTENT_TYPES[path.suffix],
            # An SVG opened by itself is a document; it gets nothing to run with.
            "Content-Security-Policy": "default-src 'none'",
        }
        return web.FileResponse(path, headers=headers)


def policy(host: str, script_sources: str) -> str:
    """Write the page's Content-Security-Policy.

    WebSocket origins are spelled out because Safari before 15.4 does not let `'self'` cover them.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script_sources}",
            "style-src 'self'",
            f"connect-src 'self'{sockets}",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            # The page builds nodes, never markup: no string reaches an HTML or script sink.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )

"""The browser client at `/`: its page, modules and styles, under a strict Content-Security-Policy.

All files are read, joined and compressed at start, and have addresses under one hash of them all
(`/assets/<hash>/…`): browsers keep them forever, relative imports stay as they are written, and a
change of any file gives every file a new address. The page names its files relatively, so it works
under a path of its own behind a proxy. A request names a file of the set or gets 404, so no path
can lead out of it.
"""

import functools
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from app.http.assets import make_asset, serve, serve_unless_known
from app.web_modules import join

WEB = Path(__file__).resolve().parent.parent / "web"

# What every tutorial has in its page; it is there when `npm ci` has been run in `web/`.
SOCKETIO_CLIENT_FILE = Path("node_modules/socket.io-client/dist/socket.io.js")
SOCKETIO_CLIENT_PATH = "/socket.io/socket.io.js"
SOCKETIO_CLIENT_HINT = (
    "socket.io-client is not installed: run `npm ci` in web/ and start the server again.\n"
)

ENTRY = "app.js"
STYLE = "style.css"
WORKER = "service-worker.js"
STYLE_PARTS = (
    "style/tokens.css",
    "style/base.css",
    "style/parts.css",
    "screens/welcome/style.css",
)
LANGUAGES = ("en", "vi")
ASSETS = "@assets"
LANGUAGE = "@language"
ICONS = "<!-- icons -->"
SPRITE = "icons.svg"

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
COMMON_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER = "public, max-age=31536000, immutable"

# What may stand in a policy as a host-source; IPv6 literals may not, `'self'` covers those.
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def routes(folder: Path = WEB, *, watch: bool = False) -> list[web.RouteDef]:
    """Return the routes of the client in `folder`.

    They are `/`, `/assets/<hash>/<file>`, `/service-worker.js`, `/socket.io/socket.io.js`, and
    `/orders/<id>` and `/products/<id>`, which notifications link to. With `watch`, for development,
    files that have changed since are read again when the page is loaded.
    """
    client = _Client(folder, watch=watch)
    return [
        web.get("/", client.page),
        web.get("/assets/{hash}/{name:.+}", client.file),
        web.get(f"/{WORKER}", client.worker),
        web.get(SOCKETIO_CLIENT_PATH, client.stock_client),
        web.get("/orders/{order_id:[1-9][0-9]{0,17}}", _order),
        web.get("/products/{product_id:[1-9][0-9]{0,17}}", _product),
    ]


@functools.lru_cache(maxsize=4)
def assets_of(folder: Path, written: tuple[tuple[str, int], ...]) -> "Assets":
    """Return the files of `folder` as they were `written`; several applications share them."""
    return Assets(folder)


class Assets:
    """The files of the client at one moment, with the page that names them."""

    def __init__(self, folder: Path) -> None:
        files = dict(_read(folder))
        style = b"\n".join(files.pop(part) for part in STYLE_PARTS)
        sprite = _sprite(files.pop(SPRITE).decode())
        modules = {name: body.decode() for name, body in files.items() if name.endswith(".js")}
        for name, source in join(ENTRY, modules).items():
            files[name] = source.encode()
        files[STYLE] = style
        self.hash = _hash_of(files)
        self.files = {
            name: make_asset(body, CONTENT_TYPES[Path(name).suffix]) for name, body in files.items()
        }
        text = (folder / "index.html").read_text(encoding="utf-8")
        text = text.replace(ASSETS, f"assets/{self.hash}")
        text = text.replace(ICONS, sprite)
        self.pages = {
            language: make_asset(
                text.replace(LANGUAGE, language).encode(), "text/html; charset=utf-8"
            )
            for language in LANGUAGES
        }


def _sprite(source: str) -> str:
    """Return the icons as a part of the page: there when its modules first draw one."""
    inner = re.sub(r"\A<svg[^>]*>|</svg>\s*\Z", "", source)
    symbols = inner.replace('<symbol id="', '<symbol id="icon-')
    return f"<svg hidden>{symbols}</svg>"


class _Client:
    """Serves the client's files, and its page."""

    def __init__(self, folder: Path, *, watch: bool) -> None:
        self._folder = folder
        self._watch = watch
        self._assets = assets_of(folder, _written(folder))
        stock = folder / SOCKETIO_CLIENT_FILE
        self._stock = (
            make_asset(stock.read_bytes(), CONTENT_TYPES[".js"]) if stock.is_file() else None
        )

    async def page(self, request: web.Request) -> web.StreamResponse:
        if self._watch:
            self._assets = assets_of(self._folder, _written(self._folder))
        headers = {
            **COMMON_HEADERS,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy(request.host),
        }
        page = self._assets.pages[preferred_language(request.headers.get("Accept-Language", ""))]
        headers["Vary"] = "Accept-Encoding, Accept-Language"
        return serve_unless_known(request, page, headers)

    async def file(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.files.get(request.match_info["name"])
        if asset is None or request.match_info["hash"] != self._assets.hash:
            raise web.HTTPNotFound
        headers = {
            **COMMON_HEADERS,
            "Cache-Control": FOR_EVER,
            "Vary": "Accept-Encoding",
            # An SVG opened by itself is a document; it gets nothing to run with.
            "Content-Security-Policy": "default-src 'none'",
        }
        return serve(request, asset, headers)

    async def worker(self, request: web.Request) -> web.StreamResponse:
        """Serve the worker for pushes: beside the page, so that it may act for all of it."""
        headers = {
            **COMMON_HEADERS,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": "default-src 'none'",
        }
        return serve(request, self._assets.files[WORKER], headers)

    async def stock_client(self, request: web.Request) -> web.StreamResponse:
        headers = {**COMMON_HEADERS, "Cache-Control": "no-cache"}
        if self._stock is None:
            return web.Response(status=404, text=SOCKETIO_CLIENT_HINT, headers=headers)
        # A page of another origin may load it, as it may from Socket.IO's own server.
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        headers["Vary"] = "Accept-Encoding"
        return serve(request, self._stock, headers)


def preferred_language(accepted: str) -> str:
    """Return the page's language that an `Accept-Language` wants most; the first for others."""
    wanted = []
    for part in accepted.lower().split(","):
        tag, _, weight = part.partition(";q=")
        language = tag.strip()[:2]
        if language in LANGUAGES:
            with suppress(ValueError):
                wanted.append((float(weight or 1), language))
    return max(wanted, key=lambda pair: pair[0], default=(0, LANGUAGES[0]))[1]


async def _order(request: web.Request) -> web.StreamResponse:
    return _redirect(f"market/orders/{request.match_info['order_id']}")


async def _product(request: web.Request) -> web.StreamResponse:
    return _redirect(f"market/{request.match_info['product_id']}")


def _redirect(place: str) -> web.Response:
    """Send the browser to a place in the page; relatively, since a proxy may add a path."""
    return web.Response(status=302, headers={**COMMON_HEADERS, "Location": f"../#/{place}"})


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in _sources(folder):
        if path.suffix in CONTENT_TYPES:
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _sources(folder: Path) -> Iterator[Path]:
    """Walk the client's own files; neither packages nor hidden files are its own."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "node_modules":
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path


def _written(folder: Path) -> tuple[tuple[str, int], ...]:
    return tuple((str(path), path.stat().st_mtime_ns) for path in _sources(folder))


def _hash_of(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()[:16]


def policy(host: str) -> str:
    """Write the page's Content-Security-Policy.

    WebSocket origins are spelled out because Safari before 15.4 does not let `'self'` cover them.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self'{sockets}",
            # Attachments need the caller's token, so they are fetched and shown as blobs.
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            # The page builds nodes, never markup: no string reaches an HTML or script sink.
            "require-trusted-types-for 'script'",
            # The one exception is the address of the worker that shows pushes (lib/push.js).
            "trusted-types push-worker",
        )
    )

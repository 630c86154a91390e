"""`/admin`: the operators' page, under a strict Content-Security-Policy.

It is a client of `app.admin.routes` like any other; without an operator's token it shows nothing.
Colours and sizes are the web client's own file. Its files are named relatively, so it works below a
path of its own.
"""

from pathlib import Path

from aiohttp import web

from app.http.assets import Asset, make_asset, serve_unless_known
from app.web import COMMON_HEADERS, WEB

ASSETS = Path(__file__).parent / "assets"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    **COMMON_HEADERS,
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_CSS, _SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"


class AdminPage:
    """Serves the page and its files, read once."""

    def __init__(self) -> None:
        style = (WEB / "style" / "tokens.css").read_bytes() + (ASSETS / "style.css").read_bytes()
        self._page = make_asset((ASSETS / "index.html").read_bytes(), "text/html; charset=utf-8")
        self._files: dict[str, Asset] = {"style.css": make_asset(style, _CSS)}
        for name in ("admin.js", "en.js", "vi.js"):
            self._files[name] = make_asset((ASSETS / name).read_bytes(), _SCRIPT)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/admin", self.page), web.get("/admin/{name}", self.file)]

    async def page(self, request: web.Request) -> web.Response:
        """The operators' page."""
        return serve_unless_known(request, self._page, HEADERS)

    async def file(self, request: web.Request) -> web.Response:
        """A file of the operators' page."""
        asset = self._files.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(reason="There is no such file")
        return serve_unless_known(request, asset, HEADERS)

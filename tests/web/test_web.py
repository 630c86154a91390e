"""The page and its files as the server sends them."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from app.web import (
    PLACEHOLDER,
    SOCKETIO_CLIENT_CDN,
    SOCKETIO_CLIENT_FILE,
    SOCKETIO_CLIENT_INTEGRITY,
    SOCKETIO_CLIENT_VERSION,
    WEB,
    policy,
    routes,
)

Client = TestClient[web.Request, web.Application]
Serve = Callable[[Path], Awaitable[Client]]

MODULES = sorted(path.name for path in WEB.glob("*.js"))
INSTALLED = WEB / SOCKETIO_CLIENT_FILE
needs_client = pytest.mark.skipif(
    not INSTALLED.is_file(), reason="socket.io-client is not installed: run `npm ci` in web/"
)


class Markup(HTMLParser):
    """What a page's markup holds: its elements with their attributes, and text in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.script_text = ""
        self._in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.script_text += data

    def scripts(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == "script"]


@pytest.fixture
def serve(aiohttp_client: Any) -> Serve:
    async def serve(folder: Path) -> Client:
        app = web.Application()
        app.add_routes(routes(folder))
        client: Client = await aiohttp_client(app)
        return client

    return serve


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve(WEB)


@pytest.fixture
def bare_folder(tmp_path: Path) -> Path:
    """The client's folder as it is cloned, without what npm installs."""
    ignore = shutil.ignore_patterns("node_modules")
    return Path(shutil.copytree(WEB, tmp_path / "web", ignore=ignore))


@pytest.fixture
def installed_folder(bare_folder: Path) -> Path:
    """The client's folder with a socket.io-client in it."""
    file = bare_folder / SOCKETIO_CLIENT_FILE
    file.parent.mkdir(parents=True)
    file.write_text("window.io = {};", encoding="utf-8")
    (file.parent.parent / "package.json").write_text("{}", encoding="utf-8")
    return bare_folder


def directives(response: Any) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in policy_of(response).split(";"))
    return {name: value for name, _, value in pairs}


def policy_of(response: Any) -> str:
    return str(response.headers["Content-Security-Policy"])


async def test_page_comes_with_strict_headers(client: Client) -> None:
    """The page forbids everything but its own files and connections, and being framed."""
    response = await client.get("/")
    assert response.status == 200
    assert response.content_type == "text/html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    host = f"{client.host}:{client.port}"
    expected = {
        "default-src": "'none'",
        "style-src": "'self'",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert directives(response) | expected == directives(response)
    assert directives(response)["script-src"].startswith("'self'")
    assert "unsafe" not in policy_of(response)


async def test_page_has_nothing_inline(client: Client) -> None:
    """No script, style or event handler stands in the markup itself."""
    markup = Markup(await (await client.get("/")).text())
    assert len(markup.scripts()) == 2
    assert all(script.get("src") for script in markup.scripts())
    assert markup.script_text.strip() == ""
    for tag, attributes in markup.elements:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert not any("javascript:" in (value or "") for value in attributes.values())


@pytest.mark.parametrize("host", ["a.example; script-src *", "a.example b.example", "[::1]:8080"])
def test_unusual_host_stays_out_of_the_policy(host: str) -> None:
    """A Host header that is no plain name and port adds nothing to the policy."""
    assert "connect-src 'self';" in policy(host, "'self'")
    assert host not in policy(host, "'self'")


async def test_unchanged_page_is_not_sent_again(client: Client) -> None:
    """A browser that has the page gets 304 with the same policy."""
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert policy_of(again) == policy_of(first)
    other = await client.get("/", headers={"If-None-Match": '"other"'})
    assert other.status == 200


@pytest.mark.parametrize(
    ("name", "content_type"),
    [(name, "text/javascript") for name in MODULES]
    + [("style.css", "text/css"), ("icon.svg", "image/svg+xml")],
)
async def test_files_are_served(client: Client, name: str, content_type: str) -> None:
    """Modules, styles and icon come whole, typed, never sniffed, and revalidated by ETag."""
    response = await client.get(f"/web/{name}")
    assert response.status == 200
    assert response.content_type == content_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-cache"
    assert await response.read() == (WEB / name).read_bytes()
    again = await client.get(f"/web/{name}", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    "target",
    [
        "/web",
        "/web/",
        "/web/index.html",
        "/web/package.json",
        "/web/package-lock.json",
        "/web/.npmrc",
        "/web/node_modules",
        "/web/node_modules/socket.io-client/package.json",
        "/web/../app/web.py",
        "/web/..%2fapp%2fweb.py",
        "/web/%2e%2e/app/web.py",
        "/web/..%5capp%5cweb.py",
        "/web//etc/passwd",
        "/web/%2fetc%2fpasswd",
        "/web/main.js%00.css",
        "/web/main.js/",
        "/vendor/",
        "/vendor/..%2fpackage.json",
        "/vendor/../package.json",
        "/vendor/socket.io.js",
    ],
)
async def test_nothing_else_is_served(serve: Serve, installed_folder: Path, target: str) -> None:
    """Only the files of the client have an address: no listing, no packages, no way out."""
    client = await serve(installed_folder)
    # Written by hand: an HTTP client would tidy the path before it is sent.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert int(answer.split()[1]) in (400, 404)


async def test_installed_client_is_served_from_here(serve: Serve, installed_folder: Path) -> None:
    """With socket.io-client installed, the page loads nothing from elsewhere."""
    client = await serve(installed_folder)
    response = await client.get("/")
    first, main = Markup(await response.text()).scripts()
    assert first == {"defer": None, "src": "/vendor/socket.io.min.js"}
    assert main == {"type": "module", "src": "/web/main.js"}
    assert directives(response)["script-src"] == "'self'"
    script = await client.get("/vendor/socket.io.min.js")
    assert script.content_type == "text/javascript"
    assert await script.text() == "window.io = {};"


async def test_missing_client_comes_from_a_pinned_address(serve: Serve, bare_folder: Path) -> None:
    """Without it, the page names one exact file elsewhere, held to its hash."""
    client = await serve(bare_folder)
    response = await client.get("/")
    text = await response.text()
    assert PLACEHOLDER not in text
    assert Markup(text).scripts()[0] == {
        "defer": None,
        "src": SOCKETIO_CLIENT_CDN,
        "integrity": SOCKETIO_CLIENT_INTEGRITY,
        "crossorigin": "anonymous",
    }
    assert directives(response)["script-src"] == f"'self' {SOCKETIO_CLIENT_CDN}"
    assert (await client.get("/vendor/socket.io.min.js")).status == 404


def test_pinned_address_is_that_of_the_locked_version() -> None:
    """package.json, the lock and the address name one version, and the lock no registry."""
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    locked = lock["packages"]["node_modules/socket.io-client"]
    assert locked["version"] == SOCKETIO_CLIENT_VERSION
    assert package["dependencies"] == {"socket.io-client": SOCKETIO_CLIENT_VERSION}
    assert f"@{SOCKETIO_CLIENT_VERSION}/" in SOCKETIO_CLIENT_CDN
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]


@needs_client
def test_integrity_is_the_hash_of_the_installed_file() -> None:
    """The hash in the page is that of the package's own file."""
    digest = base64.b64encode(hashlib.sha384(INSTALLED.read_bytes()).digest()).decode()
    assert f"sha384-{digest}" == SOCKETIO_CLIENT_INTEGRITY


def test_template_has_one_placeholder() -> None:
    """There is exactly one place where the script tag goes."""
    assert (WEB / "index.html").read_text(encoding="utf-8").count(PLACEHOLDER) == 1


@pytest.mark.parametrize("name", MODULES)
def test_modules_fit_the_page_and_each_other(name: str) -> None:
    """Every import names a module that is served, every id an element of the page."""
    source = (WEB / name).read_text(encoding="utf-8")
    imported = re.findall(r'from "\./([^"]+)"', source)
    assert set(imported) <= set(MODULES)
    assert len(imported) == len(re.findall(r"^import ", source, re.MULTILINE))
    markup = Markup((WEB / "index.html").read_text(encoding="utf-8"))
    ids = {attributes["id"] for _, attributes in markup.elements if "id" in attributes}
    assert set(re.findall(r'byId\("([^"]+)"\)', source)) <= ids


@pytest.mark.parametrize("name", MODULES)
def test_modules_never_make_markup_of_text(name: str) -> None:
    """No module uses a way to turn a string into markup or code."""
    source = (WEB / name).read_text(encoding="utf-8")
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|eval\(|new Function"
    assert re.findall(sinks, source) == []


def test_every_label_and_description_has_its_element() -> None:
    """Ids that labels, descriptions and titles refer to exist, and every field has a label."""
    elements = Markup((WEB / "index.html").read_text(encoding="utf-8")).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for tag, attributes in elements if tag == "label"}
    fields = {
        attributes.get("id")
        for tag, attributes in elements
        if tag in ("input", "select", "textarea")
    }
    assert fields == labelled
    for _, attributes in elements:
        for name in ("aria-describedby", "aria-labelledby"):
            assert set((attributes.get(name) or "").split()) <= set(ids)

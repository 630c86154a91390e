"""The page and its files as the server sends them."""

import asyncio
import gzip
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

from app.http.assets import accepts_gzip
from app.web import (
    ENTRY,
    FOR_EVER,
    SOCKETIO_CLIENT_FILE,
    SOCKETIO_CLIENT_PATH,
    STYLE,
    WEB,
    Assets,
    policy,
    preferred_language,
    routes,
)

Client = TestClient[web.Request, web.Application]
Serve = Callable[[Path], Awaitable[Client]]

SOURCES = [path for path in sorted(WEB.rglob("*")) if "node_modules" not in path.parts]
MODULES = [path for path in SOURCES if path.suffix == ".js"]
NAMES = [path.relative_to(WEB).as_posix() for path in MODULES]
SCREENS = sorted(path.parent for path in MODULES if path.name == "en.js")
LANGUAGE_FILES = {"en.js", "vi.js"}


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


def links(page: str) -> dict[str, list[str]]:
    """Addresses that the page names, by what they are."""
    found: dict[str, list[str]] = {}
    for tag, attributes in Markup(page).elements:
        if tag == "link":
            found.setdefault(attributes["rel"] or "", []).append(attributes["href"] or "")
        elif tag == "script":
            found.setdefault("script", []).append(attributes["src"] or "")
    return found


async def test_page_comes_with_strict_headers(client: Client) -> None:
    """The page forbids everything but its own files and connections, and being framed."""
    response = await client.get("/")
    assert response.status == 200
    assert response.content_type == "text/html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    host = f"{client.host}:{client.port}"
    assert directives(response) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "push-worker",
    }


async def test_page_has_nothing_inline(client: Client) -> None:
    """No script, style or event handler stands in the markup itself."""
    markup = Markup(await (await client.get("/")).text())
    assert len(markup.scripts()) == 1
    assert all(script.get("src") for script in markup.scripts())
    assert markup.script_text.strip() == ""
    for tag, attributes in markup.elements:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert not any("javascript:" in (value or "") for value in attributes.values())


async def test_page_names_its_own_files_relatively(client: Client) -> None:
    """Every address in the page is relative, under one hash, and there: no other host is asked."""
    named = links(await (await client.get("/")).text())
    addresses = [address for addresses in named.values() for address in addresses]
    assert {re.fullmatch(r"assets/([0-9a-f]{16})/.+", address)[1] for address in addresses} == {
        Assets(WEB).hash
    }
    for address in addresses:
        assert (await client.get(f"/{address}")).status == 200


async def test_page_asks_at_once_for_the_words_it_will_show(client: Client) -> None:
    """The reader's language is asked for with the page, and not after its modules have run."""
    for accepted, language in (("vi-VN, en;q=0.5", "vi"), ("fr, en;q=0.5", "en"), ("", "en")):
        response = await client.get("/", headers={"Accept-Language": accepted})
        named = links(await response.text())["modulepreload"]
        assert [address.split("/", 2)[2] for address in named] == [
            f"i18n/{language}.js",
            f"screens/welcome/{language}.js",
        ]
        assert "Accept-Language" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("vi", "vi"),
        ("en;q=0.4, VI-vn;q=0.6", "vi"),
        ("en, vi", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("vi;q=x", "en"),
    ],
)
def test_language_is_negotiated(accepted: str, language: str) -> None:
    """The one that is wanted most, of those there are."""
    assert preferred_language(accepted) == language


@pytest.mark.parametrize("host", ["a.example; script-src *", "a.example b.example", "[::1]:8080"])
def test_unusual_host_stays_out_of_the_policy(host: str) -> None:
    """A Host header that is no plain name and port adds nothing to the policy."""
    assert "connect-src 'self';" in policy(host)
    assert host not in policy(host)


async def test_unchanged_page_is_not_sent_again(client: Client) -> None:
    """A browser that has the page gets 304 with the same policy."""
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert policy_of(again) == policy_of(first)
    other = await client.get("/", headers={"If-None-Match": '"other"'})
    assert other.status == 200


async def test_files_are_served_for_ever(client: Client) -> None:
    """Modules, styles and pictures come whole, typed, never sniffed, and are kept for ever."""
    assets = Assets(WEB)
    styles = {path.relative_to(WEB).as_posix() for path in SOURCES if path.suffix == ".css"}
    first = {name for name in styles if name.startswith(("style/", "screens/welcome/"))}
    assert set(assets.files) == {*NAMES, *styles - first, STYLE, "icon.svg"}
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name in assets.files:
        response = await client.get(f"/assets/{assets.hash}/{name}")
        assert response.status == 200
        assert response.content_type == types[Path(name).suffix]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == FOR_EVER
        assert response.headers["Vary"] == "Accept-Encoding"
        if name.endswith(("en.js", "vi.js", ".svg")):
            assert await response.read() == (WEB / name).read_bytes()


async def test_icons_come_with_the_page(client: Client) -> None:
    """Every icon is a symbol in the page, under a name that no other element has."""
    elements = Markup(await (await client.get("/")).text()).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    source = (WEB / "icons.svg").read_text(encoding="utf-8")
    icons = [attributes["id"] for tag, attributes in elements if tag == "symbol"]
    assert icons == [f"icon-{name}" for name in re.findall(r'<symbol id="([^"]+)"', source)]


async def test_style_is_one_file(client: Client) -> None:
    """Tokens come before what uses them, in one request."""
    text = await (await client.get(f"/assets/{Assets(WEB).hash}/{STYLE}")).text()
    names = ("style/tokens", "style/base", "style/parts", "screens/welcome/style")
    parts = [(WEB / f"{name}.css").read_text("utf-8") for name in names]
    assert text == "\n".join(parts)


async def test_files_are_compressed_for_who_takes_it(client: Client) -> None:
    """gzip where it is accepted, the file itself elsewhere."""
    address = f"/assets/{Assets(WEB).hash}/{ENTRY}"
    async with client.get(address, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        length = int(packed.headers["Content-Length"])
    async with client.get(address, headers={"Accept-Encoding": "identity"}) as plain:
        assert "Content-Encoding" not in plain.headers
        body = await plain.read()
    assert length == len(gzip.compress(body, 9, mtime=0)) < len(body) / 2


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("br", False),
        ("", False),
    ],
)
def test_encoding_is_negotiated(accepted: str, taken: bool) -> None:
    """RFC 9110: a weight of 0 refuses, `*` stands for what is not named."""
    assert accepts_gzip(accepted) is taken


@pytest.mark.parametrize(
    "target",
    [
        "/assets",
        "/assets/",
        "/assets/{hash}",
        "/assets/{hash}/",
        "/assets/0000000000000000/app.js",
        "/assets/{hash}/index.html",
        "/assets/{hash}/package.json",
        "/assets/{hash}/package-lock.json",
        "/assets/{hash}/README%2Emd",
        "/assets/{hash}/.npmrc",
        "/assets/{hash}/node_modules",
        "/assets/{hash}/node_modules/socket.io-client/dist/socket.io.js",
        "/assets/{hash}/../app/web.py",
        "/assets/{hash}/..%2f..%2fapp%2fweb.py",
        "/assets/{hash}/%2e%2e/app/web.py",
        "/assets/{hash}/..%5capp%5cweb.py",
        "/assets/{hash}//etc/passwd",
        "/assets/{hash}/%2fetc%2fpasswd",
        "/assets/{hash}/app.js%00.css",
        "/assets/{hash}/app.js/",
        "/socket.io/socket.io.js/",
        "/socket.io/package.json",
        "/web/app.js",
    ],
)
async def test_nothing_else_is_served(serve: Serve, installed_folder: Path, target: str) -> None:
    """Only the files of the client have an address: no listing, no packages, no way out."""
    client = await serve(installed_folder)
    target = target.replace("{hash}", Assets(installed_folder).hash)
    # Written by hand: an HTTP client would tidy the path before it is sent.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert int(answer.split()[1]) in (400, 404)


async def test_changed_files_have_new_addresses(bare_folder: Path, aiohttp_client: Any) -> None:
    """In development, loading the page again shows a change of its files."""
    app = web.Application()
    app.add_routes(routes(bare_folder, watch=True))
    client: Client = await aiohttp_client(app)
    before = links(await (await client.get("/")).text())["script"]
    source = bare_folder / ENTRY
    source.write_text(source.read_text("utf-8") + "// Changed.\n", encoding="utf-8")
    after = links(await (await client.get("/")).text())["script"]
    assert after != before
    assert "// Changed." in await (await client.get(f"/{after[0]}")).text()


async def test_worker_is_beside_the_page(client: Client) -> None:
    """From there it may act for the whole page; it is asked for anew when it has changed."""
    response = await client.get("/service-worker.js")
    assert response.content_type == "text/javascript"
    assert response.headers["Cache-Control"] == "no-cache"
    assert await response.read() == (WEB / "service-worker.js").read_bytes()


async def test_installed_client_is_served(serve: Serve, installed_folder: Path) -> None:
    """The stock client is where tutorials look for it, also for pages of other origins."""
    client = await serve(installed_folder)
    response = await client.get(SOCKETIO_CLIENT_PATH)
    assert response.content_type == "text/javascript"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert await response.text() == "window.io = {};"


async def test_missing_client_says_how_to_get_it(serve: Serve, bare_folder: Path) -> None:
    """Without npm the page is the same, and the stock client's address says what to do."""
    client = await serve(bare_folder)
    response = await client.get(SOCKETIO_CLIENT_PATH)
    assert response.status == 404
    assert "npm ci" in await response.text()
    assert (await client.get("/")).status == 200


@pytest.mark.parametrize(
    ("link", "place"),
    [("/orders/12", "market/orders/12"), ("/products/7", "market/7")],
)
async def test_links_of_notifications_lead_into_the_page(
    client: Client, link: str, place: str
) -> None:
    """They redirect relatively: behind a proxy that adds a path they stay beneath it."""
    response = await client.get(link, allow_redirects=False)
    assert response.status == 302
    assert response.headers["Location"] == f"../#/{place}"


def test_lock_names_no_registry() -> None:
    """What npm installs is pinned, and comes from the registry that npm is set to."""
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    for name, version in {**package["dependencies"], **package.get("devDependencies", {})}.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_imports_are_there(path: Path) -> None:
    """Every import names a module that is served, with a name that it exports."""
    source = path.read_text(encoding="utf-8")
    pattern = r"^(?:import|export)\b([^;]*?)\bfrom \"([^\"]+)\";"
    for names, target in re.findall(pattern, source, re.MULTILINE):
        module = (path.parent / target).resolve()
        assert module in MODULES, target
        exported = module.read_text(encoding="utf-8")
        for name in re.findall(r"(\w+)(?: as \w+)?,?", names.partition("{")[2].partition("}")[0]):
            if name not in ("as",):
                assert re.search(
                    rf"^export (?:async )?(?:function|const|let|class) {name}\b"
                    rf"|^export \{{[^}}]*\b{name}\b",
                    exported,
                    re.MULTILINE,
                ), f"{target} has no {name}"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_never_make_markup_of_text(path: Path) -> None:
    """No module uses a way to turn a string into markup or code."""
    source = path.read_text(encoding="utf-8")
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|eval\(|new Function"
    assert re.findall(sinks, source) == []


def catalogue(path: Path) -> dict[str, set[str]]:
    """Read a catalogue: its keys, and the placeholders of each."""
    source = path.read_text(encoding="utf-8")
    entries = re.findall(r'^  "([^"]+)":((?:.|\n)*?),\n(?=\s*"|\};)', source, re.MULTILINE)
    assert len(entries) == len(re.findall(r'^  "[^"]+":', source, re.MULTILINE))
    assert len({key for key, _ in entries}) == len(entries), "a key stands twice"
    return {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in entries}


@pytest.mark.parametrize("folder", SCREENS, ids=lambda path: path.name)
def test_languages_say_the_same(folder: Path) -> None:
    """Each text is there in both languages, with the same placeholders."""
    assert catalogue(folder / "en.js") == catalogue(folder / "vi.js")


@pytest.mark.parametrize("folder", SCREENS, ids=lambda path: path.name)
def test_words_are_there(folder: Path) -> None:
    """Every key that a module names has a text, in its own catalogue or the shared one."""
    known = {*catalogue(WEB / "i18n" / "en.js"), *catalogue(folder / "en.js")}
    modules = [
        path for path in MODULES if path.parent == folder and path.name not in LANGUAGE_FILES
    ]
    if folder.name == "i18n":
        modules = [WEB / ENTRY, *WEB.glob("lib/*.js")]
    for path in modules:
        keys = re.findall(r'(?<![\w$])(?:ctx\.)?t\("([^"]+)"', path.read_text(encoding="utf-8"))
        assert {key for key in keys if key not in known} == set(), path.name


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_icons_are_there(path: Path) -> None:
    """Every icon that a module names is in the sprite."""
    sprite = (WEB / "icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    named = re.findall(r'\bicon(?:\(|: )"([^"]+)"', path.read_text(encoding="utf-8"))
    assert set(named) <= known

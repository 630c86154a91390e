"""What stands beside the server: nginx in front of it, the image, the platform's files."""

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
from asyncio.subprocess import PIPE

import pytest
import socketio
from aiohttp import ClientError, ClientSession, FormData

from app.logs import JSON, configure
from app.settings import Limits, read_environment
from tests.live import PATIENCE_S, Doors
from tests.media_files import png
from tests.programs import START_S, free_port
from tests.test_imports import ROOT

NGINX = ROOT / "docs" / "operations" / "nginx"
OPERATIONS = ROOT / "docs" / "operations"
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")

MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstream.conf;
    include {folder}/site.conf;
}}
"""


@pytest.fixture
async def nginx(tmp_path):
    """Start nginx with the documented files in front of a URL; returns its own, and its folder."""
    processes = []

    async def start(*urls):
        folder, port = tmp_path / "nginx", free_port()
        folder.mkdir()
        servers = "".join(f"    server {url.removeprefix('http://')};\n" for url in urls)
        upstream = (NGINX / "upstream.conf").read_text()
        (folder / "upstream.conf").write_text(
            re.sub(r"(    server [\d.:]+;\n)+", servers, upstream)
        )
        site = (NGINX / "site.conf").read_text()
        site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
        site = site.replace("/var/log/nginx/", f"{folder}/")
        (folder / "site.conf").write_text(site)
        # Includes are relative to where nginx.conf is.
        (folder / "proxy.conf").write_text((NGINX / "proxy.conf").read_text())
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        command = ("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
        process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
        processes.append(process)
        async with asyncio.timeout(START_S):
            while True:
                assert process.returncode is None, (await process.stderr.read()).decode()
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return f"http://127.0.0.1:{port}", folder

    yield start
    for process in processes:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE_S)


@pytest.fixture
async def behind(serve, nginx, listening):
    """A server as behind a proxy of its own, and doors through nginx."""
    server = await serve(trusted_proxies=1, log_client_addresses=True)
    url, folder = await nginx(server.url)
    doors = Doors(url, listening.stack, listening.http)
    return server, doors, folder


@needs_nginx
@pytest.mark.parametrize("path", ["", "/realtime"])
async def test_requests_pass_nginx(behind, path):
    """At the root, and below a path of its own."""
    server, doors, _ = behind
    assert await doors.call(None, "GET", f"{path}/ready") == (200, {"status": "ready"})
    token = await server.token("ann")
    status, story = await doors.call(
        token, "POST", f"{path}/stories", {"text": "hi", "visibility": "PUBLIC"}
    )
    assert (status, story["text"]) == (201, "hi")


@needs_nginx
@pytest.mark.parametrize("path", ["", "/realtime"])
async def test_raw_websockets_pass_nginx(behind, path):
    """Both ways, and with the close code of the server."""
    server, doors, _ = behind
    client = await doors.open_at(f"{path}/ws?token={await server.token('ann')}")
    assert (await client.frame())["type"] == "connected"
    assert (await client.ask({"type": "ping"}))["type"] == "pong"
    account = await server.account("ann")
    await server.accounts.disable(account.id)
    refused = await doors.open_at(f"{path}/api/v1/ws/{account.id}?token=x")
    assert await refused.closed() == 4001


@needs_nginx
@pytest.mark.parametrize("path", ["", "/realtime"])
@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
async def test_socketio_passes_nginx(behind, path, transports):
    """By every transport, and while it changes from one to the other; events come at once."""
    server, doors, _ = behind
    token = await server.token("ann")
    heard = asyncio.Queue()
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    client.on("story.created", heard.put_nowait, namespace="/stories")
    try:
        await client.connect(
            doors.url,
            auth={"token": token, "recovery": False},
            namespaces=["/stories"],
            transports=transports,
            socketio_path=f"{path}/socket.io",
            wait_timeout=PATIENCE_S,
        )
        story_id = await server.story(await server.token("bob"))
        event = await asyncio.wait_for(heard.get(), PATIENCE_S)
        assert event["id"] == story_id
        answer = await client.call("list_stories", {}, "/stories", timeout=PATIENCE_S)
        assert answer["data"]["items"][0]["id"] == story_id
    finally:
        await client.shutdown()


@needs_nginx
@pytest.mark.parametrize("path", ["/", "/realtime/"])
async def test_the_page_works_where_it_is(behind, path):
    """Its files are named relatively, so they are found below any path."""
    _, doors, _ = behind
    async with ClientSession() as http:
        async with http.get(doors.url + path) as answer:
            page = await answer.text()
        for file in re.findall(r'(?:href|src)="(assets/[^"]+)"', page):
            async with http.get(f"{doors.url}{path}{file}") as answer:
                assert answer.status == 200, file


@needs_nginx
async def test_the_server_sees_who_asks(behind, logging_as_it_was, tmp_path):
    """The client's address and nginx's request id are in its log, whatever the client claims."""
    _, doors, folder = behind
    with (tmp_path / "log").open("w+") as out:
        configure("INFO", stream=out, form=JSON)
        forged = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "0123456789abcdef"}
        async with doors._http.get(f"{doors.url}/live", headers=forged) as answer:
            request_id = answer.headers["X-Request-Id"]
        out.seek(0)
        (line,) = [line for line in map(json.loads, out) if line.get("path") == "/live"]
    assert line["address"] == "127.0.0.1"
    assert line["id"] == request_id != "0123456789abcdef"
    logged = (folder / "realtime.log").read_text()
    assert request_id in logged


@needs_nginx
async def test_nginx_logs_no_token(behind):
    """Raw WebSockets have theirs in the query string, which no log has."""
    server, doors, folder = behind
    token = await server.token("ann")
    client = await doors.open_at(f"/ws?token={token}")
    await client.frame()
    await client.socket.close()
    async with asyncio.timeout(PATIENCE_S):
        while "/ws" not in (log := (folder / "realtime.log").read_text()):
            await doors.call(None, "GET", "/live")
    assert token not in log
    assert "token=" not in log
    assert token not in (folder / "error.log").read_text()


@needs_nginx
async def test_the_largest_upload_passes_nginx(behind):
    """nginx refuses nothing that the server would take."""
    server, doors, _ = behind
    picture = png()
    content = picture + bytes(Limits().upload_bytes - len(picture) - 1)
    form = FormData()
    form.add_field(
        "file", io.BytesIO(content), filename="a.bin", content_type="application/octet-stream"
    )
    headers = {"Authorization": f"Bearer {await server.token('ann')}"}
    async with doors._http.post(
        f"{doors.url}/api/v1/uploads", data=form, headers=headers
    ) as answer:
        # The server's own answer, whichever it is: nginx's has no problem document.
        assert answer.content_type in ("application/json", "application/problem+json")


@needs_nginx
async def test_two_processes_share_one_nginx(serve, nginx, listening):
    """A client on long-polling stays with the process that has its session."""
    servers = [await serve(trusted_proxies=1) for _ in range(2)]
    url, _ = await nginx(*(server.url for server in servers))
    doors = Doors(url, listening.stack, listening.http)
    token = await servers[0].token("ann")
    for _ in range(3):
        client = await doors.socketio(token, transports=("polling",))
        assert "data" in await client.call("list_stories", {})


# The platform, the image and the unit.


def test_the_platform_finds_python_alone():
    """No file in the root makes a buildpack of another language or tool come first."""
    names = {path.name for path in ROOT.iterdir()}
    assert {"requirements.txt", ".python-version", "Procfile", "app.json"} <= names
    assert not names & {"package.json", "Pipfile", "poetry.lock", "uv.lock", "Gemfile", "go.mod"}


def test_the_platform_needs_no_redis():
    """One process does without; what is required has no default here."""
    app = json.loads((ROOT / "app.json").read_text())
    env = app["env"]
    assert env["REDIS_URL"]["required"] is False
    assert env["MONGODB_URI"]["required"] is True
    assert env["JWT_SECRET"]["generator"] == "secret"
    assert "addons" not in app


def settings_of(text):
    return set(re.findall(r"\b([A-Z][A-Z_]+[A-Z])(?==|:)", text))


def test_deployment_files_name_settings_that_are_there(settings):
    """A setting that is misspelt in a file would be silently ignored."""
    known = read_environment().known | {"REDIS_URL", "PYTHONUNBUFFERED", "PATH", "SIGTERM"}
    known |= {"PYTHONDONTWRITEBYTECODE", "CMD", "ALL"}
    for name in ("compose.yaml", "Dockerfile", "app.json"):
        assert settings_of((ROOT / name).read_text()) <= known, name
    unit = (OPERATIONS / "realtime@.service").read_text()
    environment = " ".join(re.findall(r"^Environment=(.*)$", unit, re.MULTILINE))
    assert settings_of(environment) <= known
    assert len(settings_of(environment)) > 4


def test_the_image_has_what_the_server_imports():
    """Every package of ours is copied, and the build sees nothing else."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE))
    assert copied == {"app", "models", "namespaces", "web"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied | {"requirements.txt"}
    assert re.search(r"^USER \d+$", dockerfile, re.MULTILINE)
    assert "HEALTHCHECK" in dockerfile


def test_compose_mounts_files_that_are_there():
    """A path that is gone would be mounted as an empty folder."""
    compose = (ROOT / "compose.yaml").read_text()
    mounted = re.findall(r"- (\./\S+?):", compose)
    assert len(mounted) == 3
    assert [path for path in mounted if not (ROOT / path).is_file()] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_understood(tmp_path):
    """systemd knows every line of it."""
    unit = (OPERATIONS / "realtime@.service").read_text()
    # Its programs and its user are not on this machine.
    unit = re.sub(r"^(ExecStart(?:Pre)?)=\S+", r"\1=/bin/true", unit, flags=re.MULTILINE)
    unit = unit.replace("User=realtime\n", "").replace("/opt/realtime", "/")
    path = tmp_path / "realtime@8080.service"
    path.write_text(unit)
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=30
    )
    said = [line for line in checked.stderr.splitlines() if path.name in line]
    assert said == []


needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")


@needs_caddy
async def test_all_passes_caddy(serve, listening, tmp_path):
    """Two processes behind the documented file: requests, the page, WebSockets, long-polling."""
    servers = [await serve(trusted_proxies=1, log_client_addresses=True) for _ in range(2)]
    port = free_port()
    caddyfile = (OPERATIONS / "Caddyfile").read_text()
    upstreams = " ".join(server.url.removeprefix("http://") for server in servers)
    caddyfile = caddyfile.replace("127.0.0.1:8080 127.0.0.1:8081", upstreams)
    caddyfile = caddyfile.replace("example.com {", f"http://127.0.0.1:{port} {{")
    path = tmp_path / "Caddyfile"
    path.write_text(f"{{\n\tadmin off\n}}\n{caddyfile}")
    caddy = await asyncio.create_subprocess_exec(
        *("caddy", "run", "--adapter", "caddyfile", "--config", str(path)),
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stderr=PIPE,
    )
    logged = asyncio.create_task(caddy.stderr.read())
    try:
        doors = Doors(f"http://127.0.0.1:{port}", listening.stack, listening.http)
        async with asyncio.timeout(START_S):
            while True:
                try:
                    if (await doors.call(None, "GET", "/ready"))[0] == 200:
                        break
                except (ClientError, ValueError):
                    assert caddy.returncode is None, (await logged).decode()
                await asyncio.sleep(0.02)
        server = servers[0]
        token = await server.token("ann")
        raw = await doors.raw(token)
        assert (await raw.ask({"type": "ping"}))["type"] == "pong"
        async with listening.http.get(f"{doors.url}/") as answer:
            assert "<html" in await answer.text()
            assert answer.headers["X-Request-Id"]
        for transports in (("polling",), ("websocket",), ("polling", "websocket")):
            client = await doors.socketio(token, transports=transports)
            assert "data" in await client.call("list_stories", {})
            await client.client.disconnect()
        await raw.socket.close()
    finally:
        if caddy.returncode is None:
            caddy.terminate()
        await asyncio.wait_for(caddy.wait(), PATIENCE_S)
    log = (await logged).decode()
    assert "/socket.io/" in log
    assert token not in log


@needs_caddy
def test_the_caddyfile_is_understood():
    """Caddy can load it."""
    path = str(OPERATIONS / "Caddyfile")
    checked = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", path],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.fault
async def test_the_procfile_starts_the_server(environment, tmp_path):
    """honcho runs the release phase, and then the web process on the platform's port."""
    port = free_port()
    chosen = {
        **environment,
        "PORT": str(port),
        "ENVIRONMENT": "production",
        "JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
        "WEB_CONCURRENCY": "2",
        "HOME": str(tmp_path),
    }
    if "MONGODB_URI" not in chosen:
        chosen["STORE"] = "embedded"
    release = await asyncio.create_subprocess_exec(
        "honcho", "start", "release", cwd=ROOT, env=chosen, stdout=PIPE
    )
    await asyncio.wait_for(release.communicate(), START_S)
    # honcho ends with the status of what it ran.
    assert release.returncode == 0
    web = await asyncio.create_subprocess_exec(
        "honcho", "start", "web", cwd=ROOT, env=chosen, stdout=PIPE
    )
    try:
        async with asyncio.timeout(START_S):
            async for line in web.stdout:
                if b"listening on" in line:
                    break
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/ready") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ready"})
    finally:
        web.terminate()
        await asyncio.wait_for(web.communicate(), PATIENCE_S)

"""No secret in any log: lines, tracebacks, and everything that a real server prints."""

import io
import json
import logging
import sys

import grpc
import grpc.aio
import pytest
from aiohttp import ClientError, ClientSession

from app.__main__ import parser
from app.logs import RedactingFormatter, configure, redact
from app.rpc.descriptors import SERVICE
from app.settings import Settings, SettingsError
from tests.app.http.raw import Raw
from tests.programs import free_port

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3MzE5In0.c2lnbmF0dXJlLXRoYXQtaXM"
OPAQUE = "q7Zk2mX9vB4nT1cR8wY5pL3sD6fG0hJ-aE_uKiOoNsQtVxM"
SERVICE_TOKEN = "a-service-token-nobody-may-see-1"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /ws/{JWT} 200",
        f"GET /ws/{JWT.replace('.', '%2E')} 200",
        f"{JWT[:30]} cut short",
        f"GET /x/{OPAQUE} 404",
        f"Authorization: Bearer {OPAQUE}",
        f"b'Authorization: bearer  {JWT}'",
        "token=hunter2&x",
        "?access_token=hunter2 HTTP/1.1",
        '{"token": "hunter2", "a": 1}',
        "{'password': 'hunter2'}",
        "password: hunter2",
        "mongodb://user:hunter2@host/db",
        "Cookie: hunter2",
        "sid=hunter2&EIO=4",
        "Bearer hunter2",
    ],
)
def test_what_looks_like_a_secret(text):
    """It is taken out wherever it stands, and what stands around it is kept."""
    redacted = redact(text)
    assert "[redacted]" in redacted
    for secret in ("hunter2", "eyJ", "c2lnbmF0dXJl", OPAQUE[:20]):
        assert secret not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "GET /stories/0f8fad5bd9cb469fa16570867728950e 200 1.2 ms",
        "gRPC is off: SERVICE_TOKEN is not set",
        "KeyError: 'a'",
        "Client connected: UserID=42, Total=3",
        'File "/srv/app/main.py", line 3, in create_app',
        "listening on 127.0.0.1 port 8080",
        "a keyboard: qwerty; monkey=1",
    ],
)
def test_what_does_not(text):
    """Ordinary lines stay as they are."""
    assert redact(text) == text


def test_whole_records_are_redacted():
    """Arguments, tracebacks and known secrets of any form included."""
    formatter = RedactingFormatter(["short one"])
    try:
        raise ValueError(f"cannot read b'GET /ws?token={OPAQUE[:8]} {JWT}' with short one")
    except ValueError:
        line = ("failed for %s", ({"token": "hunter2"},))
        record = logging.LogRecord("x", logging.ERROR, "", 0, *line, sys.exc_info())
    text = formatter.format(record)
    assert "ValueError: cannot read b'GET /ws?token=[redacted] [redacted]" in text
    for secret in ("hunter2", "eyJ", OPAQUE[:8], "short one"):
        assert secret not in text


@pytest.mark.usefixtures("logging_as_it_was")
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_libraries_log_warnings_only(level):
    """LOG_LEVEL is about our own lines: debug lines of libraries hold frames and documents."""
    out = io.StringIO()
    configure(level, stream=out)
    for name in ("app.x", "pymongo.command", "websockets.server", "engineio.server", "asyncio"):
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(number, "said")
    lines = out.getvalue().splitlines()
    ours = [line for line in lines if " app.x: " in line]
    assert len(ours) == 4 - ["DEBUG", "INFO", "WARNING", "ERROR"].index(level)
    assert not [line for line in lines if line.startswith(("DEBUG", "INFO")) and line not in ours]


def test_every_secret_setting_is_known(monkeypatch, tmp_path):
    """What `repr` leaves out of the settings, no log shows."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in ("JWT_SECRET", "SERVICE_TOKEN", "PAYMENT_WEBHOOK_SECRETS", "VAPID_PRIVATE_KEY"):
        monkeypatch.setenv(name, f"value-of-{name}")
    secrets = Settings.from_env().secrets
    assert {"value-of-JWT_SECRET", "value-of-SERVICE_TOKEN"} <= set(secrets)
    assert {"value-of-PAYMENT_WEBHOOK_SECRETS", "value-of-VAPID_PRIVATE_KEY"} <= set(secrets)
    assert not any(secret in repr(Settings.from_env()) for secret in secrets)


HEADS = [
    "GET /ws?token={0}\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ws?token={0} x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ws?token=\x01{0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ws?token={0}\r\nHost: localhost\r\n\r\n",
    "GET /ws?token={0} HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "get /ws?token={0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "{0} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET http://{0}@[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /{0}/%zz?%zz={0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /stories/{0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /api/v1/ws/{0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {0}\x01\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {0}\xff\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\t{0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {0}\n {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nExpect: {0}\r\n\r\n",
    "GET /stories HTTP/1.1\r\nHost: localhost\r\nRange: {0}\r\nIf-None-Match: {0}\r\n\r\n",
    "POST /stories HTTP/1.1\r\nHost: localhost\r\nContent-Length: {0}\r\n\r\n",
    "POST /stories HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{0}\r\n",
    "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: {0}\r\nContent-Length: 2\r\n\r\n{{}}",
    "POST /api/v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {0}\r\n"
    "Content-Type: multipart/form-data; boundary={0}\r\nContent-Length: 1\r\n\r\nx",
    "GET /ws?token={0} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {0}\r\n\r\n",
    "GET /ws?token={0} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{0}",
    "GET /socket.io/?EIO=4&transport=polling&sid={0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{0}",
    "{0}\r\n\r\n",
    "\x16\x03\x01{0}",
]
BODIES = [
    ("/login", '{{"email": "{0}", "password": "{0}"}}'),
    ("/login", '{{"email": "a@example.com", "password": "{0}", "{0}": 1}}'),
    ("/login", "{0}"),
    ("/api/v1/auth/refresh", '{{"refresh_token": "{0}"}}'),
    ("/api/v1/auth/refresh", '{{"refresh_token": ["{0}"]}}'),
    ("/api/v1/payments/webhook", "{0}"),
    ("/api/v1/notifications", '{{"user_id": "{0}"}}'),
]
FRAMES = [
    '0{{"token": "{0}"}}',
    '40/stories,{{"token": "{0}"}}',
    '40/chat,{{"token": "{0}\\ud800"}}',
    "40/{0},",
    '42/stories,["{0}",{{"token": "{0}"}}]',
    "4{0}",
    "{0}",
    '451-/chat,["{0}",{{"_placeholder":true,"num":0}}]',
]


async def attack(url: str, secret: str) -> None:
    """Send a secret in every place that comes to mind."""
    for head in HEADS:
        raw = await Raw.open(url)
        raw.writer.write(head.format(secret).encode("latin-1"))
        raw.writer.write_eof()
        await raw.ended()
        raw.drop()
    async with ClientSession() as http:
        for path, body in BODIES:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
            async with http.post(url + path, data=body.format(secret), headers=headers):
                pass
        for frame in FRAMES:
            async with http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket") as socket:
                await socket.receive_str()
                await socket.send_str('40/stories,{"token":"x"}')
                await socket.send_str(frame.format(secret))
                await socket.send_str("2probe")
        polling = f"{url}/socket.io/?EIO=4&transport=polling"
        for frame in FRAMES:
            async with http.get(polling) as response:
                sid = json.loads((await response.text())[1:])["sid"]
            async with http.post(f"{polling}&sid={sid}", data=frame.format(secret)):
                pass
        try:
            async with http.ws_connect(f"{url}/api/v1/ws/{secret}?token={secret}") as socket:
                await socket.send_str(secret)
        except ClientError:
            pass


async def call_rpc(port: int, secret: str) -> None:
    """Show a secret to the gRPC port, as a token and as a message."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for method in ("SendNotification", secret):
            for shown in (f"Bearer {secret}", secret, f"Bearer {SERVICE_TOKEN}"):
                call = channel.unary_unary(f"/{SERVICE}/{method}")
                metadata = (("authorization", shown), ("x-bin", shown.encode()))
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(secret.encode(), metadata=metadata)
    raw = await Raw.open(f"http://127.0.0.1:{port}")
    raw.writer.write(f"GET /?token={secret} HTTP/1.1\r\n\r\n".encode())
    await raw.ended()
    raw.drop()


@pytest.mark.fault
async def test_a_server_under_attack_prints_no_secret(start_server):
    """Nothing that the process prints, at DEBUG level, holds a token, whether known or not."""
    port = free_port()
    program = await start_server(
        LOG_LEVEL="DEBUG", SERVICE_TOKEN=SERVICE_TOKEN, GRPC_PORT=str(port), PYTHONDEVMODE="1"
    )
    for secret in (JWT, OPAQUE, SERVICE_TOKEN):
        await attack(program.doors.url, secret)
        await call_rpc(port, secret)
    status, health = await program.doors.call(None, "GET", "/health")
    assert (status, health["status"]) == (200, "healthy")
    assert await program.stop() == 0
    printed = "\n".join(program.lines)
    assert len(program.lines) > 100
    for secret in (JWT, OPAQUE, SERVICE_TOKEN):
        for part in (secret, secret[:24], secret[-16:], secret.upper()):
            assert part not in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "a@example.com", JWT),
        ("token", "a@example.com", "--password", "hunter2"),
        ("--password=hunter2",),
        (JWT,),
        ("users", OPAQUE),
        ("users", "add", "--password-stdin=hunter2", "a@example.com"),
    ],
)
def test_commands_do_not_repeat_secrets(capsys, arguments):
    """What is not understood is said without quoting it."""
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    printed = capsys.readouterr()
    assert " error: " in printed.err
    for secret in ("hunter2", "eyJ", OPAQUE):
        assert secret not in printed.out + printed.err


async def test_a_command_for_no_account(settings, store, capsys):
    """A token in the place of an account is not printed."""
    arguments = parser().parse_args(["token", JWT])
    assert await arguments.run(settings, arguments) == 1
    assert "There is no account" in (printed := capsys.readouterr().err)
    assert "eyJ" not in printed


@pytest.mark.parametrize(
    "variable",
    [
        "PORT",
        "ENVIRONMENT",
        "LEGACY_PORTS",
        "LOG_LEVEL",
        "PING_INTERVAL_S",
        "LIMIT_REQUEST_BYTES",
        "PAYMENT_PROVIDER",
        "LLM_URL",
        "MEMORY_BUDGET_MB",
    ],
)
def test_settings_errors_do_not_repeat_values(monkeypatch, tmp_path, variable):
    """A secret in the wrong variable is not printed."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv(variable, "mongodb://a:hunter2@:x/?y=z")
    with pytest.raises(SettingsError, match=variable) as refused:
        Settings.from_env()
    assert "hunter2" not in str(refused.value)

"""Run the server: listen, say what to open, and stop in good order on a signal."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from app.main import create_app
from app.notifying import NOTIFICATIONS
from app.rest.notifications import SERVICE_TOKEN
from app.rpc.server import start_rpc
from app.settings import Settings

logger = logging.getLogger(__name__)

SHUTDOWN_S = 1.5
"""For requests under way, and once more for those that do not heed their cancelling; together with
farewells it stays within the 5 s that operators expect."""

_WELCOME = """\
Ready: {url}

  {url}/            the browser client: sign up, connect, watch every frame
  {url}/health      is it well, and how many are connected

A token:  {python} -m app demo     once, for example accounts
          curl -X POST {url}/login -H "Content-Type: application/json" \\
               -d '{{"email":"test@example.com","password":"password123"}}'
     or:  {python} -m app token test@example.com

Connect:  Socket.IO  io("{url}/stories", {{auth: {{token}}}})
          WebSocket  {ws_url}/ws?token=YOUR_JWT_TOKEN

Development mode: data in {data_dir}, reached from {reach}.
Accepted: our own tokens{firebase}; for chat also a User-Email header or a Vietnamese phone
number as the token, for the diary's WebSocket the user in its path, which prove nothing.
Other services may notify users {services}.
"""


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        _on_signal(number, stop.set)
    app = await create_app(settings)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=settings.limits.idle_connection_s,
    )
    rpc = None
    try:
        await runner.setup()
        rpc = await start_rpc(settings, app[NOTIFICATIONS], app[SERVICE_TOKEN])
        for port in dict.fromkeys((settings.port, *settings.legacy_ports)):
            # A platform's router keeps connections open; the backlog takes a burst of new ones.
            await web.TCPSite(runner, settings.host, port, backlog=2048).start()
            logger.info("listening on %s port %d", settings.host, port)
        if settings.development:
            sys.stdout.write(welcome(settings, grpc=rpc is not None))
            sys.stdout.flush()
        await stop.wait()
        logger.info("stopping")
    finally:
        if rpc is not None:
            await rpc.stop()
        await runner.cleanup()
    logger.info("stopped")


def _on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:
        # Windows: its event loops take signals the plain way only.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))


def welcome(settings: Settings, *, grpc: bool = False) -> str:
    """Say what to open and how to get a token; `grpc`: whether its port is open."""
    loopback = settings.host in ("127.0.0.1", "::1", "localhost")
    return _WELCOME.format(
        python=_python(),
        url=f"http://localhost:{settings.port}",
        ws_url=f"ws://localhost:{settings.port}",
        data_dir="MongoDB" if settings.mongodb_uri else settings.data_dir,
        reach="this machine only" if loopback else f"{settings.host}, other machines included",
        firebase=f" and ID tokens of Firebase project {settings.firebase_project_id}"
        if settings.firebase_project_id
        else "",
        services=_services(settings, grpc),
    )


def _python() -> str:
    """Give the interpreter as one would type it here."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _services(settings: Settings, grpc: bool) -> str:
    token = "with the SERVICE_TOKEN" if settings.service_token else "without a token"
    port = f" and gRPC on port {settings.grpc_port}" if grpc else ""
    return f"{token}: POST /api/v1/notifications{port}"

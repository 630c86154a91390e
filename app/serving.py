"""Run the server: listen, say what to open, and stop in good order on a signal."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from aiohttp import web

from app.http.listening import PacedSite
from app.http.runner import Runner, build_runner
from app.main import PROCESSES, create_app
from app.metrics.measures import METRICS
from app.metrics.routes import metrics_app
from app.notifying import NOTIFICATIONS
from app.rest.health import PING
from app.rest.notifications import SERVICE_TOKEN
from app.rpc.server import RpcServer, start_rpc
from app.settings import Settings
from app.stopping import STOP
from app.workers.link import FOR_GOOD, READY
from app.workers.place import Place
from models.errors import DomainError

logger = logging.getLogger(__name__)

SHUTDOWN_S = 0.4
"""For what `app.stopping` has left: answers that are still being read. Once more for those that do
not heed their cancelling."""

STOP_S = 4.6
"""After this the process ends, whatever hangs: operators expect it to be gone within 5 s, and some
`DRAIN_S` later. Threads of a driver that waits for its database would otherwise be waited for, some
20 s."""

AGAIN_S = 1.0
"""Who tells it so much later once more to stop does not want to wait. Earlier it is the same one:
what ends all processes of a group, and a supervisor that passes that on."""

_AFFINITY = (
    "other machines may serve the same clients: those on long-polling need session affinity at the "
    "load balancer, or transports: ['websocket']"
)

_WELCOME = """\
Ready: {url}

  {url}/            open it, enter as Test, Alice or Bob, and open a second
                                   window as another of them: the first click loads the examples
  {url}/health      whether it can serve, and how many are connected

A token:  {python} -m app demo     loads the examples from here, too
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


async def serve_or_say_why(settings: Settings, place: Place | None = None) -> int:
    """Serve as `serve`; a server that cannot start says why, and its exit status is returned."""
    try:
        await serve(settings, place)
    except OSError as error:
        sys.stderr.write(f"The server cannot start: {error}\n")
        return 1
    except DomainError as error:
        sys.stderr.write(f"The server cannot start: {error.message}\n")
        return 1
    return 0


async def serve(settings: Settings, place: Place | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then stop in good order and end the process.

    One of several workers has a `place`, and stops also when its supervisor is gone.
    """
    stop = asyncio.Event()
    told_at = 0.0
    running: _Running | None = None

    def begin_to_stop() -> None:
        nonlocal told_at
        if not stop.is_set():
            told_at = time.monotonic()
            _end_at_last(settings.drain_s + STOP_S)
            stop.set()
        elif running is not None and time.monotonic() - told_at >= AGAIN_S:
            _end_at_last(STOP_S)
            running.app[STOP].hurry()

    for number in (signal.SIGTERM, signal.SIGINT):
        _on_signal(number, begin_to_stop)
    if place is not None:
        place.link.when_alone(begin_to_stop)
    starting = asyncio.ensure_future(_Running.start(settings, place))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        logger.info("stopping while it starts")
        starting.cancel()
    try:
        running = await starting
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        _end_process()
    if place is not None:
        place.link.tell(READY)
    too_many = asyncio.ensure_future(_too_many(running.app, settings))
    try:
        await asyncio.wait((stopping, too_many), return_when=asyncio.FIRST_COMPLETED)
        if too_many.done():
            _end_at_last(settings.drain_s + STOP_S, 1)
            if place is not None:
                place.link.tell(FOR_GOOD)
        logger.info("stopping")
    finally:
        await running.stop()
    logger.info("stopped")
    _end_process(1 if too_many.done() else 0)


async def _too_many(app: web.Application, settings: Settings) -> None:
    """Return when this process is to end, since one that was there first does not receive it.

    On one's own machine both go on, and say so.
    """
    processes = app[PROCESSES]
    await processes.is_too_many.wait()
    if settings.development:
        await asyncio.Event().wait()
    logger.error("this process stops: %s", processes.problem)


class _Running:
    """A server that listens."""

    @property
    def app(self) -> web.Application:
        """What is served."""
        return self._runner.app

    def __init__(self, runner: Runner, rpc: RpcServer | None) -> None:
        self._runner = runner
        self._rpc = rpc
        self._metrics: Runner | None = None

    @classmethod
    async def start(cls, settings: Settings, place: Place | None = None) -> "_Running":
        """Open the store, start everything, and say what to open."""
        app = await create_app(settings, place)
        running = cls(build_runner(app, settings.limits, shutdown_timeout=SHUTDOWN_S), None)
        try:
            await running._listen(settings, place)
        except BaseException:
            await running.stop()
            raise
        return running

    async def _listen(self, settings: Settings, place: Place | None) -> None:
        await self._runner.setup()
        app = self._runner.app
        self._rpc = await start_rpc(settings, app[NOTIFICATIONS], app[SERVICE_TOKEN], app[PING])
        if settings.metrics_port:
            metrics = metrics_app(app[METRICS], settings)
            self._metrics = build_runner(metrics, settings.limits, shutdown_timeout=0.1)
            await self._metrics.setup()
            host = settings.metrics_host
            await web.TCPSite(self._metrics, host, settings.metrics_port).start()
            logger.info("metrics on %s port %d", host, settings.metrics_port)
        # What is here now lives as long as the process: the collector need not look through it
        # again each time that a thousand connections have come.
        gc.freeze()
        for port in dict.fromkeys((settings.port, *settings.legacy_ports)):
            site = PacedSite(self._runner, settings.host, port, reuse_port=place is not None)
            await site.start()
            logger.info("listening on %s port %d", settings.host, port)
        if settings.redis_url is not None and (place is None or place.number == 1):
            logger.info(_AFFINITY)
        if settings.development and (place is None or place.number == 1):
            sys.stdout.write(welcome(settings, grpc=self._rpc is not None))
            sys.stdout.flush()

    async def stop(self) -> None:
        """Stop in good order."""
        if self._metrics is not None:
            await self._metrics.cleanup()
        if self._rpc is not None:
            # Both at once, while there is a store.
            await asyncio.gather(self._rpc.stop(), self._runner.stop())
        await self._runner.cleanup()


def _end_at_last(after_s: float, status: int = 0) -> None:
    """End the process after so many seconds, even if the loop or a thread hangs by then."""

    def end() -> None:
        logger.warning("what hangs is left behind")
        _end_process(status)

    timer = threading.Timer(after_s, end)
    timer.daemon = True
    timer.start()


def _end_process(status: int = 0) -> NoReturn:
    """End without waiting for threads: of password hashes, or of the driver."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


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
    """Return the interpreter as one would type it here."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _services(settings: Settings, grpc: bool) -> str:
    token = "with the SERVICE_TOKEN" if settings.service_token else "without a token"
    port = f" and gRPC on port {settings.grpc_port}" if grpc else ""
    return f"{token}: POST /api/v1/notifications{port}"

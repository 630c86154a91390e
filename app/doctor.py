"""`python -m app doctor`: is everything there that the server needs, and set as it was meant?

Each check looks at one thing and changes nothing. Findings are sentences for an operator; none
repeats a value of a variable.
"""

import argparse
import asyncio
import os
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from http.client import HTTPConnection, HTTPException
from ssl import SSLCertVerificationError
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.logs import redact
from app.realtime.events.bus import ANSWER_S, RedisLog
from app.settings import Reading, Settings, SettingsError, read_environment
from app.storage import Store, open_store
from models.accounts import Accounts, Kind, Passwords
from models.errors import DomainError
from models.migrations import Migrations

CLOCK_DRIFT_S = 5.0
"""Tokens and deadlines allow for a little; half of what a heartbeat takes is a clock that is set
wrong, or not at all."""

BUILT_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time."""

FREE_DISK_BYTES = 200_000_000
REDIS_VERSION = 6, 2
"""The first whose XTRIM removes by age."""

REDIS_BYTES = 24_000_000
"""The stream takes some 12 MB, and the records of one full process's connections 10 MB."""

OPEN_FILES = 4096
"""Each connection is an open file; the usual 1,024 is a small office."""

SIMILAR = 0.84
"""By `difflib`: `LEGACY_PORT` and `JWT_SECRETS` are typos, `HOSTNAME` and `HOME` are not."""


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """The server starts; it is probably not what was meant."""

    ERROR = "error"
    """The server does not start, or cannot serve."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found."""

    level: Level
    about: str
    sentence: str


def ok(about: str, sentence: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Level.OK, about, sentence)


def warning(about: str, sentence: str) -> Finding:
    """Return a finding to think about."""
    return Finding(Level.WARNING, about, sentence)


def error(about: str, sentence: str) -> Finding:
    """Return a finding to act on."""
    return Finding(Level.ERROR, about, sentence)


def add_doctor_command(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add `doctor`."""
    doctor = subparsers.add_parser(
        "doctor",
        help="check settings, store, Redis, clock, keys and ports; changes nothing",
        description="Check what a server with these settings needs, and print a line for each "
        "thing. Ends with 0 if the server can serve, with 1 if it cannot. It may run beside a "
        "server.",
    )
    doctor.add_argument("--strict", action="store_true", help="end with 1 for warnings, too")
    doctor.set_defaults(without_settings=run)


async def run(args: argparse.Namespace) -> int:
    """Print all findings; returns the exit status."""
    worst = Counter[Level]()
    async for finding in examine():
        worst[finding.level] += 1
        mark = finding.level.value
        sys.stdout.write(f"{mark:<8} {finding.about}: {redact(finding.sentence)}\n")
    sys.stdout.write(f"{worst[Level.ERROR]} errors, {worst[Level.WARNING]} warnings\n")
    return int(bool(worst[Level.ERROR] or (args.strict and worst[Level.WARNING])))


async def examine() -> AsyncIterator[Finding]:
    """Yield the findings about this machine and its environment."""
    reading = read_environment()
    for finding in _names(reading):
        yield finding
    for problem in reading.problems:
        yield error("settings", problem)
    if reading.settings is None:
        yield warning("store", "not looked at, nor keys and ports: the settings come first.")
        return
    settings = reading.settings
    yield ok("settings", f"{settings.environment}, all values can be used.")
    for check in (_meaning, _keys, _ports, _machine):
        # They may wait for a connection, in a thread.
        for finding in await asyncio.to_thread(list, check(settings)):
            yield finding
    async for finding in _store(settings):
        yield finding
    if settings.redis_url is not None:
        async for finding in _redis(settings.redis_url, settings):
            yield finding


# Settings.


def _names(reading: Reading) -> Iterator[Finding]:
    """Name variables that are not settings and look as if they were meant to be."""
    for name in sorted(os.environ):
        if name in reading.known:
            continue
        similar = get_close_matches(name.upper(), reading.known, n=1, cutoff=SIMILAR)
        meant = f"; did you mean {similar[0]}?" if similar else "."
        if name.startswith("LIMIT_"):
            yield error("settings", f"{name} is no limit of this server{meant}")
        elif similar:
            yield warning("settings", f"{name} is not a setting{meant}")


def _meaning(settings: Settings) -> Iterator[Finding]:
    """Look for values that are possible, and seldom meant."""
    if settings.development:
        if settings.host not in ("127.0.0.1", "::1", "localhost"):
            yield warning(
                "settings",
                "development mode, and HOST lets other machines in: credentials that prove "
                "nothing are accepted from them.",
            )
        return
    if "*" in settings.cors_origins:
        yield warning("settings", "CORS_ORIGINS allows every web page to call.")
    if settings.log_level == "DEBUG":
        yield warning("settings", "LOG_LEVEL is DEBUG: a line for every poll.")
    if settings.public_url is None:
        yield warning("settings", "PUBLIC_URL is not set: no links can be sent or printed.")
    if settings.trusted_proxies == 0:
        yield warning(
            "settings",
            "TRUSTED_PROXIES is 0: behind a proxy, all clients have one address and share limits.",
        )
    if not settings.operator_accounts:
        yield warning("settings", "OPERATOR_ACCOUNTS is not set: no account can use /admin.")
    if settings.metrics_token is None and not settings.metrics_port:
        yield warning("settings", "neither METRICS_TOKEN nor METRICS_PORT is set: no metrics.")


# Keys.


def _keys(settings: Settings) -> Iterator[Finding]:
    count = len(settings.jwt_secrets)
    if count > 1:
        yield warning("keys", f"JWT_SECRET has {count} values; drop old ones when tokens expired.")
    elif "," in settings.jwt_secret:
        yield warning(
            "keys",
            "JWT_SECRET has a comma and is one value; of several, each has 32 characters or more.",
        )
    if any(len(set(secret)) < 10 for secret in settings.jwt_secrets):
        yield warning("keys", "JWT_SECRET has fewer than 10 different characters; make a new one.")
    used = Counter(settings.secrets)
    if max(used.values()) > 1:
        yield warning("keys", "two settings have the same secret; each needs its own.")
    yield from _vapid(settings)
    for name, path in (
        ("GRPC_TLS_CERT", settings.grpc_tls_cert),
        ("GRPC_TLS_KEY", settings.grpc_tls_key),
    ):
        if path is not None and not os.access(path, os.R_OK):
            yield error("keys", f"the file of {name} cannot be read.")
    yield ok("keys", "looked at.")


def _vapid(settings: Settings) -> Iterator[Finding]:
    if settings.vapid_private_key is None:
        return
    from app.push.vapid import VapidKeys

    try:
        VapidKeys(settings.vapid_private_key, settings.vapid_subject)
    except SettingsError as problem:
        yield error("keys", str(problem))


# Ports.


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [(settings.host, port) for port in (settings.port, *settings.legacy_ports)]
    if settings.grpc_port:
        wanted.append((settings.host, settings.grpc_port))
    # Each worker has its own.
    metrics = [settings.metrics_port + i for i in range(settings.workers) if settings.metrics_port]
    wanted += [(settings.metrics_host, port) for port in metrics]
    # A legacy port may well repeat PORT.
    own = {settings.port, *settings.legacy_ports}
    others = [port for port in (settings.grpc_port, *metrics) if port]
    for port, count in Counter([*own, *others]).items():
        if count > 1:
            yield error("ports", f"port {port} is set for two things.")
    serving = _is_serving(settings)
    if serving:
        yield ok("ports", f"a server answers on port {settings.port} already.")
        return
    for host, port in dict.fromkeys(wanted):
        problem = _cannot_listen(host, port)
        if problem is not None:
            # A gRPC port that no one has asked for is done without in development.
            spare = port == settings.grpc_port and not settings.grpc_port_chosen
            found = warning if spare and settings.development else error
            yield found("ports", f"cannot listen on port {port}: {problem}")
    yield ok("ports", f"{len(dict.fromkeys(wanted))} looked at.")


def _is_serving(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    connection = HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/live", headers={"Host": "localhost"})
        return b"alive" in connection.getresponse().read(1000)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _cannot_listen(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as problem:
        return f"{os.strerror(problem.errno)}." if problem.errno else "there is no such address."
    return None


# The machine.


def _machine(settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now < BUILT_AFTER:
        yield error("clock", "this machine's clock is years behind; tokens would be refused.")
    if time.get_clock_info("monotonic").adjustable:
        yield warning("clock", "the monotonic clock can be set; timeouts may be wrong.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores and settings.workers > max(cores, 1):
        yield warning("machine", f"{settings.workers} WORKERS share {cores} cores.")
    with suppress(ImportError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
            yield warning(
                "machine",
                f"at most {soft} open files, so fewer connections; raise the limit (ulimit -n).",
            )
    if settings.mongodb_uri is None:
        folder = next(
            path
            for path in (settings.data_dir, *settings.data_dir.resolve().parents)
            if path.exists()
        )
        free = shutil.disk_usage(folder).free
        if free < FREE_DISK_BYTES:
            yield warning("machine", f"the disk of DATA_DIR has {free:,} bytes left.")
        if not os.access(folder, os.W_OK):
            yield error("machine", "DATA_DIR cannot be written.")


# The store.


async def _store(settings: Settings) -> AsyncIterator[Finding]:
    began = time.perf_counter()
    store: Store | None = None
    try:
        store = await open_store(settings)
        await store.ping()
    except (DomainError, SettingsError) as problem:
        message = problem.message if isinstance(problem, DomainError) else str(problem)
        yield error("store", message)
        if store is not None:
            await store.close()
        return
    kind = "MongoDB" if settings.mongodb_uri else "embedded"
    yield ok("store", f"{kind}, answers in {(time.perf_counter() - began) * 1000:.0f} ms.")
    try:
        for check in (_clock, _migrations, _operators):
            async for finding in check(settings, store):
                yield finding
    except DomainError as problem:
        yield error("store", problem.message)
    finally:
        await store.close()


async def _clock(settings: Settings, store: Store) -> AsyncIterator[Finding]:
    if store.clock is None:
        return
    began = datetime.now(UTC)
    theirs = await store.clock()
    ended = datetime.now(UTC)
    # It was read at some moment in between.
    drift_s = max((began - theirs).total_seconds(), (theirs - ended).total_seconds(), 0.0)
    if drift_s > CLOCK_DRIFT_S:
        yield warning("clock", f"{drift_s:.0f} s apart from the database's; set both by NTP.")
    else:
        yield ok("clock", "as the database's.")


async def _migrations(settings: Settings, store: Store) -> AsyncIterator[Finding]:
    migrations = Migrations(store.database)
    if await migrations.is_empty():
        yield ok("store", "empty: the first server makes what it needs.")
    elif pending := await migrations.pending():
        numbers = ", ".join(str(step.number) for step in pending)
        sentence = f"lacks migration {numbers}; run `python -m app migrate`."
        # A development server takes them when it starts.
        yield warning("store", sentence) if settings.development else error("store", sentence)


async def _operators(settings: Settings, store: Store) -> AsyncIterator[Finding]:
    passwords = Passwords()
    try:
        accounts = Accounts(store.database, passwords)
        for account_id in settings.operator_accounts:
            account = await accounts.resolve(Kind.ID, account_id)
            if account is None:
                yield warning("settings", "OPERATOR_ACCOUNTS names an account that is not there.")
            elif account.disabled:
                yield warning("settings", f"operator account {account.id} is disabled.")
    finally:
        passwords.close()


# Redis.


async def _redis(url: str, settings: Settings) -> AsyncIterator[Finding]:
    """Look at the Redis that carries events between processes.

    No message of the client is repeated: some have the address, and with it the password.
    """
    is_encrypted = url.startswith("rediss://")
    if is_encrypted and not settings.redis_tls_verify:
        yield warning(
            "redis",
            "its certificate is not checked: who can answer in its place reads all events. "
            "REDIS_TLS_VERIFY=1 checks it.",
        )
    redis = RedisLog(url, settings.bus_name, verify_tls=settings.redis_tls_verify).connect()
    try:
        async with asyncio.timeout(ANSWER_S):
            await redis.ping()
            began = time.perf_counter()
            await redis.ping()
            took_ms = (time.perf_counter() - began) * 1000
            about = await redis.info()
            seconds, _ = await redis.time()
    except NoPermissionError:
        yield warning("redis", "its user may not ask INFO and TIME: version and memory not known.")
        return
    except (RedisError, OSError, TimeoutError) as problem:
        yield error("redis", _redis_problem(problem, is_encrypted=is_encrypted))
        return
    finally:
        with suppress(RedisError, OSError):
            await redis.aclose()
    version = str(about.get("redis_version", ""))
    yield ok("redis", f"version {version}, answers in {took_ms:.1f} ms.")
    for finding in _redis_server(about, version, seconds):
        yield finding
    for finding in _redis_memory(about):
        yield finding


def _redis_problem(problem: BaseException, *, is_encrypted: bool) -> str:
    # The client wraps what it has met.
    causes = [problem]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    if any(isinstance(each, AuthenticationError | NoPermissionError) for each in causes):
        return "it refuses the user or the password of REDIS_URL."
    if any(isinstance(each, SSLCertVerificationError) for each in causes):
        return "its certificate cannot be verified; REDIS_TLS_VERIFY=0 does not check it."
    if isinstance(problem, TimeoutError | RedisTimeoutError):
        hint = " If it speaks no TLS, the address begins with redis://." if is_encrypted else ""
        return f"it does not answer within {ANSWER_S:.0f} s; /ready is 503 meanwhile.{hint}"
    return f"it cannot be reached ({type(causes[-1]).__name__}); /ready is 503 meanwhile."


def _redis_server(about: Mapping[str, Any], version: str, seconds: int) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < REDIS_VERSION:
        yield error("redis", "it is too old: 6.2 or later is needed.")
    if about.get("role") not in (None, "master"):
        yield error("redis", "it is a replica, which takes no events: give the primary's address.")
    if about.get("cluster_enabled"):
        yield warning("redis", "it is a cluster; the server is tried with a single Redis only.")
    if datetime.fromtimestamp(seconds, UTC) < BUILT_AFTER:
        yield error("redis", "its clock is years behind; offsets of events are made of it.")


def _redis_memory(about: Mapping[str, Any]) -> Iterator[Finding]:
    limit, used = int(about.get("maxmemory", 0)), int(about.get("used_memory", 0))
    if not limit:
        yield ok("redis", "maxmemory is not set.")
        return
    policy = str(about.get("maxmemory_policy", ""))
    if policy != "noeviction":
        yield warning(
            "redis",
            f"maxmemory-policy is {policy}: when memory is short it removes events, or what lets "
            "clients go on. Set noeviction.",
        )
    if limit < REDIS_BYTES:
        yield warning("redis", f"maxmemory is {limit:,} bytes; {REDIS_BYTES:,} are needed.")
    elif used > 0.9 * limit:
        yield warning("redis", f"{used:,} of {limit:,} bytes are used; full, it takes no events.")
    else:
        yield ok("redis", f"{used:,} of {limit:,} bytes are used.")

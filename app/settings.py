"""Settings: one frozen object, read from the environment once. Never log it: it holds secrets."""

import os
import platform
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError, validate

from app.logs import JSON, TEXT
from app.memory import memory_limit_bytes
from app.push.subjects import DEVELOPMENT_SUBJECT, SUBJECT_ERROR, is_subject

T = TypeVar("T")

DEVELOPMENT = "development"
PRODUCTION = "production"
GOOGLE_JWKS_URL = (
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
)
MIN_SECRET_LENGTH = 32
EMBEDDED = "embedded"
MONGODB = "mongodb"
TEST_PAYMENTS = "test"
WEBHOOK_PAYMENTS = "webhook"
STRIPE_PAYMENTS = "stripe"

MAX_WORKERS = 64
"""Each has some 100 MB of its own, and one core is for one of them: more is a typing error."""

_LAST_PORT = 65535
_PORT = validate.Range(1, _LAST_PORT)
_PORTS = validate.ContainsOnly(range(1, _LAST_PORT + 1))
_POSITIVE = validate.Range(0, min_inclusive=False)
_NOT_NEGATIVE = validate.Range(0)


class SettingsError(Exception):
    """The environment does not make a server; the message is for the operator, a line a problem."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may use up. Each default has its reason below it."""

    message_bytes: int = 65_536
    """An incoming WebSocket message: the longest documented one is far below."""

    request_bytes: int = 1_048_576
    """A REST body."""

    idle_connection_s: int = 100
    """A connection without a request, or with one whose head does not come to its end: platforms'
    routers keep theirs open for 90 seconds, and it should not be this side that closes them."""

    unsent_bytes: int = 1_048_576
    """Bytes waiting for one slow client; past it the client is closed with 1013."""

    history_bytes: int = 16_777_216
    """Memory for the last events, which clients that were away get again: three minutes of 100
    events a second. What is older is dropped first; who misses that fetches anew."""

    messages_per_s: int = 10
    """Of an account, on all its connections: as in docs/older-apis/market-notifications.md."""

    messages_burst: int = 100
    """Messages at once after a pause: what a client has buffered when it comes back."""

    message_delay_s: int = 5
    """How long a message beyond the rate waits for its turn before it is refused: below what
    clients wait for an answer, and for a pong."""

    writes_per_s: int = 10
    """POST, PUT, PATCH and DELETE of an account over REST: as many as messages, since the same
    operations are behind both."""

    writes_burst: int = 100
    """As `messages_burst`."""

    reads_per_s: int = 50
    """GET of an account over REST: more than a person looks at, less than a crawler wants."""

    reads_burst: int = 500
    """A window that opens: its lists, and a thumbnail for each message of a long page."""

    anonymous_per_s: int = 100
    """Requests without a valid credential from an address: an office behind one opens the web
    client, of some twenty files, five times a second."""

    anonymous_burst: int = 1000
    """As `anonymous_per_s`: the same office at nine in the morning."""

    connects_per_minute: int = 5
    """Per user: as in docs/older-apis/market-notifications.md."""

    connections_per_user: int = 10
    """Of one raw endpoint, where a user may have several: as in docs/older-apis/README.md."""

    connections_per_account: int = 50
    """Over all endpoints and Socket.IO: ten windows with a connection for each of five namespaces,
    as some front ends open them."""

    login_attempts_per_minute: int = 10
    """Failed ones per address, per account and address, and per account from addresses that its
    owner does not use: enough for a person, too few to guess."""

    signups_per_minute: int = 300
    """Per address: a classroom may, a script that fills the database may not."""

    mails_per_hour: int = 20
    """Per address that asks for them: a household forgets fewer passwords."""

    mails_per_account_hour: int = 5
    """To one account: some get lost, more would be a nuisance."""

    channels_per_connection: int = 100
    """Chat channels that one connection may have joined: more than a window shows."""

    lookups_per_minute: int = 120
    """People that one account may name when it begins conversations, invites and shares goals, and
    searches for people, together: two whole groups, and too few to find out who is there."""

    motivations_per_minute: int = 10
    """Per user: more than one reads; a text from a language model costs money."""

    upload_bytes: int = 10_485_760
    """A file sent with a chat message: a photo of a telephone or a minute of its video."""

    upload_account_bytes: int = 1_073_741_824
    """All files of one account together: a photo a day for a year, and a hundred videos of the
    largest size would fill it."""

    upload_conversation_bytes: int = 5_368_709_120
    """All files of one conversation together: five people who fill theirs."""

    uploads_per_account: int = 4
    """Uploads under way for one account: as many photos as a client sends at once. Each holds its
    file on the disk until its metadata is stripped."""

    unread_answer_s: int = 30
    """For 64 KiB of an HTTP answer to be read. The slowest telephone line needs six seconds, and
    one that was interrupted goes on within half a minute or not at all."""

    unsent_answers_bytes: int = 67_108_864
    """What HTTP answers of this process may hold together while their clients do not read: ten of
    the longest pages. The largest goes first."""

    discarded_bytes: int = 16_777_216
    """What is read of a body after its request was answered: more than the largest upload, so that
    a client which sends all before it reads still gets to see the answer."""

    discard_s: int = 10
    """How long it is read for."""

    unpaid_orders: int = 3
    """Matches that a buyer may let go unpaid in 30 days before bidding pauses: each costs a seller
    a day."""

    cancelled_orders: int = 50
    """Orders that an account may cancel in 30 days before trading pauses: people change their
    minds, and those who trade much do so more often."""

    exports_per_account: int = 1
    """Whole diaries being read for one account: one is all that a person can keep."""

    exports: int = 16
    """Whole diaries being read at the same time: each holds a megabyte and keeps the store busy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Names match the environment variables."""

    environment: str
    host: str
    port: int
    legacy_ports: tuple[int, ...]
    jwt_secrets: tuple[str, ...] = field(repr=False)
    """The first one signs access tokens, all of them verify: several while one is replaced."""

    mongodb_uri: str | None = field(repr=False)
    mongodb_database: str
    data_dir: Path
    access_token_minutes: int
    refresh_token_days: int
    firebase_project_id: str | None
    firebase_jwks_url: str
    cors_origins: tuple[str, ...]
    """Origins of web pages that may call, besides this server's own; `*` allows all."""

    trusted_proxies: int
    """How many proxies in front append to `X-Forwarded-For`; 0 ignores the header."""

    log_level: str
    log_format: str
    """`json` for programs, `text` for people."""

    log_client_addresses: bool
    """Whether lines have the addresses of clients, which are data about people."""

    metrics_port: int
    """A port for `GET /metrics` alone; 0 for none."""

    metrics_host: str
    """Where that port listens."""

    metrics_token: str | None = field(repr=False)
    """What Prometheus shows; with it the application's own port has the route, too."""

    ping_interval_s: float
    ping_timeout_s: float
    raw_ping_interval_s: float
    revocation_check_s: float
    """How soon a connection ends whose account was disabled or whose session was logged out."""

    story_lifetime_hours: int
    presence_lease_s: float
    """For how long a process that died still counts its people as present in chat."""

    presence_grace_s: float
    """For how long an account is still present in chat after its last connection."""

    recovery_window_s: float
    """For how long a Socket.IO client may be away and go on where it was; 0 for not at all."""

    process_name: str
    """What this process is to its operator, the same after a restart."""

    operator_accounts: tuple[str, ...]
    """Ids of the accounts that add products, confirm deliveries and refund."""

    payment_provider: str
    """`test`, for development only, `webhook` or `stripe`."""

    stripe_secret_key: str | None = field(repr=False)
    stripe_api_base: str | None
    """Another address of its API, as for a mock of it; None for Stripe's own."""

    payment_webhook_secrets: tuple[str, ...] = field(repr=False)
    """What webhooks are signed with: several while one is replaced, none for no webhooks."""

    order_payment_hours: int
    """How long an order waits for its payment before it is cancelled."""

    order_shipping_days: int
    """How long a paid order waits for its shipment before it is refunded."""

    order_complaint_days: int
    """How long after its shipment an order counts as delivered unless its buyer complains."""

    service_token: str | None = field(repr=False)
    """What other services show at the gRPC port and at `POST /api/v1/notifications`."""

    grpc_port: int
    """0 for none."""

    grpc_port_chosen: bool
    """Whether `GRPC_PORT` was set: then the server does not start without it."""

    grpc_tls_cert: Path | None
    """The certificate chain of the gRPC port, PEM; with its key the port speaks TLS only."""

    grpc_tls_key: Path | None
    vapid_private_key: str | None = field(repr=False)
    """Base64url; without it there are no pushes."""

    vapid_subject: str
    """`mailto:` or `https:`: the contact for push services."""

    llm_url: str | None = field(repr=False)
    """Of an OpenAI-compatible API, for motivations; without it they come from the catalogues."""

    llm_key: str | None = field(repr=False)
    llm_model: str | None
    llm_timeout_s: float
    """For one text; who waits longer gets the catalogue's words."""

    memory_budget_bytes: int
    """What all clients together may keep waiting in this process: a quarter of its memory, because
    Python, the indexes of the embedded store and handlers at work need the rest."""

    sign_ups: str
    """`open`, `invite` or `closed`: who may make an account, by every transport."""

    public_url: str | None
    """Where people reach this server, without a slash at the end: links in mails begin with it."""

    mail_hook_url: str | None = field(repr=False)
    """Takes each mail as JSON; without it only the operator makes links."""

    mail_hook_token: str | None = field(repr=False)
    """Sent to it as a bearer token."""

    redis_url: str | None = field(repr=False)
    """Carries events between the processes of this server; without it there is to be only one."""

    redis_tls_verify: bool
    """Whether the certificate of a `rediss://` server is checked."""

    drain_s: float
    """Over how long live connections are spread that end since the process stops; 0 without Redis:
    then no other process has what their clients have missed."""

    workers: int
    """Processes that serve the same ports, each on a core of its own."""

    limits: Limits

    @property
    def development(self) -> bool:
        """Whether this is a person's own machine."""
        return self.environment == DEVELOPMENT

    @property
    def jwt_secret(self) -> str:
        """What access tokens are signed with."""
        return self.jwt_secrets[0]

    @property
    def bus_name(self) -> str:
        """What the keys in Redis begin with: servers of several databases may share one Redis."""
        return f"realtime:{self.mongodb_database}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show: the values of all fields that `repr` leaves out."""
        found: list[str] = []
        for each in fields(self):
            value = getattr(self, each.name) if not each.repr else None
            found += value if isinstance(value, tuple) else [value] if value else []
        return tuple(found)

    @classmethod
    def from_env(cls) -> "Settings":
        """Read the process's environment.

        Raises:
            SettingsError: a value is missing or makes no sense.
        """
        reading = read_environment()
        if reading.settings is None:
            raise SettingsError("\n".join(reading.problems))
        return reading.settings


@dataclass(frozen=True, slots=True)
class Reading:
    """What the environment says."""

    settings: Settings | None
    """None where there are problems."""

    problems: tuple[str, ...]
    """Everything that is wrong, a sentence each, without the values."""

    known: frozenset[str]
    """The names of all variables that are settings."""


def read_environment() -> Reading:
    """Read the process's environment, and find all that is wrong with it at once."""
    # Collects what is wrong with single values, and goes on with None in their place.
    env = Env(eager=False)
    problems = _Problems()
    try:
        settings = _read(env, problems)
    except OSError as error:
        problems.found.append(f"DATA_DIR cannot be used: {error}")
        settings = None
    known = frozenset(env.dump())
    try:
        env.seal()
    except EnvValidationError as error:
        invalid = error.error_messages
        assert isinstance(invalid, Mapping), "as `Env.seal` raises it"
        # Named once, though some are read twice.
        problems.found[:0] = [
            f"{name} is not valid: {' '.join(dict.fromkeys(map(str, messages)))}"
            for name, messages in invalid.items()
        ]
    found = tuple(dict.fromkeys(problems.found))
    return Reading(None if found else settings, found, known)


class _Problems:
    """Collects what is wrong, so that an operator sees all of it at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def take(self, read: Callable[[], T], instead: T) -> T:
        """Return what `read` returns; `instead`, which then makes no server, where it raises."""
        try:
            return read()
        except SettingsError as error:
            self.found.append(str(error))
            return instead


def _read(env: Env, problems: _Problems) -> Settings:
    # Heroku-style platforms set DYNO in every process they start.
    on_platform = "DYNO" in os.environ
    environment = env.str(
        "ENVIRONMENT",
        PRODUCTION if on_platform else DEVELOPMENT,
        validate=validate.OneOf((DEVELOPMENT, PRODUCTION)),
    )
    # One that is neither is a problem of its own, and no reason to ask for what production needs.
    development = environment != PRODUCTION
    data_dir = Path(env.str("DATA_DIR", ".data"))
    take = problems.take
    mongodb_uri = take(
        lambda: _mongodb_uri(env, development=development, on_platform=on_platform), None
    )
    jwt_secrets: tuple[str, ...] = take(lambda: _jwt_secrets(env, development=development), ())
    service_token = take(lambda: _token(env, "SERVICE_TOKEN", development=development), None)
    metrics_token = take(lambda: _token(env, "METRICS_TOKEN", development=development), None)
    no_files: tuple[Path | None, Path | None] = (None, None)
    grpc_tls = take(lambda: _grpc_tls(env), no_files)
    return Settings(
        environment=environment,
        host=env.str("HOST", "127.0.0.1" if development else "0.0.0.0"),  # noqa: S104 behind the platform's router
        port=env.int("PORT", 8080, validate=_PORT),
        legacy_ports=tuple(env.list("LEGACY_PORTS", [], subcast=int, validate=_PORTS) or ()),
        jwt_secrets=jwt_secrets
        or ((_development_secret(data_dir),) if environment == DEVELOPMENT else ()),
        mongodb_uri=mongodb_uri,
        mongodb_database=env.str("MONGODB_DATABASE", "realtime", validate=_is_database_name),
        data_dir=data_dir,
        access_token_minutes=env.int("ACCESS_TOKEN_MINUTES", 24 * 60, validate=_POSITIVE),
        refresh_token_days=env.int("REFRESH_TOKEN_DAYS", 30, validate=_POSITIVE),
        firebase_project_id=env.str("FIREBASE_PROJECT_ID", None) or None,
        firebase_jwks_url=env.str("FIREBASE_JWKS_URL", GOOGLE_JWKS_URL),
        cors_origins=tuple(origin.strip() for origin in env.list("CORS_ORIGINS", [], subcast=str)),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0 if development else 1, validate=_NOT_NEGATIVE),
        log_level=env.str(
            "LOG_LEVEL", "INFO", validate=validate.OneOf(("DEBUG", "INFO", "WARNING", "ERROR"))
        ),
        log_format=env.str(
            "LOG_FORMAT",
            TEXT if development else JSON,
            validate=validate.OneOf((TEXT, JSON)),
        ),
        log_client_addresses=env.bool("LOG_CLIENT_ADDRESSES", False),
        metrics_port=env.int("METRICS_PORT", 0, validate=validate.Range(0, 65535)),
        metrics_host=env.str("METRICS_HOST", "127.0.0.1"),
        metrics_token=metrics_token,
        ping_interval_s=env.float("PING_INTERVAL_S", 25.0, validate=_POSITIVE),
        ping_timeout_s=env.float("PING_TIMEOUT_S", 20.0, validate=_POSITIVE),
        raw_ping_interval_s=env.float("RAW_PING_INTERVAL_S", 50.0, validate=_POSITIVE),
        revocation_check_s=env.float("REVOCATION_CHECK_S", 10.0, validate=_POSITIVE),
        story_lifetime_hours=env.int("STORY_LIFETIME_HOURS", 24, validate=_POSITIVE),
        # A process shows every 5 s that it lives: two signs that fail or come late harm no one.
        presence_lease_s=env.float("PRESENCE_LEASE_S", 20.0, validate=validate.Range(15)),
        # A stock client pauses for up to 7.5 s between two attempts to come back.
        presence_grace_s=env.float("PRESENCE_GRACE_S", 8.0, validate=validate.Range(0)),
        # The time in which a phone changes its network, a laptop its room, or a train its tunnel.
        recovery_window_s=env.float("RECOVERY_WINDOW_S", 120.0, validate=validate.Range(0)),
        process_name=env.str("DYNO", None) or f"{platform.node()}:{env.int('PORT', 8080)}",
        operator_accounts=tuple(env.list("OPERATOR_ACCOUNTS", [])),
        payment_provider=take(lambda: _payment_provider(env, development=development), ""),
        stripe_secret_key=take(lambda: _header_value(env, "STRIPE_SECRET_KEY"), None),
        stripe_api_base=take(lambda: _stripe_api_base(env), None),
        payment_webhook_secrets=tuple(env.list("PAYMENT_WEBHOOK_SECRETS", [])),
        order_payment_hours=env.int("ORDER_PAYMENT_HOURS", 24, validate=_POSITIVE),
        order_shipping_days=env.int("ORDER_SHIPPING_DAYS", 7, validate=_POSITIVE),
        order_complaint_days=env.int("ORDER_COMPLAINT_DAYS", 14, validate=_POSITIVE),
        service_token=service_token,
        grpc_port=env.int("GRPC_PORT", 50056, validate=validate.Range(0, 65535)),
        grpc_port_chosen="GRPC_PORT" in os.environ,
        grpc_tls_cert=grpc_tls[0],
        grpc_tls_key=grpc_tls[1],
        vapid_private_key=env.str("VAPID_PRIVATE_KEY", None) or None,
        vapid_subject=take(lambda: _vapid_subject(env, development=development), ""),
        llm_url=take(lambda: _llm_url(env), None),
        llm_key=take(lambda: _header_value(env, "LLM_KEY"), None),
        llm_model=env.str("LLM_MODEL", None) or None,
        llm_timeout_s=env.float("LLM_TIMEOUT_S", 8.0, validate=_POSITIVE),
        memory_budget_bytes=_memory_budget(env),
        sign_ups=env.str("SIGNUP", "open", validate=validate.OneOf(("open", "invite", "closed"))),
        public_url=take(lambda: _public_url(env, development=development), None),
        mail_hook_url=take(lambda: _mail_hook_url(env, development=development), None),
        mail_hook_token=take(lambda: _header_value(env, "MAIL_HOOK_TOKEN"), None),
        redis_url=take(lambda: _redis_url(env), None),
        # Platforms offer Redis with certificates that no one has signed, in their own network.
        redis_tls_verify=env.bool("REDIS_TLS_VERIFY", not on_platform),
        # Platforms give 30 s to a process that is to end.
        drain_s=_drain_s(env),
        workers=take(lambda: _workers(env), 1),
        limits=_limits(env, development=development),
    )


def _limits(env: Env, *, development: bool) -> Limits:
    def read(limit: Field[int]) -> int:
        default = limit.default
        assert isinstance(default, int)
        if development:
            default = DEVELOPMENT_LIMITS.get(limit.name, default)
        return env.int(f"LIMIT_{limit.name.upper()}", default, validate=_POSITIVE) or 0

    return Limits(**{limit.name: read(limit) for limit in fields(Limits)})


DEVELOPMENT_LIMITS = {"connects_per_minute": 60}
"""Limits that would be in the way there: who works on a page loads it again many times a minute."""


def _memory_budget(env: Env) -> int:
    chosen_mb = env.float("MEMORY_BUDGET_MB", None, validate=validate.Range(min=1))
    return memory_limit_bytes() // 4 if chosen_mb is None else int(chosen_mb * 1024**2)


def _jwt_secrets(env: Env, *, development: bool) -> tuple[str, ...]:
    """Return the values of JWT_SECRET: several only if each is long enough to be a secret.

    A passphrase may have commas and blanks in it, and tokens that it has signed stay valid.
    """
    whole = env.str("JWT_SECRET", None) or ""
    several = whole.replace(",", " ").split()
    if len(several) > 1 and all(len(secret) >= MIN_SECRET_LENGTH for secret in several):
        return tuple(several)
    if not development:
        _require("JWT_SECRET", whole)
        if len(whole) < MIN_SECRET_LENGTH:
            raise SettingsError(
                f"JWT_SECRET is shorter than {MIN_SECRET_LENGTH} characters; HS256 needs that many."
            )
    return (whole,) if whole else ()


def _token(env: Env, name: str, *, development: bool) -> str | None:
    token = _header_value(env, name)
    if token and not development and len(token) < MIN_SECRET_LENGTH:
        raise SettingsError(f"{name} is shorter than {MIN_SECRET_LENGTH} characters.")
    return token


def _require(name: str, value: str | None) -> None:
    if not value:
        raise SettingsError(f"{name} is not set; production mode does not start without it.")


def _mongodb_uri(env: Env, *, development: bool, on_platform: bool) -> str | None:
    """Return where MongoDB is; None for the embedded store."""
    uri = env.str("MONGODB_URI", None) or None
    store = env.str("STORE", None) or None
    if store not in (None, EMBEDDED, MONGODB):
        raise SettingsError(f"STORE is neither {EMBEDDED} nor {MONGODB}.")
    if store == EMBEDDED:
        if uri:
            raise SettingsError("STORE is embedded and MONGODB_URI is set; only one can be.")
        if on_platform:
            raise SettingsError(
                "STORE is embedded, and the platform (DYNO is set) does not keep the disk when it "
                "restarts a process; set MONGODB_URI."
            )
    elif store == MONGODB or not development:
        _require("MONGODB_URI", uri)
    return uri


def _is_database_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name):
        raise ValidationError("MONGODB_DATABASE has letters, digits, - and _, at most 63.")


def _payment_provider(env: Env, *, development: bool) -> str:
    provider = env.str(
        "PAYMENT_PROVIDER",
        TEST_PAYMENTS if development else WEBHOOK_PAYMENTS,
        validate=validate.OneOf((TEST_PAYMENTS, WEBHOOK_PAYMENTS, STRIPE_PAYMENTS)),
    )
    if provider == TEST_PAYMENTS and not development:
        raise SettingsError("PAYMENT_PROVIDER is test; production needs webhook or stripe.")
    if provider == STRIPE_PAYMENTS:
        for name, why in (
            ("STRIPE_SECRET_KEY", "Stripe is called with it"),
            ("PAYMENT_WEBHOOK_SECRETS", "Stripe reports payments by webhook"),
        ):
            if not env.str(name, None):
                raise SettingsError(f"{name} is not set; {why}.")
        if _public_url(env, development=development) is None:
            raise SettingsError("PUBLIC_URL is not set; Stripe sends buyers back to it.")
    return provider


def _grpc_tls(env: Env) -> tuple[Path | None, Path | None]:
    cert, key = (env.str(name, None) or None for name in ("GRPC_TLS_CERT", "GRPC_TLS_KEY"))
    if (cert is None) != (key is None):
        raise SettingsError("GRPC_TLS_CERT and GRPC_TLS_KEY are set together or not at all.")
    return (Path(cert), Path(key)) if cert and key else (None, None)


def _stripe_api_base(env: Env) -> str | None:
    url = env.str("STRIPE_API_BASE", None) or None
    if url is not None and not _is_http_url(url):
        raise SettingsError("STRIPE_API_BASE is not an http address.")
    return url.rstrip("/") if url else None


def _vapid_subject(env: Env, *, development: bool) -> str:
    """Read the contact for push services: by default the public address of this server."""
    subject = env.str("VAPID_SUBJECT", None) or None
    if subject is not None:
        if not is_subject(subject):
            raise SettingsError(SUBJECT_ERROR)
        return subject
    public_url = _public_url(env, development=development)
    if public_url and is_subject(public_url):
        return public_url
    if not development and env.str("VAPID_PRIVATE_KEY", None):
        raise SettingsError(
            "VAPID_SUBJECT is not set; push services need a mailto: or https: address of yours."
        )
    return DEVELOPMENT_SUBJECT


def _public_url(env: Env, *, development: bool) -> str | None:
    url = env.str("PUBLIC_URL", None) or None
    if url is None:
        if not development and env.str("MAIL_HOOK_URL", None):
            raise SettingsError("PUBLIC_URL is not set; links in mails begin with it.")
        return f"http://localhost:{env.int('PORT', 8080)}" if development else None
    if not _is_http_url(url, secure=not development) or "?" in url or "#" in url:
        raise SettingsError("PUBLIC_URL is not an address such as https://example.com.")
    return url.rstrip("/")


def _mail_hook_url(env: Env, *, development: bool) -> str | None:
    url = env.str("MAIL_HOOK_URL", None) or None
    if url is not None and not _is_http_url(url, secure=not development):
        # Without repeating it: it may hold a key.
        raise SettingsError("MAIL_HOOK_URL is not an https address without a user name.")
    return url


def _is_http_url(url: str, *, secure: bool = False) -> bool:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.username is None and parts.password is None
        _ = parts.port
    except ValueError:
        return False
    return usable and parts.scheme in (("https",) if secure else ("http", "https"))


def _redis_url(env: Env) -> str | None:
    url = env.str("REDIS_URL", None) or None
    if url is not None and not re.match(r"(rediss?://[^/]|unix://.*/)", url):
        # Without repeating it: it may hold a password.
        raise SettingsError("REDIS_URL is not an address such as redis://localhost:6379.")
    return url


def _drain_s(env: Env) -> float:
    chosen_s: float | None = env.float("DRAIN_S", 20.0, validate=_NOT_NEGATIVE)
    return (chosen_s or 0.0) if env.str("REDIS_URL", None) else 0.0


def _workers(env: Env) -> int:
    # Not WEB_CONCURRENCY: platforms set it by themselves, where there may be no Redis.
    count = env.int("WORKERS", 1, validate=validate.Range(1, MAX_WORKERS)) or 1
    if count > 1 and not hasattr(socket, "SO_REUSEPORT"):
        raise SettingsError("WORKERS is more than 1, and this system lets no two share a port.")
    if count > 1 and not env.str("REDIS_URL", None):
        raise SettingsError(
            "WORKERS is more than 1 and REDIS_URL is not set; workers hear each other's events "
            "through Redis."
        )
    if (env.int("METRICS_PORT", 0) or 0) + count - 1 > _LAST_PORT:
        raise SettingsError("METRICS_PORT leaves no port for each of the WORKERS.")
    return count


def _llm_url(env: Env) -> str | None:
    url = env.str("LLM_URL", None) or None
    if url is None:
        return None
    if not _is_http_url(url):
        # Without repeating it: it may hold a key.
        raise SettingsError("LLM_URL is not an http address without a user name.")
    if not env.str("LLM_MODEL", None):
        raise SettingsError("LLM_MODEL is not set; LLM_URL needs the name of a model.")
    return url


def _header_value(env: Env, name: str) -> str | None:
    value = env.str(name, None) or None
    if value and not (value.isascii() and value.isprintable()):
        raise SettingsError(f"{name} has characters that no HTTP header can carry.")
    return value


def _development_secret(data_dir: Path) -> str:
    """Keep a secret of this machine's own, so that tokens outlive a restart."""
    path = data_dir / "jwt_secret"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        pass
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f"jwt_secret.{secrets.token_hex(4)}"
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
    try:
        # A link fails when another process was first; a rename would replace its secret.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")

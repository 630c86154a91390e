"""Settings: one frozen object, read from the environment once. Never log it: it holds secrets."""

import os
import secrets
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError, validate

DEVELOPMENT = "development"
PRODUCTION = "production"
GOOGLE_JWKS_URL = (
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
)
MIN_SECRET_LENGTH = 32
TEST_PAYMENTS = "test"
WEBHOOK_PAYMENTS = "webhook"

_PORT = validate.Range(1, 65535)
_PORTS = validate.ContainsOnly(range(1, 65536))
_POSITIVE = validate.Range(0, min_inclusive=False)
_NOT_NEGATIVE = validate.Range(0)


class SettingsError(Exception):
    """The environment does not make a server; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may use up. The defaults' reasons stand beside them."""

    message_bytes: int = 65_536
    """An incoming WebSocket message: the longest documented one is far below."""

    request_bytes: int = 1_048_576
    """A REST body."""

    idle_connection_s: int = 100
    """A connection without a request, or with one whose head does not come to its end: platforms'
    routers keep theirs open for 90 seconds, and it should not be this side that closes them."""

    unsent_bytes: int = 1_048_576
    """Bytes waiting for one slow client; past it the client is closed with 1013."""

    messages_per_s: int = 10
    """`market-notifications.md`, Rate Limiting."""

    connects_per_minute: int = 5
    """`market-notifications.md`, Rate Limiting; per user."""

    connections_per_user: int = 10
    """`READING.md`: for the dialects that allow several."""

    login_attempts_per_minute: int = 10
    """Failed ones, per address and per e-mail: enough for a person, too few to guess."""

    signups_per_minute: int = 300
    """Per address: a classroom may, a script that fills the database may not."""

    channels_per_connection: int = 100
    """Chat channels that one connection may have joined: more than a window shows."""

    motivations_per_minute: int = 10
    """Per user: more than one reads; a text from a language model costs money."""

    upload_bytes: int = 10_485_760
    """A file sent with a chat message: a photo of a telephone or a minute of its video."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Names match the environment variables."""

    environment: str
    host: str
    port: int
    legacy_ports: tuple[int, ...]
    jwt_secret: str = field(repr=False)
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
    ping_interval_s: float
    ping_timeout_s: float
    raw_ping_interval_s: float
    revocation_check_s: float
    """How soon a connection ends whose account was disabled or whose session was logged out."""

    story_lifetime_hours: int
    presence_lease_s: float
    """For how long a process that died still counts its people as present in chat."""

    operator_accounts: tuple[str, ...]
    """Ids of the accounts that add products, confirm deliveries and refund."""

    payment_provider: str
    """`test`, for development only, or `webhook`."""

    payment_webhook_secrets: tuple[str, ...] = field(repr=False)
    """What webhooks are signed with: several while one is replaced, none for no webhooks."""

    order_payment_hours: int
    """How long an order waits for its payment before it is cancelled."""

    service_token: str | None = field(repr=False)
    """What other services show at the gRPC port and at `POST /api/v1/notifications`."""

    grpc_port: int
    """0 for none."""

    grpc_port_chosen: bool
    """Whether `GRPC_PORT` was set: then the server does not start without it."""

    vapid_private_key: str | None = field(repr=False)
    """Base64url; without it there are no pushes."""

    vapid_subject: str
    """`mailto:` or `https:`: whom push services ask when something is wrong."""

    llm_url: str | None = field(repr=False)
    """Of an OpenAI-compatible API, for motivations; without it they come from the catalogues."""

    llm_key: str | None = field(repr=False)
    llm_model: str | None
    llm_timeout_s: float
    """For one text; who waits longer gets the catalogue's words."""

    limits: Limits

    @property
    def development(self) -> bool:
        """Whether this is somebody's own machine."""
        return self.environment == DEVELOPMENT

    @classmethod
    def from_env(cls) -> "Settings":
        """Read the process's environment.

        Raises:
            SettingsError: a value is missing or makes no sense.
        """
        try:
            return _read(Env())
        except EnvError as error:
            raise SettingsError(str(error)) from None
        except OSError as error:
            raise SettingsError(f"DATA_DIR cannot be used: {error}") from None


def _read(env: Env) -> Settings:
    # Heroku-style platforms set DYNO in every process they start.
    on_platform = "DYNO" in os.environ
    environment = env.str(
        "ENVIRONMENT",
        PRODUCTION if on_platform else DEVELOPMENT,
        validate=validate.OneOf((DEVELOPMENT, PRODUCTION)),
    )
    development = environment == DEVELOPMENT
    data_dir = Path(env.str("DATA_DIR", ".data"))
    mongodb_uri = env.str("MONGODB_URI", None) or None
    jwt_secret = env.str("JWT_SECRET", None) or None
    service_token = env.str("SERVICE_TOKEN", None) or None
    if not development:
        _require("MONGODB_URI", mongodb_uri)
        _require("JWT_SECRET", jwt_secret)
        if jwt_secret and len(jwt_secret) < MIN_SECRET_LENGTH:
            raise SettingsError(
                f"JWT_SECRET is shorter than {MIN_SECRET_LENGTH} characters; HS256 needs that many."
            )
        if service_token and len(service_token) < MIN_SECRET_LENGTH:
            raise SettingsError(f"SERVICE_TOKEN is shorter than {MIN_SECRET_LENGTH} characters.")
    return Settings(
        environment=environment,
        host=env.str("HOST", "127.0.0.1" if development else "0.0.0.0"),  # noqa: S104 behind the platform's router
        port=env.int("PORT", 8080, validate=_PORT),
        legacy_ports=tuple(env.list("LEGACY_PORTS", [], subcast=int, validate=_PORTS)),
        jwt_secret=jwt_secret or _development_secret(data_dir),
        mongodb_uri=mongodb_uri,
        mongodb_database=env.str("MONGODB_DATABASE", "realtime"),
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
        ping_interval_s=env.float("PING_INTERVAL_S", 25.0, validate=_POSITIVE),
        ping_timeout_s=env.float("PING_TIMEOUT_S", 20.0, validate=_POSITIVE),
        raw_ping_interval_s=env.float("RAW_PING_INTERVAL_S", 50.0, validate=_POSITIVE),
        revocation_check_s=env.float("REVOCATION_CHECK_S", 10.0, validate=_POSITIVE),
        story_lifetime_hours=env.int("STORY_LIFETIME_HOURS", 24, validate=_POSITIVE),
        # Renewed every minute: one renewal that fails or comes late makes nobody absent.
        presence_lease_s=env.float(
            "PRESENCE_LEASE_S", 150.0, validate=validate.Range(60, min_inclusive=False)
        ),
        operator_accounts=tuple(env.list("OPERATOR_ACCOUNTS", [])),
        payment_provider=_payment_provider(env, development=development),
        payment_webhook_secrets=tuple(env.list("PAYMENT_WEBHOOK_SECRETS", [])),
        order_payment_hours=env.int("ORDER_PAYMENT_HOURS", 24, validate=_POSITIVE),
        service_token=service_token,
        grpc_port=env.int("GRPC_PORT", 50056, validate=validate.Range(0, 65535)),
        grpc_port_chosen="GRPC_PORT" in os.environ,
        vapid_private_key=env.str("VAPID_PRIVATE_KEY", None) or None,
        vapid_subject=env.str("VAPID_SUBJECT", "mailto:admin@localhost"),
        llm_url=_llm_url(env),
        llm_key=_llm_key(env),
        llm_model=env.str("LLM_MODEL", None) or None,
        llm_timeout_s=env.float("LLM_TIMEOUT_S", 8.0, validate=_POSITIVE),
        limits=_limits(env),
    )


def _limits(env: Env) -> Limits:
    def read(limit: Field[int]) -> int:
        assert isinstance(limit.default, int)
        return env.int(f"LIMIT_{limit.name.upper()}", limit.default, validate=_POSITIVE) or 0

    return Limits(**{limit.name: read(limit) for limit in fields(Limits)})


def _require(name: str, value: str | None) -> None:
    if not value:
        raise SettingsError(f"{name} is not set; production mode does not start without it.")


def _payment_provider(env: Env, *, development: bool) -> str:
    provider = env.str(
        "PAYMENT_PROVIDER",
        TEST_PAYMENTS if development else WEBHOOK_PAYMENTS,
        validate=validate.OneOf((TEST_PAYMENTS, WEBHOOK_PAYMENTS)),
    )
    if provider == TEST_PAYMENTS and not development:
        raise SettingsError("PAYMENT_PROVIDER is test; production wants webhook.")
    return provider


def _llm_url(env: Env) -> str | None:
    url = env.str("LLM_URL", None) or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        # Without repeating it: it may hold a key.
        raise SettingsError("LLM_URL is not an http address without a user name.")
    if not env.str("LLM_MODEL", None):
        raise SettingsError("LLM_MODEL is not set; LLM_URL needs the name of a model.")
    return url


def _llm_key(env: Env) -> str | None:
    key = env.str("LLM_KEY", None) or None
    if key and not (key.isascii() and key.isprintable()):
        raise SettingsError("LLM_KEY has characters that no HTTP header can carry.")
    return key


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

"""What the environment decides."""

import dataclasses
import os
import platform
import stat
from pathlib import Path

import pytest

from app.memory import memory_limit_bytes
from app.settings import Limits, Settings, SettingsError, read_environment

SECRET = "s" * 32
PRODUCTION = {
    "ENVIRONMENT": "production",
    "MONGODB_URI": "mongodb://db.example.com/realtime",
    "JWT_SECRET": SECRET,
}


@pytest.fixture
def read(monkeypatch, tmp_path):
    """Read settings from these variables and no others."""

    def read(**variables):
        for name in os.environ.copy():
            monkeypatch.delenv(name)
        for name, value in {"DATA_DIR": str(tmp_path / "data"), **variables}.items():
            monkeypatch.setenv(name, value)
        return Settings.from_env()

    return read


def test_development_needs_nothing(read, tmp_path):
    """One's own machine: loopback, the documents' port, the embedded store, a generated secret."""
    settings = read()
    assert settings.development
    assert (settings.host, settings.port, settings.legacy_ports) == ("127.0.0.1", 8080, ())
    assert settings.mongodb_uri is None
    assert settings.data_dir == tmp_path / "data"
    assert len(settings.jwt_secret) >= 32
    assert settings.trusted_proxies == 0
    assert settings.cors_origins == ()


def test_the_documented_limits_are_the_defaults(read):
    """5 connects a minute, 10 messages a second, a ping in 50 s (docs/older-apis/README.md)."""
    settings = read(**PRODUCTION)
    assert settings.limits.connects_per_minute == 5
    assert settings.limits.messages_per_s == settings.limits.writes_per_s == 10
    assert settings.limits.messages_burst == settings.limits.writes_burst == 100
    assert settings.raw_ping_interval_s == 50
    assert settings.story_lifetime_hours == 24


def test_development_lets_a_page_be_loaded_many_times(read):
    """Who works on a page connects more often than 5 times a minute; what is set still holds."""
    assert read().limits.connects_per_minute == 60
    assert read(LIMIT_CONNECTS_PER_MINUTE="7").limits.connects_per_minute == 7


def test_the_generated_secret_outlives_a_restart(read, tmp_path):
    """Tokens stay valid, and other users of the machine cannot read the secret."""
    assert read().jwt_secret == read().jwt_secret
    path = tmp_path / "data" / "jwt_secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["jwt_secret"]
    assert read(DATA_DIR=str(tmp_path / "other")).jwt_secret != read().jwt_secret


def test_production_listens_to_the_platform(read):
    """All interfaces, PORT, and one router in front that says who is asking."""
    settings = read(**PRODUCTION, PORT="5001")
    assert not settings.development
    assert (settings.host, settings.port, settings.trusted_proxies) == ("0.0.0.0", 5001, 1)
    assert settings.jwt_secret == SECRET


def test_production_writes_no_files(read, tmp_path):
    """A secret that is set is not kept anywhere."""
    read(**PRODUCTION)
    assert not (tmp_path / "data").exists()


def test_a_platform_implies_production(read):
    """DYNO is set by Heroku-style platforms; ENVIRONMENT still decides when it is set."""
    assert not read(DYNO="web.1", **(PRODUCTION | {"ENVIRONMENT": "production"})).development
    assert read(DYNO="web.1", ENVIRONMENT="development").development
    assert read(DYNO="web.1", ENVIRONMENT="development").process_name == "web.1"
    assert read(PORT="8123").process_name == f"{platform.node()}:8123"
    without = {name: value for name, value in PRODUCTION.items() if name != "ENVIRONMENT"}
    assert not read(DYNO="web.1", **without).development


def test_a_small_deployment_may_keep_the_embedded_store(read):
    """Asked for by name, it serves in production; a platform that loses its disk refuses it."""
    small = {name: value for name, value in PRODUCTION.items() if name != "MONGODB_URI"}
    settings = read(STORE="embedded", **small)
    assert not settings.development
    assert settings.mongodb_uri is None
    with pytest.raises(SettingsError, match="DYNO"):
        read(STORE="embedded", DYNO="web.1", **small)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (PRODUCTION | {"STORE": "embedded"}, "MONGODB_URI"),
        ({"STORE": "mongodb"}, "MONGODB_URI"),
        ({"STORE": "sqlite"}, "STORE"),
        ({"MONGODB_DATABASE": "../elsewhere"}, "MONGODB_DATABASE"),
        ({"MONGODB_DATABASE": ""}, "MONGODB_DATABASE"),
    ],
)
def test_a_store_that_cannot_be_is_refused(read, variables, named):
    """Contradictions and what would be no file of DATA_DIR; the sentence names the variable."""
    with pytest.raises(SettingsError, match=named):
        read(**variables)


@pytest.mark.parametrize("missing", ["MONGODB_URI", "JWT_SECRET"])
@pytest.mark.parametrize("value", [None, ""])
def test_production_refuses_what_is_missing(read, missing, value):
    """A variable that is empty is as good as missing; the sentence names it."""
    variables = dict(PRODUCTION)
    del variables[missing]
    if value is not None:
        variables[missing] = value
    with pytest.raises(SettingsError, match=missing):
        read(**variables)


def test_a_short_secret_is_refused(read):
    """31 characters are too few for HS256, 32 are enough; the secret is not repeated."""
    with pytest.raises(SettingsError) as refused:
        read(**(PRODUCTION | {"JWT_SECRET": "q" * 31}))
    assert "32" in str(refused.value)
    assert "qqq" not in str(refused.value)
    assert read(**(PRODUCTION | {"JWT_SECRET": "q" * 32}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("LEGACY_PORTS", "3000;8000"),
        ("LEGACY_PORTS", "3000,0"),
        ("LOG_LEVEL", "LOUD"),
        ("TRUSTED_PROXIES", "-1"),
        ("PING_INTERVAL_S", "0"),
        ("RAW_PING_INTERVAL_S", "-5"),
        ("REVOCATION_CHECK_S", "soon"),
        ("STORY_LIFETIME_HOURS", "0"),
        ("ACCESS_TOKEN_MINUTES", "1.5"),
        ("LIMIT_MESSAGES_PER_S", "0"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(read, name, value):
    """The error is one line with the variable's name."""
    with pytest.raises(SettingsError, match=name) as refused:
        read(**{name: value})
    assert "\n" not in str(refused.value)


def test_a_data_folder_that_cannot_be_is_named(read, tmp_path):
    """DATA_DIR may be a file, or beneath one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="DATA_DIR"):
        read(DATA_DIR=str(tmp_path / "file" / "data"))


def test_lists_are_separated_by_commas(read):
    """Blanks around the items do not count."""
    settings = read(
        LEGACY_PORTS="3000, 8000", CORS_ORIGINS="https://a.example.com, http://localhost:3000"
    )
    assert settings.legacy_ports == (3000, 8000)
    assert settings.cors_origins == ("https://a.example.com", "http://localhost:3000")


@pytest.mark.parametrize("limit", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_is_a_setting(read, limit):
    """`LIMIT_` and its name in capitals."""
    assert getattr(read(**{f"LIMIT_{limit.upper()}": "7"}).limits, limit) == 7


def test_secrets_are_not_shown(read):
    """Whoever logs the settings against the rule does not log what opens the doors."""
    settings = read(**PRODUCTION)
    assert SECRET not in repr(settings)
    assert "db.example.com" not in repr(settings)


def test_settings_do_not_change(read):
    """They are read once."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().port = 1
    assert isinstance(read().data_dir, Path)


def test_the_memory_budget_is_a_quarter_of_what_there_is_or_what_is_set(read):
    """In MB; too little to work with is refused."""
    assert read().memory_budget_bytes == memory_limit_bytes() // 4
    assert read(MEMORY_BUDGET_MB="1.5").memory_budget_bytes == 1_572_864
    for wrong in ("0", "-3", "nan", "much"):
        with pytest.raises(SettingsError, match="MEMORY_BUDGET_MB"):
            read(MEMORY_BUDGET_MB=wrong)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SIGNUP": "nobody"}, "SIGNUP"),
        ({"MAIL_HOOK_URL": "https://mail.example.com/hidden"}, "PUBLIC_URL"),
        ({"MAIL_HOOK_URL": "http://mail.example.com/hidden", "PUBLIC_URL": "https://a.b"}, "MAIL_"),
        ({"MAIL_HOOK_URL": "https://u:hidden@a.b", "PUBLIC_URL": "https://a.b"}, "MAIL_HOOK_URL"),
        ({"MAIL_HOOK_TOKEN": "hidden\n"}, "MAIL_HOOK_TOKEN"),
        ({"PUBLIC_URL": "http://example.com"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://example.com/#x"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "example.com"}, "PUBLIC_URL"),
    ],
)
def test_links_and_sign_up_in_production(read, variables, named):
    """Links are made for https only, and a mail service is spoken to by https only."""
    with pytest.raises(SettingsError, match=named) as refused:
        read(**PRODUCTION, **variables)
    assert "hidden" not in str(refused.value)


def test_links_begin_where_people_are(read):
    """In development with this machine, else with what is set; the hook's address is not shown."""
    assert read(PORT="3000").public_url == "http://localhost:3000"
    assert read(**PRODUCTION).public_url is None
    settings = read(
        **PRODUCTION, PUBLIC_URL="https://example.com/", MAIL_HOOK_URL="https://a.b/hidden"
    )
    assert settings.public_url == "https://example.com"
    assert "hidden" not in repr(settings)


def test_all_that_is_wrong_is_said_at_once(read):
    """A line for each problem: what is missing, what is no value, what contradicts."""
    with pytest.raises(SettingsError) as refused:
        read(ENVIRONMENT="production", PORT="http", LIMIT_UPLOAD_BYTES="-1", PUBLIC_URL="x")
    lines = str(refused.value).splitlines()
    for name in ("PORT", "LIMIT_UPLOAD_BYTES", "MONGODB_URI", "JWT_SECRET", "PUBLIC_URL"):
        assert len([line for line in lines if line.startswith(name)]) == 1
    assert len(lines) == 5


@pytest.mark.parametrize("between", [",", " ", "\n", " , "])
def test_several_secrets_while_one_is_replaced(read, between):
    """The first signs; each has to be long enough, and none is shown."""
    other = "t" * 32
    settings = read(**(PRODUCTION | {"JWT_SECRET": f"{other}{between}{SECRET}"}))
    assert settings.jwt_secrets == (other, SECRET)
    assert settings.jwt_secret == other
    assert set(settings.secrets) >= {other, SECRET}


@pytest.mark.parametrize("secret", ["correct horse, battery staple, and so on", f"{SECRET}, short"])
def test_a_passphrase_stays_one_secret(read, secret):
    """What it has signed stays valid although it has commas and blanks."""
    assert read(**(PRODUCTION | {"JWT_SECRET": secret})).jwt_secrets == (secret,)
    assert read(JWT_SECRET="long, long ago").jwt_secrets == ("long, long ago",)
    with pytest.raises(SettingsError, match="JWT_SECRET is shorter"):
        read(**(PRODUCTION | {"JWT_SECRET": "long, long ago"}))


def test_every_setting_is_documented(read):
    """docs/settings.md has each variable that is read, limits as a whole."""
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    read()
    known = {name for name in read_environment().known if not name.startswith("LIMIT_")}
    assert len(known) > 40
    assert [name for name in sorted(known) if f"`{name}`" not in page] == []


def test_several_workers_need_redis(read):
    """Also on one's own machine, or they would not hear each other."""
    assert read().workers == 1
    assert read(WEB_CONCURRENCY="4").workers == 1
    with pytest.raises(SettingsError, match=r"^WORKERS is more than 1 and REDIS_URL is not set"):
        read(WORKERS="2")
    assert read(WORKERS="2", REDIS_URL="redis://localhost").workers == 2
    for count in ("0", "-1", "65", "two"):
        with pytest.raises(SettingsError, match="WORKERS is not valid"):
            read(WORKERS=count, REDIS_URL="redis://localhost")


def test_each_worker_has_a_port_for_metrics(read):
    """Counted from the first one's, as far as there are ports."""
    chosen = {"REDIS_URL": "redis://localhost", "METRICS_PORT": "65534"}
    assert read(WORKERS="2", **chosen).metrics_port == 65534
    with pytest.raises(SettingsError, match="METRICS_PORT leaves no port"):
        read(WORKERS="3", **chosen)


def test_connections_are_drained_where_others_take_them(read):
    """Without Redis nobody else has what clients have missed."""
    assert read().drain_s == read(DRAIN_S="7").drain_s == 0
    assert read(REDIS_URL="redis://localhost").drain_s == 20
    assert read(REDIS_URL="redis://localhost", DRAIN_S="7").drain_s == 7
    assert read(REDIS_URL="redis://localhost", DRAIN_S="0").drain_s == 0
    with pytest.raises(SettingsError, match="DRAIN_S"):
        read(REDIS_URL="redis://localhost", DRAIN_S="-1")

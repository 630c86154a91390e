"""What the environment decides."""

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from app.settings import Limits, Settings, SettingsError

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
    """market-notifications.md: 5 connections a minute, 10 messages a second, a ping in 50 s."""
    settings = read()
    assert settings.limits.connects_per_minute == 5
    assert settings.limits.messages_per_s == 10
    assert settings.raw_ping_interval_s == 50
    assert settings.story_lifetime_hours == 24


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
    without = {name: value for name, value in PRODUCTION.items() if name != "ENVIRONMENT"}
    assert not read(DYNO="web.1", **without).development


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

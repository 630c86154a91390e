"""`python -m app doctor`: what it names, and how it ends."""

import os
import re
import socket
from datetime import UTC, datetime, timedelta

import pytest

from app import doctor
from app.doctor import Level, examine
from app.storage import Store
from models.errors import Unavailable
from models.migrations import Migration, Migrations
from tests.programs import free_neighbours, free_port, run

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def diagnose(settings, monkeypatch):
    """Examine with these variables and no others; the findings."""

    async def diagnose(**variables):
        for name in os.environ.copy():
            monkeypatch.delenv(name)
        always = {"DATA_DIR": str(settings.data_dir), "GRPC_PORT": "0", "PORT": str(free_port())}
        if settings.mongodb_uri:
            always["MONGODB_URI"] = settings.mongodb_uri
        always["MONGODB_DATABASE"] = settings.mongodb_database
        for name, value in {**always, **variables}.items():
            monkeypatch.setenv(name, value)
        return [finding async for finding in examine()]

    return diagnose


def errors(findings):
    return [f"{one.about}: {one.sentence}" for one in findings if one.level is Level.ERROR]


def warnings(findings):
    return [f"{one.about}: {one.sentence}" for one in findings if one.level is Level.WARNING]


async def test_a_server_that_can_serve(diagnose):
    """Nothing is wrong with a development server on an empty store."""
    findings = await diagnose(PATH="/bin", HOME="/", HOSTNAME="x", LANG="C", DYNO_RAM="512")
    assert errors(findings) == []
    assert not [line for line in warnings(findings) if not line.startswith("machine")]
    assert {"settings", "keys", "ports", "store"} <= {one.about for one in findings}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JWT_SECRETS", "JWT_SECRET"),
        ("LEGACY_PORT", "LEGACY_PORTS"),
        ("MONGO_DB_URI", "MONGODB_URI"),
        ("OPERATOR_ACCOUNT", "OPERATOR_ACCOUNTS"),
        ("public_url", "PUBLIC_URL"),
    ],
)
async def test_typos_are_named(diagnose, name, meant):
    """A variable that is nearly a setting is probably meant to be it; its value is not shown."""
    found = warnings(await diagnose(**{name: "hidden"}))
    assert f"settings: {name} is not a setting; did you mean {meant}?" in found
    assert "hidden" not in "".join(found)


async def test_unknown_limits_are_errors(diagnose):
    """A limit that nobody enforces is worse than none."""
    found = errors(await diagnose(LIMIT_UPLOAD_BYTE="5", LIMIT_OF_MY_OWN="5"))
    assert found == [
        "settings: LIMIT_OF_MY_OWN is no limit of this server.",
        "settings: LIMIT_UPLOAD_BYTE is no limit of this server; did you mean LIMIT_UPLOAD_BYTES?",
    ]


async def test_all_missing_settings_at_once(diagnose):
    """One run names everything that production wants."""
    found = errors(await diagnose(ENVIRONMENT="production", MONGODB_URI="", VAPID_PRIVATE_KEY="x"))
    named = [re.match(r"settings: (\w+)", line)[1] for line in found]
    assert sorted(named) == ["JWT_SECRET", "MONGODB_URI", "VAPID_SUBJECT"]


async def test_what_production_should_think_about(diagnose, settings):
    """Possible, and seldom meant."""
    found = warnings(
        await diagnose(
            ENVIRONMENT="production",
            STORE="" if settings.mongodb_uri else "embedded",
            JWT_SECRET=f"{SECRET},{'a' * 40}",
            SERVICE_TOKEN=SECRET,
            CORS_ORIGINS="*",
            LOG_LEVEL="DEBUG",
            TRUSTED_PROXIES="0",
        )
    )
    text = "\n".join(found)
    for name in ("CORS_ORIGINS", "LOG_LEVEL", "PUBLIC_URL", "TRUSTED_PROXIES", "OPERATOR_ACCOUNTS"):
        assert f"settings: {name}" in text
    assert "two settings have the same secret" in text
    assert "JWT_SECRET has 2 values" in text
    assert "fewer than 10 different characters" in text
    assert SECRET not in text


async def test_a_secret_with_a_comma(diagnose):
    """It may be meant as several."""
    found = warnings(await diagnose(JWT_SECRET=f"{SECRET},short"))
    assert any("JWT_SECRET has a comma and is one value" in line for line in found)


async def test_a_key_that_is_none(diagnose):
    """Keys are tried before a server needs them."""
    found = errors(
        await diagnose(
            VAPID_PRIVATE_KEY="hidden", GRPC_TLS_CERT="/nowhere/a.pem", GRPC_TLS_KEY="/nowhere/b"
        )
    )
    assert any("VAPID_PRIVATE_KEY" in line for line in found)
    assert "keys: the file of GRPC_TLS_CERT cannot be read." in found
    assert "hidden" not in "".join(found)


async def test_ports(diagnose):
    """One that is taken, and one that is set twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = errors(await diagnose(LEGACY_PORTS=str(port)))
        assert [line for line in found if line.startswith(f"ports: cannot listen on port {port}: ")]
    port = str(free_port())
    found = errors(await diagnose(PORT=port, METRICS_PORT=port, LEGACY_PORTS=port))
    assert f"ports: port {port} is set for two things." in found


async def test_several_workers(diagnose, redis):
    """Each has a port for metrics, and a core of its own."""
    first = free_neighbours()
    with socket.create_server(("127.0.0.1", first + 1)):
        found = await diagnose(WORKERS="64", REDIS_URL=redis.url, METRICS_PORT=str(first))
    assert f"ports: cannot listen on port {first + 1}: Address already in use." in errors(found)
    assert [line for line in warnings(found) if line.startswith("machine: 64 WORKERS share ")]
    found = await diagnose(WORKERS="2", REDIS_URL=redis.url, METRICS_PORT="9100", PORT="9101")
    assert "ports: port 9101 is set for two things." in errors(found)
    found = await diagnose(WORKERS="2")
    assert [line for line in errors(found) if line.startswith("settings: WORKERS is more than 1")]


async def test_beside_a_server_that_runs(diagnose, server):
    """Its ports are taken by right."""
    findings = await diagnose(PORT=server.url.rpartition(":")[2])
    assert [one for one in findings if "answers on port" in one.sentence]
    assert errors(findings) == []


async def test_a_store_that_is_away(diagnose):
    """It is said in the store's own sentence, and no password of the address."""
    found = errors(await diagnose(MONGODB_URI="mongodb://user:hidden@127.0.0.1:1:2/x"))
    assert len(found) == 1
    assert "hidden" not in found[0]


async def test_a_database_of_an_older_release(diagnose, accounts, monkeypatch):
    """A production server would not start on it."""

    class More(Migrations):
        def __init__(self, database):
            super().__init__(database, [Migration(1_000_000, "Change a shape", None)])

    monkeypatch.setattr(doctor, "Migrations", More)
    await accounts.find_or_create_by_email("ann@example.com")
    found = warnings(await diagnose())
    assert any("lacks migration 1000000; run `python -m app migrate`" in line for line in found)


async def test_operators_that_are_not_there(diagnose):
    """A typo in an id would lock the operator out."""
    found = warnings(await diagnose(OPERATOR_ACCOUNTS="4711"))
    assert "settings: OPERATOR_ACCOUNTS names an account that is not there." in found


@pytest.mark.parametrize(("apart_s", "level"), [(0, Level.OK), (60, Level.WARNING)])
async def test_the_clock(settings, apart_s, level):
    """It is compared with the database's, where that is another machine's."""

    async def theirs():
        return datetime.now(UTC) + timedelta(seconds=apart_s)

    store = Store({}, None, None, theirs)
    findings = [finding async for finding in doctor._clock(settings, store)]
    assert [(one.about, one.level) for one in findings] == [("clock", level)]


async def test_a_store_that_fails_while_it_is_looked_at(settings, monkeypatch):
    """The other findings stand, and the end is orderly."""

    class Away:
        def __getitem__(self, name):
            raise Unavailable("The database is away; try again.")

    closed = []

    async def fine():
        closed.append(True)

    async def opened(_):
        return Store(Away(), fine, fine)

    monkeypatch.setattr(doctor, "open_store", opened)
    findings = [finding async for finding in doctor._store(settings)]
    assert errors(findings) == ["store: The database is away; try again."]
    assert len(closed) == 2


@pytest.mark.fault
async def test_the_command(environment):
    """Its exit status is for scripts: 0, 1 for errors, and 1 for warnings when asked."""
    environment = {**environment, "PORT": str(free_port())}
    status, lines, _ = await run("doctor", environment=environment)
    assert status == 0
    assert lines[-1].startswith("0 errors, ")
    broken = {**environment, "LIMIT_X": "1", "PORT": "x"}
    status, lines, printed = await run("doctor", environment=broken)
    assert (status, printed) == (1, [])
    assert lines[-1].startswith("2 errors")
    typo = {**environment, "LEGACY_PORT": "1"}
    assert (await run("doctor", environment=typo))[0] == 0
    assert (await run("doctor", "--strict", environment=typo))[0] == 1

"""`python -m app doctor` looks at the Redis of REDIS_URL."""

from dataclasses import replace

import pytest

from app import doctor
from app.doctor import Level
from tests.programs import free_port

SECRET = "a-password-that-is-not-shown"


@pytest.fixture
def look(settings):
    """Examine a Redis; the findings by level, none with a secret."""

    async def look(url, *, verify_tls=True):
        changed = replace(settings, redis_url=url, redis_tls_verify=verify_tls)
        findings = [finding async for finding in doctor._redis(url, changed)]
        assert SECRET not in repr(findings)
        assert {finding.about for finding in findings} <= {"redis"}
        return {
            level: [each.sentence for each in findings if each.level is level] for level in Level
        }

    return look


async def test_a_redis_that_serves(look, redis):
    found = await look(redis.url)
    assert found[Level.ERROR] == found[Level.WARNING] == []
    assert found[Level.OK][0].startswith("version ")
    assert "maxmemory is not set." in found[Level.OK]


async def test_one_that_is_away(look):
    found = await look(f"redis://user:{SECRET}@127.0.0.1:{free_port()}/0")
    (sentence,) = found[Level.ERROR]
    assert sentence.startswith("it cannot be reached (")


async def test_one_that_does_not_answer(look, redis, monkeypatch):
    monkeypatch.setattr(doctor, "ANSWER_S", 0.2)
    redis.pause()
    found = await look(redis.url)
    assert "does not answer" in found[Level.ERROR][0]
    redis.resume()


async def test_a_password_that_is_wrong(look, redis):
    """Nor is one that is missing shown, or mistaken for a Redis that is away."""
    redis.stop()
    redis.start("--requirepass", "another")
    for url in (f"unix://:{SECRET}@{redis.url.removeprefix('unix://')}", redis.url):
        found = await look(url)
        assert found[Level.ERROR] == ["it refuses the user or the password of REDIS_URL."]


async def test_memory_that_is_emptied(look, redis):
    """Any policy but one removes what processes have yet to read."""
    redis.stop()
    redis.start("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    found = await look(redis.url)
    (sentence,) = found[Level.WARNING]
    assert "maxmemory-policy is allkeys-lru" in sentence
    redis.stop()
    redis.start("--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
    found = await look(redis.url)
    assert found[Level.WARNING] == []
    assert "of 67,108,864 bytes are used." in found[Level.OK][1]


async def test_memory_that_is_small(look, redis):
    redis.stop()
    redis.start("--maxmemory", "10mb", "--maxmemory-policy", "noeviction")
    found = await look(redis.url)
    assert found[Level.WARNING] == ["maxmemory is 10,485,760 bytes; 24,000,000 are needed."]


async def test_a_replica(look, redis):
    """Nothing can be written there."""
    redis.stop()
    redis.start("--replicaof", "127.0.0.1", str(free_port()))
    found = await look(redis.url)
    assert [each for each in found[Level.ERROR] if "it is a replica" in each]


async def test_a_user_without_info(look, redis):
    """What cannot be asked is not guessed."""
    redis.stop()
    redis.start("--user", "default", "on", "nopass", "~*", "+@all", "-info")
    found = await look(redis.url)
    assert found[Level.ERROR] == []
    assert "may not ask INFO" in found[Level.WARNING][0]


async def test_certificates(look, redis, certificate):
    """One that is not verified is an error, or a warning where that is switched off."""
    port = free_port()
    cert, key = certificate
    redis.stop()
    redis.start(
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(cert), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(cert)),
    )
    url = f"rediss://:{SECRET}@localhost:{port}"
    found = await look(url)
    assert "certificate cannot be verified" in found[Level.ERROR][0]
    found = await look(f"rediss://localhost:{port}", verify_tls=False)
    assert found[Level.ERROR] == []
    (sentence,) = found[Level.WARNING]
    assert "certificate is not checked" in sentence


async def test_a_port_that_speaks_no_tls(look, redis, monkeypatch):
    """It waits for the rest of what it takes for a command."""
    monkeypatch.setattr(doctor, "ANSWER_S", 0.5)
    port = free_port()
    redis.stop()
    redis.start("--port", str(port))
    found = await look(f"rediss://localhost:{port}")
    assert "If it speaks no TLS" in found[Level.ERROR][0]


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("about", "seconds", "part"),
    [
        ({"redis_version": "5.0.14"}, NOW, "too old"),
        ({"redis_version": "6.0.16"}, NOW, "too old"),
        ({"redis_version": "6.2.0"}, 0, "its clock is years behind"),
        ({"redis_version": "7.4", "cluster_enabled": 1}, NOW, "it is a cluster"),
        ({"redis_version": "6.2.0", "role": "master"}, NOW, None),
        ({"redis_version": "10.0.0"}, NOW, None),
    ],
)
def test_servers_that_are_not_at_hand(about, seconds, part):
    found = list(doctor._redis_server(about, about["redis_version"], seconds))
    assert [part in each.sentence for each in found] == ([True] if part else [])


def test_memory_that_is_nearly_full():
    about = {"maxmemory": 30_000_000, "used_memory": 28_000_000, "maxmemory_policy": "noeviction"}
    (found,) = doctor._redis_memory(about)
    assert found.level is Level.WARNING
    assert "28,000,000 of 30,000,000 bytes are used" in found.sentence

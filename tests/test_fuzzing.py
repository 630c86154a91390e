"""Schemathesis makes requests of the OpenAPI document, and compares what the server answers."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import fields, replace

import pytest

from app.main import create_app
from app.settings import Limits
from models.accounts import Accounts, Passwords
from tests.conftest import CHEAP
from tests.live import Server

EXAMPLES = 8
"""For each operation and phase: some 6,000 requests in all, a minute of one core."""

SEED = 1
"""The same requests at every run: what fails can be repeated, and nothing fails by chance."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
    "negative_data_rejection",
)
"""All but whether what the schema allows is taken: a cursor has to be one, an emoji an emoji."""

NOT_FUZZED = {
    "/api/v1/auth/logout": "it ends the session of the token",
    "/api/v1/auth/me": "it may delete the account",
    "/api/v1/admin/users/{user_id}/kick": "it may end the session of the token",
    "/api/v1/admin/users/{user_id}/disable": "it may disable the account",
    "/api/v1/admin/sign-ups": "it may close the sign-up",
    "/api/v1/auth/sessions/{session_id}": "it may end the session of the token",
    "/ws": "a WebSocket",
    "/ws/{user_id}": "a WebSocket",
    "/api/v1/ws": "a WebSocket",
    "/api/v1/ws/{user_id}": "a WebSocket",
    "/api/v1/auth/email/send-verification": "without mail it answers 503",
    "/api/v1/auth/password/forgot": "without mail it answers 503",
}
"""Paths that are left out, and why."""


@pytest.fixture
async def often(monkeypatch, settings, store, passwords, listening) -> Server:
    """A server whose limits on rates are not reached."""
    monkeypatch.setattr("app.main.Passwords", lambda: Passwords(CHEAP))
    rates = ("_per_", "_burst")
    limits = {
        limit.name: 10**6 for limit in fields(Limits) if any(part in limit.name for part in rates)
    }
    # Without a service token a development server takes what other services send from anyone.
    chosen = replace(
        settings, service_token="only-for-tests", limits=replace(settings.limits, **limits)
    )
    url = await listening.start(await create_app(chosen))
    accounts = Accounts(store.database, passwords)
    return Server(url, listening.stack, listening.http, settings=chosen, accounts=accounts)


@pytest.mark.fault
@pytest.mark.timeout(500)
async def test_the_server_answers_as_its_document_says(often, tmp_path):
    """Valid and invalid requests of every route have documented answers, and none fails."""
    token = await often.token("fuzzer")
    excluded = [part for path in NOT_FUZZED for part in ("--exclude-path", path)]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{often.url}/api/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        *(
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            str(SEED),
            "--no-shrink",
            "--continue-on-failure",
        ),
        *("--request-timeout", "60"),
        *("--suppress-health-check", "all", "--warnings", "off", "--output-truncate", "true"),
        *excluded,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=PIPE, stderr=STDOUT
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()[-20_000:]
    # It was not turned away at the door: what it made is there.
    for path in ("/stories", "/api/v1/channels"):
        status, page = await often.call(token, "GET", path)
        assert status == 200
        assert page.get("items") or page.get("data"), path

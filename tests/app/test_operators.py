"""The operators' commands, as they are typed."""

import argparse
import getpass
import io
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import pytest

from app import operators
from app.identity.authenticator import Authenticator
from app.identity.own_jwt import OwnTokens
from app.settings import Settings
from app.store import open_store
from models.accounts import Accounts, Passwords
from tests.conftest import CHEAP

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run one command; give exit status, standard output and standard error."""
    parser = argparse.ArgumentParser(prog="app")
    operators.add_parsers(parser.add_subparsers())
    monkeypatch.setattr(operators, "Passwords", lambda: Passwords(CHEAP))

    async def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        args = parser.parse_args(words)
        status = await args.run(settings, args)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


async def add(run: Run, email: str = "ann@example.com", *options: str) -> tuple[int, str, str]:
    return await run("users", "add", email, "--password-stdin", *options, stdin="password123\n")


async def test_add(run: Run, settings: Settings) -> None:
    """An added account logs in with the password from standard input."""
    status, printed, _ = await add(run, "Ann@example.com", "--name", "Ann")
    assert (status, printed) == (0, "Account 1 created for Ann@example.com.\n")
    store = await open_store(settings)
    passwords = Passwords(CHEAP)
    account = await Accounts(store.database, passwords).log_in("ann@example.com", "password123")
    assert (account.id, account.name) == ("1", "Ann")
    passwords.close()
    await store.close()


async def test_prompt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the password is asked for twice, and two that differ are refused."""
    answers: Iterator[str] = iter(["password123", "password123", "password123", "password124"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    assert (await run("users", "add", "ann@example.com"))[0] == 0
    status, _, error = await run("users", "add", "bob@example.com")
    assert (status, error) == (1, "The two passwords differ.\n")


@pytest.mark.parametrize("word", ["--password", "password123"])
async def test_no_password_in_arguments(run: Run, word: str) -> None:
    """A password among the arguments is not taken."""
    with pytest.raises(SystemExit):
        await run("users", "add", "ann@example.com", word)


async def test_refusals(run: Run) -> None:
    """What cannot be is one sentence on standard error and exit status 1."""
    await add(run)
    status, printed, error = await add(run, "ANN@example.com")
    assert (status, printed, error) == (1, "", "This e-mail already has an account.\n")
    status, _, error = await run("users", "add", "b@example.com", "--password-stdin", stdin="short")
    assert (status, error) == (1, "password: Length must be between 8 and 256.\n")
    status, _, error = await add(run, "nobody")
    assert (status, error) == (1, "email: Not a valid email address.\n")
    for command in ("users disable", "users enable", "token"):
        status, _, error = await run(*command.split(), "9")
        assert (status, error) == (1, "There is no account '9'.\n")


async def test_disable_and_enable(run: Run) -> None:
    """An account is disabled and enabled by e-mail or id, and listed as what it is."""
    await add(run)
    assert (await run("users", "disable", "Ann@EXAMPLE.com"))[0] == 0
    status, printed, error = await run("token", "ann@example.com")
    assert (status, printed) == (1, "")
    assert "disabled" in error
    assert (await run("users", "list"))[1].split("\t")[3] == "disabled"
    assert (await run("users", "enable", "1"))[0] == 0
    assert (await run("users", "list"))[1].split("\t")[3] == "enabled"


async def test_list(run: Run) -> None:
    """Every account is a line with id, e-mail, phone, state, time and name."""
    await add(run, "ann@example.com", "--phone", "+441632960961")
    await add(run, "bob@example.com", "--name", "Bob")
    lines = [line.split("\t") for line in (await run("users", "list"))[1].splitlines()]
    assert [[*line[:4], line[5]] for line in lines] == [
        ["1", "ann@example.com", "+441632960961", "enabled", "-"],
        ["2", "bob@example.com", "-", "enabled", "Bob"],
    ]


async def test_token(run: Run, settings: Settings) -> None:
    """The token command prints a token that the server accepts, and nothing else."""
    await add(run)
    status, printed, error = await run("token", "ann@example.com")
    assert (status, error) == (0, "")
    store = await open_store(settings)
    passwords = Passwords(CHEAP)
    tokens = OwnTokens(settings.jwt_secret, timedelta(minutes=1))
    authenticate = Authenticator(Accounts(store.database, passwords), tokens)
    assert (await authenticate(printed.removesuffix("\n"))).email == "ann@example.com"
    passwords.close()
    await store.close()

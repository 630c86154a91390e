"""The operators' commands, run as `python -m app` runs them, in this process."""

import asyncio
import io
from dataclasses import replace

import pytest

from app.__main__ import _parser
from app.identity.own_jwt import OwnTokens
from app.operators import Passwords
from tests.conftest import CHEAP

ANN = "ann@example.com"


@pytest.fixture
def operate(settings, monkeypatch, capsys):
    """Run one command: exit status, lines of output, lines of errors."""
    monkeypatch.setattr("app.operators.Passwords", lambda: Passwords(CHEAP))

    def run(*arguments, typed="", **changes):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        args = _parser().parse_args(arguments)
        status = asyncio.run(args.run(replace(settings, **changes), args))
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return run


@pytest.fixture
def add_ann(operate):
    status, _, errors = operate(
        "users", "add", ANN, "--name", "Ann", "--password-stdin", typed="password123\n"
    )
    assert (status, errors) == (0, [])


def test_an_account_is_added_and_listed(operate):
    """The new account's id and e-mail are printed; the list has one line for each account."""
    added = operate(
        *("users", "add", ANN, "--phone", "+441632960961", "--password-stdin"),
        typed="password123\n",
    )
    assert added == (0, [f"Account 1 created for {ANN}."], [])
    status, (line,), errors = operate("users", "list")
    assert (status, errors) == (0, [])
    columns = line.split("\t")
    assert columns[:4] == ["1", ANN, "+441632960961", "enabled"]
    assert columns[5] == "-"


@pytest.mark.parametrize(
    ("arguments", "typed", "named"),
    [
        ((ANN,), "short\n", "password"),
        (("not an e-mail",), "password123\n", "email"),
        ((ANN, "--phone", "123"), "password123\n", "phone"),
        ((ANN,), "", "password"),
    ],
)
def test_an_account_that_cannot_be_is_refused(operate, arguments, typed, named):
    """One line says which value is wrong; nothing is created."""
    status, lines, errors = operate("users", "add", *arguments, "--password-stdin", typed=typed)
    assert (status, lines, len(errors)) == (1, [], 1)
    assert errors[0].startswith(f"{named}: ")
    assert operate("users", "list") == (0, [], [])


@pytest.mark.usefixtures("add_ann")
def test_an_email_is_added_once(operate):
    """Another spelling of a taken e-mail is taken as well."""
    again = operate("users", "add", "ANN@Example.com", "--password-stdin", typed="password123\n")
    assert again == (1, [], ["This e-mail already has an account."])


@pytest.mark.usefixtures("add_ann")
def test_a_token_is_all_that_is_printed(operate, settings):
    """The output of `token` can be put into a header as it is."""
    status, (token,), errors = operate("token", ANN)
    assert (status, errors) == (0, [])
    assert OwnTokens(settings.jwt_secret, None).verify(token).account_id == "1"
    assert operate("token", "1")[0] == 0


@pytest.mark.usefixtures("add_ann")
def test_a_disabled_account_gets_no_token(operate):
    """Disabling and enabling are by e-mail or id."""
    assert operate("users", "disable", "1") == (0, [f"Account 1 ({ANN}) is disabled."], [])
    assert operate("users", "list")[1][0].split("\t")[3] == "disabled"
    status, lines, errors = operate("token", ANN)
    assert (status, lines, len(errors)) == (1, [], 1)
    assert operate("users", "enable", ANN) == (0, [f"Account 1 ({ANN}) is enabled."], [])
    assert operate("token", ANN)[0] == 0


@pytest.mark.parametrize(
    "command", [("token",), ("users", "disable"), ("users", "enable")], ids=" ".join
)
@pytest.mark.parametrize("account", ["nobody@example.com", "999"])
def test_an_unknown_account_is_named(operate, command, account):
    """A mistyped account is one line on standard error and exit status 1."""
    assert operate(*command, account) == (1, [], [f"There is no account {account!r}."])


def test_the_examples_load_twice(operate):
    """The second run adds nothing and says so."""
    status, lines, errors = operate("demo")
    assert (status, errors) == (0, [])
    assert all(line.startswith("added: ") for line in lines)
    status, again, errors = operate("demo")
    assert (status, errors) == (0, [])
    assert [line.removeprefix("there already: ") for line in again] == [
        line.removeprefix("added: ") for line in lines
    ]


def test_the_examples_have_no_place_in_production(operate):
    """Everybody knows their passwords."""
    status, lines, errors = operate("demo", environment="production")
    assert (status, lines, len(errors)) == (1, [], 1)
    assert "production" in errors[0]
    assert operate("users", "list") == (0, [], [])

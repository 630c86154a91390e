"""Commands for operators: `users add|disable|enable|list`, `token` and `demo`.

They open the database that the server uses and may run beside it.
"""

import argparse
import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TextIO

from marshmallow import ValidationError

from app.demo import load_demo
from app.identity.own_jwt import OwnTokens
from app.realtime.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.settings import Settings
from app.store import Store, open_store
from models.accounts import Account, Accounts, Passwords, SignUp
from models.accounts.schema import PASSWORD_MIN
from models.errors import DomainError, Forbidden, Invalid, NotFound
from models.stories.operations import Stories
from models.times import to_text

Command = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]
"""What `args.run` is: give it settings and arguments, get the exit status."""

_ACCOUNT_HELP = "e-mail address or id of the account"


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `users`, `token` and `demo`; each parsed command leaves its `Command` in `args.run`."""
    users = subparsers.add_parser(
        "users",
        help="add, disable, enable or list accounts",
        description="Look after the accounts of this server's database.",
    )
    commands = users.add_subparsers(metavar="COMMAND", required=True)

    add = commands.add_parser(
        "add",
        # `--password X` would be taken for the start of --password-stdin.
        allow_abbrev=False,
        help="create an account",
        description="Create an account. The password is asked for, or read from standard input "
        "with --password-stdin; it is never an argument, which other users could see.",
    )
    add.add_argument("email", help="e-mail address to log in with")
    add.add_argument("--name", help="name shown to others")
    add.add_argument("--phone", help="phone number in E.164, for example +441632960961")
    add.add_argument(
        "--password-stdin",
        action="store_true",
        help=f"read the password ({PASSWORD_MIN} or more characters) as one line from standard "
        "input",
    )
    add.set_defaults(run=_reported(add_user))

    disable = commands.add_parser(
        "disable",
        help="refuse an account at every door",
        description="End the account's sessions and refuse it at every door. Nothing is deleted; "
        "`users enable` lets it in again.",
    )
    disable.add_argument("account", help=_ACCOUNT_HELP)
    disable.set_defaults(run=_reported(disable_user))

    enable = commands.add_parser(
        "enable",
        help="let a disabled account in again",
        description="Let a disabled account in again; it has to log in anew.",
    )
    enable.add_argument("account", help=_ACCOUNT_HELP)
    enable.set_defaults(run=_reported(enable_user))

    show = commands.add_parser(
        "list",
        help="list all accounts",
        description="Print one account a line, separated by tabs: id, e-mail, phone, state, time "
        "of creation, name.",
    )
    show.set_defaults(run=_reported(list_users))

    token = subparsers.add_parser(
        "token",
        help="print an access token for an account",
        description="Print an access token (JWT) for the account and nothing else, for example "
        'for: curl -H "Authorization: Bearer $(python -m app token test@example.com)" …',
    )
    token.add_argument("account", metavar="EMAIL", help=_ACCOUNT_HELP)
    token.set_defaults(run=_reported(print_token))

    demo = subparsers.add_parser(
        "demo",
        help="load example accounts and stories",
        description="Load example accounts, the documents' test@example.com / password123 among "
        "them, with stories, views and reactions. Loading them again adds what is missing. Not in "
        "production: everybody knows the passwords.",
    )
    demo.set_defaults(run=_reported(load_examples))


async def add_user(settings: Settings, args: argparse.Namespace) -> None:
    """Create an account with a password from the terminal or from standard input."""
    password = _piped_password(sys.stdin) if args.password_stdin else _typed_password()
    values = {"email": args.email, "password": password, "name": args.name, "phone": args.phone}
    try:
        checked: dict[str, Any] = SignUp().load(values)
    except ValidationError as error:
        raise Invalid(_sentence(error)) from None
    async with _accounts(settings) as accounts:
        account = await accounts.sign_up(**checked)
    _say(f"Account {account.id} created for {account.email}.")


async def disable_user(settings: Settings, args: argparse.Namespace) -> None:
    """Disable an account."""
    async with _accounts(settings) as accounts:
        account = await accounts.disable((await _named(accounts, args.account)).id)
    _say(f"Account {account.id} ({account.email}) is disabled.")


async def enable_user(settings: Settings, args: argparse.Namespace) -> None:
    """Enable an account."""
    async with _accounts(settings) as accounts:
        account = await accounts.enable((await _named(accounts, args.account)).id)
    _say(f"Account {account.id} ({account.email}) is enabled.")


async def list_users(settings: Settings, _: argparse.Namespace) -> None:
    """Print all accounts."""
    async with _accounts(settings) as accounts:
        page = await accounts.list_after()
        while page:
            for account in page:
                _say(_line(account))
            page = await accounts.list_after(page[-1].id)


async def print_token(settings: Settings, args: argparse.Namespace) -> None:
    """Print an access token that lasts as long as one from a login."""
    async with _accounts(settings) as accounts:
        account = await _named(accounts, args.account)
    if account.disabled:
        raise Forbidden("This account is disabled; it would be refused.", code="account_disabled")
    tokens = OwnTokens(settings.jwt_secret, timedelta(minutes=settings.access_token_minutes))
    _say(tokens.issue(account))


async def load_examples(settings: Settings, _: argparse.Namespace) -> None:
    """Load the examples and say what is there."""
    if not settings.development:
        raise Forbidden("The examples have well-known passwords, so production does not load them.")
    async with _opened(settings) as (store, accounts):
        # Rooms of this short-lived process, in which nobody is.
        publisher = RoomPublisher(RoomManager())
        lifetime = timedelta(hours=settings.story_lifetime_hours)
        stories = Stories(store.database, publisher, lifetime=lifetime)
        await stories.prepare()
        for line in await load_demo(accounts, stories):
            _say(line)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Store, Accounts]]:
    store = await open_store(settings)
    passwords = Passwords()
    try:
        accounts = Accounts(store.database, passwords)
        await accounts.prepare()
        yield store, accounts
    finally:
        passwords.close()
        await store.close()


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[Accounts]:
    async with _opened(settings) as (_, accounts):
        yield accounts


async def _named(accounts: Accounts, text: str) -> Account:
    found = await accounts.find_by_email(text) if "@" in text else await accounts.find(text)
    if found is None:
        raise NotFound(f"There is no account {text!r}.", code="account_not_found")
    return found


def _reported(
    command: Callable[[Settings, argparse.Namespace], Awaitable[None]],
) -> Command:
    async def run(settings: Settings, args: argparse.Namespace) -> int:
        try:
            await command(settings, args)
        except DomainError as error:
            sys.stderr.write(f"{error.message}\n")
            return 1
        return 0

    return run


def _piped_password(source: TextIO) -> str:
    return source.readline().rstrip("\r\n")


def _typed_password() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise Invalid("The two passwords differ.")
    return password


def _sentence(error: ValidationError) -> str:
    messages = error.messages_dict
    return " ".join(f"{field}: {' '.join(messages[field])}" for field in messages)


def _line(account: Account) -> str:
    state = "disabled" if account.disabled else "enabled"
    columns = [account.id, account.email, account.phone, state, to_text(account.created_at)]
    return "\t".join([column or "-" for column in columns] + [account.name or "-"])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")

"""Commands for operators about one account's ways in, and about invitations."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from marshmallow import ValidationError

from app.operators import (
    ACCOUNT_HELP,
    named_account,
    opened,
    piped_password,
    reported,
    say,
    sentence,
    typed_password,
)
from app.settings import Settings
from models.accounts import Accounts
from models.accounts.links import LinkKind
from models.accounts.recovery import Recovery
from models.accounts.schema import NAME_MAX, PASSWORD_MIN, NewEmail, NewPassword
from models.errors import Conflict, Invalid, NotFound
from models.times import to_text

USES_MAX = 10_000
DAYS_MAX = 365


def add_account_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add to `users` what looks after one account's ways in, and after invitations."""

    def add(name: str, help: str, run: object, *, account: bool = True) -> argparse.ArgumentParser:
        # `--password X` would be taken for the start of --password-stdin.
        command = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        if account:
            command.add_argument("account", help=ACCOUNT_HELP)
        command.set_defaults(run=run)
        return command

    password = add(
        "password", "set an account's password and end its sessions", reported(set_password)
    )
    password.add_argument(
        "--password-stdin",
        action="store_true",
        help=f"read the password ({PASSWORD_MIN} or more characters) as one line from standard "
        "input",
    )
    add("sessions", "list an account's sessions", reported(list_sessions))
    end = add("end-sessions", "end one or all of an account's sessions", reported(end_sessions))
    end.add_argument("session", nargs="?", help="id of the session; without it all are ended")
    add("verify", "note that an account's e-mail is its owner's", reported(verify))
    add(
        "reset-link",
        "print a one-time link that sets a new password (good for an hour)",
        reported(reset_link),
    )
    add(
        "verify-link",
        "print a one-time link that verifies an e-mail (good for seven days)",
        reported(verify_link),
    )
    add(
        "delete",
        "delete an account as soon as its orders are finished; the server does it within a minute",
        reported(delete_account),
    )
    add("keep", "withdraw the deletion of an account that still waits", reported(keep_account))
    for name, help, run in (
        ("change-email", "set an account's e-mail, which is known to be its owner's", change_email),
        ("email-link", "print a one-time link that changes an e-mail (good for a day)", email_link),
    ):
        add(name, help, reported(run)).add_argument("email", help="the new e-mail address")
    invite = add(
        "invite", "print the code of a new invitation", reported(invite_users), account=False
    )
    invite.add_argument(
        "--uses", type=_number(USES_MAX), default=1, help="how many accounts it makes (default: 1)"
    )
    invite.add_argument(
        "--days", type=_number(DAYS_MAX), default=14, help="for how long it is good (default: 14)"
    )
    invite.add_argument("--note", help="what it is for; shown by `users invites`")
    add("invites", "list the invitations that are good", reported(list_invites), account=False)
    withdraw = add("uninvite", "end an invitation", reported(uninvite), account=False)
    withdraw.add_argument("invite", help="id of the invitation, or its code")


async def set_password(settings: Settings, args: argparse.Namespace) -> None:
    """Set a password from the terminal or from standard input."""
    password = piped_password(sys.stdin) if args.password_stdin else typed_password()
    try:
        NewPassword(only=["new_password"]).load({"new_password": password})
    except ValidationError as error:
        raise Invalid(sentence(error).replace("new_password", "password")) from None
    async with _recovery(settings) as (accounts, recovery):
        account = await named_account(accounts, args.account)
        await recovery.set_password(account.id, password)
    say(f"The password of account {account.id} is set; its sessions have ended.")


async def list_sessions(settings: Settings, args: argparse.Namespace) -> None:
    """Print one session a line: id, begin, last use, client, network."""
    async with _recovery(settings) as (accounts, _):
        account = await named_account(accounts, args.account)
        for session in await accounts.sessions.of(account.id):
            columns = (
                session["id"],
                session["created_at"],
                session["last_used_at"],
                session["client"],
                session["network"],
            )
            say("\t".join(column or "-" for column in columns))


async def end_sessions(settings: Settings, args: argparse.Namespace) -> None:
    """End one session, or all credentials of an account."""
    async with _recovery(settings) as (accounts, _):
        account = await named_account(accounts, args.account)
        if args.session:
            await accounts.sessions.end(account.id, args.session)
        else:
            await accounts.end_credentials(account.id)
    say("The session has ended." if args.session else f"All sessions of {account.id} have ended.")


async def delete_account(settings: Settings, args: argparse.Namespace) -> None:
    """Have the server delete an account: it has what every domain keeps of it."""
    async with _recovery(settings) as (accounts, _):
        account = await named_account(accounts, args.account)
        await accounts.lifecycle.schedule_deletion(account.id)
    say(f"Account {account.id} will be deleted by the server, once no order of it is under way.")


async def keep_account(settings: Settings, args: argparse.Namespace) -> None:
    """Keep an account that is to be deleted."""
    async with _recovery(settings) as (accounts, _):
        account = await named_account(accounts, args.account)
        await accounts.lifecycle.withdraw_deletion(account.id)
    say(f"Account {account.id} is kept.")


async def verify(settings: Settings, args: argparse.Namespace) -> None:
    """Note that the operator knows whose e-mail it is."""
    async with _recovery(settings) as (accounts, _):
        account = await named_account(accounts, args.account)
        if account.email is None:
            raise Conflict("The account has no e-mail.", code="email_missing")
        await accounts.verify_email(account.id, account.email)
    say(f"The e-mail {account.email} of account {account.id} is verified.")


async def reset_link(settings: Settings, args: argparse.Namespace) -> None:
    """Print a link that sets a new password."""
    await _print_link(settings, args, LinkKind.RESET_PASSWORD)


async def verify_link(settings: Settings, args: argparse.Namespace) -> None:
    """Print a link that verifies an e-mail."""
    await _print_link(settings, args, LinkKind.VERIFY_EMAIL)


async def change_email(settings: Settings, args: argparse.Namespace) -> None:
    """Change an e-mail that the operator knows to be the owner's."""
    email = _checked_email(args.email)
    async with _recovery(settings) as (accounts, recovery):
        account = await named_account(accounts, args.account)
        await accounts.check_email_free(account, email)
        await recovery.change_email(account, email)
    say(f"The e-mail of account {account.id} is {email}; it was {account.email or '-'}.")


async def email_link(settings: Settings, args: argparse.Namespace) -> None:
    """Print a link that changes an e-mail."""
    email = _checked_email(args.email)
    _require_public_url(settings)
    async with _recovery(settings) as (accounts, recovery):
        account = await named_account(accounts, args.account)
        say(await recovery.email_change_link(account, email))


def _checked_email(text: str) -> str:
    try:
        loaded: dict[str, str] = NewEmail(only=["email"]).load({"email": text})
    except ValidationError as error:
        raise Invalid(sentence(error)) from None
    return loaded["email"]


async def invite_users(settings: Settings, args: argparse.Namespace) -> None:
    """Print a new invitation's code, which cannot be shown again."""
    if args.note and len(args.note) > NAME_MAX:
        raise Invalid(f"A note has {NAME_MAX} characters at most.")
    async with _recovery(settings) as (accounts, _):
        lifetime = timedelta(days=args.days)
        say(await accounts.admission.invite(uses=args.uses, lifetime=lifetime, note=args.note))


async def list_invites(settings: Settings, args: argparse.Namespace) -> None:
    """Print one invitation a line: id, uses left of all, end, note."""
    async with _recovery(settings) as (accounts, _):
        for one in await accounts.admission.invites():
            uses = f"{one.uses_left}/{one.uses}"
            say("\t".join((one.id, uses, to_text(one.expires_at), one.note or "-")))


async def uninvite(settings: Settings, args: argparse.Namespace) -> None:
    """End an invitation."""
    async with _recovery(settings) as (accounts, _):
        await accounts.admission.withdraw(args.invite)
    say("The invitation has ended.")


async def _print_link(settings: Settings, args: argparse.Namespace, kind: LinkKind) -> None:
    _require_public_url(settings)
    async with _recovery(settings) as (accounts, recovery):
        say(await recovery.link(kind, await named_account(accounts, args.account)))


def _require_public_url(settings: Settings) -> None:
    if settings.public_url is None:
        raise NotFound("PUBLIC_URL is not set; links begin with it.")


@asynccontextmanager
async def _recovery(settings: Settings) -> AsyncIterator[tuple[Accounts, Recovery]]:
    async with opened(settings) as (store, accounts, passwords):
        recovery = Recovery(
            store.database, accounts, passwords, public_url=settings.public_url or ""
        )
        yield accounts, recovery


def _number(greatest: int) -> "type[int]":
    def read(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        if not 1 <= value <= greatest:
            raise argparse.ArgumentTypeError(f"a number from 1 to {greatest}")
        return value

    return read  # type: ignore[return-value]

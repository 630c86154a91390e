"""Commands for operators: `users …`, `token`, `migrate`, `orders`, `payments`, `pushes`, `demo`.

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

from app.access_log import printable
from app.demo import load_demo
from app.domains import payment_provider
from app.identity.own_jwt import OwnTokens
from app.logs import redact
from app.realtime.events.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.settings import Settings
from app.storage import Store, open_store
from models.accounts import Account, Accounts, Kind, Passwords, SignUp
from models.accounts.schema import PASSWORD_MIN
from models.chat.members import Members
from models.errors import DomainError, Forbidden, Invalid, NotFound
from models.market.deliveries import Deliveries
from models.market.receipts import Receipts
from models.market.stuck import StuckOrders
from models.market.withdrawals import orders_of_disabled, orders_under_way, withdraw_offers
from models.migrations import Migrations
from models.notifications.push_drops import PushDrops
from models.pages import Page, Position
from models.times import now, to_text

Command = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]
"""What `args.run` is: give it settings and arguments, get the exit status."""

ACCOUNT_HELP = "e-mail address or id of the account"


def add_parsers(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add the commands, and return those of `users`.

    Each parsed command leaves its `Command` in `args.run`.
    """
    users = subparsers.add_parser(
        "users",
        help="look after accounts: add, disable, password, sessions, invite and more",
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
    add.set_defaults(run=reported(add_user))

    disable = commands.add_parser(
        "disable",
        help="refuse an account by every transport",
        description="End the account's sessions and refuse it everywhere. Nothing is deleted; "
        "`users enable` lets it in again.",
    )
    disable.add_argument("account", help=ACCOUNT_HELP)
    disable.set_defaults(run=reported(disable_user))

    enable = commands.add_parser(
        "enable",
        help="let a disabled account in again",
        description="Let a disabled account in again; it has to log in anew.",
    )
    enable.add_argument("account", help=ACCOUNT_HELP)
    enable.set_defaults(run=reported(enable_user))

    show = commands.add_parser(
        "list",
        help="list all accounts",
        description="Print one account a line, separated by tabs: id, e-mail, phone, state, time "
        "of creation, name.",
    )
    show.set_defaults(run=reported(list_users))

    token = subparsers.add_parser(
        "token",
        help="print an access token for an account",
        description="Print an access token (JWT) for the account and nothing else, for example "
        'for: curl -H "Authorization: Bearer $(python -m app token test@example.com)" …',
    )
    token.add_argument("account", metavar="EMAIL", help=ACCOUNT_HELP)
    token.set_defaults(run=reported(print_token))

    migrate = subparsers.add_parser(
        "migrate",
        help="bring the database to the shapes of this release",
        description="Take the numbered steps that the database has not taken yet. Running it again "
        "changes nothing. In production it belongs into the release phase, before new processes "
        "start; a development server does it when it starts.",
    )
    migrate.add_argument(
        "--again",
        metavar="NUMBER",
        type=int,
        help="take this step once more, for what processes of the former release wrote after it",
    )
    migrate.set_defaults(run=reported(run_migrations))

    orders = subparsers.add_parser(
        "orders",
        help="list orders that need an operator, and why",
        description="Print a line of each order that is stuck (stuck, order, status, reason, what "
        "can be done, time of the last step), then of each that has not ended and of which buyer "
        "or seller is disabled (disabled, order, status, account), separated by tabs. Operators "
        "refund and deliver through POST /api/v1/orders/{order_id}/…; refund_at_provider and "
        "pay_out_at_provider are done there, and its webhook tells. What is not_finished is tried "
        "again every minute: the server's log says why it fails.",
    )
    orders.set_defaults(run=reported(list_orders))

    payments = subparsers.add_parser(
        "payments",
        help="list payments to be given back, and events that could not be used",
        description="Print what the payment provider reported and needs a decision: a line of each "
        "surplus payment (surplus, time, payment, order, amount, currency, given back), then one "
        "of each event of the last 30 days that could not be used (event, time, event, type, "
        "order, payment, code, message), separated by tabs. A surplus payment leaves the list when "
        "the provider has given it back, or when an operator says so: POST "
        "/api/v1/payments/surplus/{payment_id}/settle. Of an event compare what the provider shows "
        "of its payment; it is not delivered again.",
    )
    payments.set_defaults(run=reported(list_payments))

    pushes = subparsers.add_parser(
        "pushes",
        help="count the pushes that were dropped",
        description="Print how many pushes were dropped in the last 30 days (day, reason, count), "
        "separated by tabs; running servers add to it once a minute. Reasons: busy (too many "
        "waited; of notifications, not devices), unreachable, backing_off (left alone after it "
        "could not be reached), service_busy (its push service refused for too long) and stopped "
        "(the server stopped). Notifications themselves are in the inbox all the same.",
    )
    pushes.set_defaults(run=reported(count_dropped_pushes))

    demo = subparsers.add_parser(
        "demo",
        help="load example accounts and what they did in a month",
        description="Load example accounts, the documents' test@example.com / password123 among "
        "them, with stories, channels and conversations, a market with sales and orders, and a "
        "diary. Loading them again adds what is missing. Not in production: anyone knows the "
        "passwords.",
    )
    demo.set_defaults(run=reported(load_examples))
    return commands


async def add_user(settings: Settings, args: argparse.Namespace) -> None:
    """Create an account with a password from the terminal or from standard input."""
    password = piped_password(sys.stdin) if args.password_stdin else typed_password()
    values = {"email": args.email, "password": password, "name": args.name, "phone": args.phone}
    try:
        checked: dict[str, Any] = SignUp().load(values)
    except ValidationError as error:
        raise Invalid(sentence(error)) from None
    async with _accounts(settings) as accounts:
        account = await accounts.sign_up(**checked)
    say(f"Account {account.id} created for {account.email}.")


async def disable_user(settings: Settings, args: argparse.Namespace) -> None:
    """Disable an account, cancel its open offers, and list its orders under way."""
    async with opened(settings) as (store, accounts, _):
        account = await accounts.disable((await named_account(accounts, args.account)).id)
        withdrawn = await withdraw_offers(store.database, account.id)
        orders = await orders_under_way(store.database, account.id)
    say(f"Account {account.id} ({account.email}) is disabled.")
    if withdrawn:
        say(f"Open offers cancelled: {withdrawn}.")
    for order_id, status in orders:
        say(f"Order {order_id} is under way: {status}.")


async def enable_user(settings: Settings, args: argparse.Namespace) -> None:
    """Enable an account."""
    async with _accounts(settings) as accounts:
        account = await accounts.enable((await named_account(accounts, args.account)).id)
    say(f"Account {account.id} ({account.email}) is enabled.")


async def list_users(settings: Settings, args: argparse.Namespace) -> None:
    """Print all accounts."""
    async with _accounts(settings) as accounts:
        page = await accounts.list_after()
        while page:
            for account in page:
                say(_line(account))
            page = await accounts.list_after(page[-1].id)


async def print_token(settings: Settings, args: argparse.Namespace) -> None:
    """Print an access token that lasts as long as one from a login."""
    async with _accounts(settings) as accounts:
        account = await named_account(accounts, args.account)
    if account.disabled:
        raise Forbidden("This account is disabled; it would be refused.", code="account_disabled")
    tokens = OwnTokens(settings.jwt_secrets, timedelta(minutes=settings.access_token_minutes))
    say(tokens.issue(account))


async def run_migrations(settings: Settings, args: argparse.Namespace) -> None:
    """Take the pending migrations, and one again if asked to; say which."""
    store = await open_store(settings)
    try:
        migrations = Migrations(store.database)
        taken = await migrations.apply()
        if args.again is not None and args.again not in {step.number for step in taken}:
            taken.append(await migrations.again(args.again))
        for step in taken:
            say(f"{step.number}: {step.summary}")
        say("The database is up to date.")
    finally:
        await store.close()


async def list_orders(settings: Settings, _: argparse.Namespace) -> None:
    """Print the stuck orders, then those under way of disabled accounts."""
    store = await open_store(settings)
    makes_refunds = payment_provider(settings).makes_refunds
    try:
        stuck = StuckOrders(store.database, now, makes_refunds=makes_refunds)
        async for order in every_item(stuck.page):
            why, actions = order["stuck"]["reason"], ",".join(order["stuck"]["actions"]) or "-"
            say(f"stuck\t{order['id']}\t{order['status']}\t{why}\t{actions}\t{order['updated_at']}")
        async for columns in orders_of_disabled(store.database):
            say("\t".join(("disabled", *columns)))
    finally:
        await store.close()


async def list_payments(settings: Settings, _: argparse.Namespace) -> None:
    """Print the surplus payments, then the events that could not be used."""
    store = await open_store(settings)
    try:
        receipts, deliveries = Receipts(store.database, now), Deliveries(store.database, now)
        surplus = ("received_at", "payment_id", "order_id", "amount", "currency", "refunded_amount")
        async for payment in every_item(receipts.list_surplus):
            say("\t".join(["surplus", *(str(payment[field] or "-") for field in surplus)]))
        named = ("received_at", "id", "type", "order_id", "payment_id")
        async for event in every_item(deliveries.list_unusable):
            columns = [*(event[field] for field in named), *event["problem"].values()]
            say("\t".join(["event", *(printable(str(column or "-")) for column in columns)]))
    finally:
        await store.close()


async def count_dropped_pushes(settings: Settings, _: argparse.Namespace) -> None:
    """Print how many pushes were dropped, by day and reason."""
    store = await open_store(settings)
    try:
        async for day, reason, count in PushDrops(store.database, now).days():
            say(f"{day}\t{reason}\t{count}")
    finally:
        await store.close()


async def every_item(page_of: Callable[..., Awaitable[Page[Any]]]) -> AsyncIterator[Any]:
    """Yield the items of all pages of a list."""
    page = await page_of()
    while True:
        for item in page["items"]:
            yield item
        if page["next"] is None:
            return
        page = await page_of(after=Position.from_text(page["next"]))


async def load_examples(settings: Settings, args: argparse.Namespace) -> None:
    """Load the examples and say what is there."""
    if not settings.development:
        raise Forbidden("The examples have well-known passwords, so production does not load them.")
    async with opened(settings) as (store, _, passwords):
        # Rooms of this short-lived process, in which no one is.
        publisher = RoomPublisher(RoomManager().log)
        for line in await load_demo(store.database, publisher, settings, passwords):
            say(line)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Store, Accounts, Passwords]]:
    """Open the database and its accounts; sign-up is open to operators, whatever `SIGNUP` says."""
    store = await open_store(settings)
    passwords = Passwords()
    try:
        accounts = Accounts(store.database, passwords)
        await accounts.prepare()
        Members(store.database, now).follow(accounts.people)
        yield store, accounts, passwords
    finally:
        passwords.close()
        await store.close()


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[Accounts]:
    async with opened(settings) as (_, accounts, _):
        yield accounts


async def named_account(accounts: Accounts, text: str) -> Account:
    """Return the account with this e-mail or id.

    Raises:
        NotFound: code `account_not_found`.
    """
    found = await accounts.resolve(Kind.EMAIL if "@" in text else Kind.ID, text)
    if found is None:
        raise NotFound(f"There is no account {text!r}.", code="account_not_found")
    return found


def reported(
    command: Callable[[Settings, argparse.Namespace], Awaitable[None]],
) -> Command:
    """Have a command print its error in one line and end with status 1."""

    async def run(settings: Settings, args: argparse.Namespace) -> int:
        try:
            await command(settings, args)
        except DomainError as error:
            # It may repeat an argument, which may have been a token.
            sys.stderr.write(f"{redact(error.message)}\n")
            return 1
        return 0

    return run


def piped_password(source: TextIO) -> str:
    """Read a password as one line."""
    return source.readline().rstrip("\r\n")


def typed_password() -> str:
    """Ask for a password twice.

    Raises:
        Invalid: the two differ.
    """
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise Invalid("The two passwords differ.")
    return password


def sentence(error: ValidationError) -> str:
    """Write the messages of a schema in one line."""
    messages = error.messages_dict
    return " ".join(f"{field}: {' '.join(messages[field])}" for field in messages)


def _line(account: Account) -> str:
    state = "disabled" if account.disabled else "enabled"
    columns = [account.id, account.email, account.phone, state, to_text(account.created_at)]
    return "\t".join([column or "-" for column in columns] + [account.name or "-"])


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")

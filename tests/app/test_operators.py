"""The operators' commands, run as `python -m app` runs them, in this process."""

import asyncio
import io
from dataclasses import replace

import pytest

from app.__main__ import parser
from app.identity.own_jwt import OwnTokens
from app.operators import Passwords
from app.storage import open_store
from models.errors import NotFound
from models.market.deliveries import Deliveries
from models.market.payments import TestPayments
from models.market.receipts import Receipts, Received
from models.times import now
from tests.conftest import CHEAP
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    SELLER,
    SIZE,
    add_shoe,
    build_market,
    make_order,
)
from tests.stories_world import HandClock, person

ANN = "ann@example.com"


@pytest.fixture
def operate(settings, monkeypatch, capsys):
    """Run one command: exit status, lines of output, lines of errors."""
    monkeypatch.setattr("app.operators.Passwords", lambda: Passwords(CHEAP))

    def run(*arguments, typed="", **changes):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        args = parser().parse_args(arguments)
        status = asyncio.run(args.run(replace(settings, **changes), args))
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return run


class SlowPayments(TestPayments):
    """Pays out later, or never."""

    async def pay_out(self, order_id, *, account_id, cents):
        return False


@pytest.fixture
def ann_id(operate):
    """Add Ann; her id."""
    status, (line,), errors = operate(
        "users", "add", ANN, "--name", "Ann", "--password-stdin", typed="password123\n"
    )
    assert (status, errors) == (0, [])
    return line.split()[1]


def test_an_account_is_added_and_listed(operate):
    """The new account's id and e-mail are printed; the list has one line for each account."""
    status, (line,), errors = operate(
        *("users", "add", ANN, "--phone", "+441632960961", "--password-stdin"),
        typed="password123\n",
    )
    account_id = line.split()[1]
    assert (status, line, errors) == (0, f"Account {account_id} created for {ANN}.", [])
    status, (line,), errors = operate("users", "list")
    assert (status, errors) == (0, [])
    columns = line.split("\t")
    assert columns[:4] == [account_id, ANN, "+441632960961", "enabled"]
    assert columns[5] == "-"


@pytest.mark.parametrize(
    ("arguments", "typed", "named"),
    [
        ((ANN,), "short\n", "password"),
        (("not an e-mail",), "password123\n", "email"),
        (("ann\u200b@example.com",), "password123\n", "email"),
        ((ANN, "--name", "ann\u202egpj"), "password123\n", "name"),
        ((ANN, "--name", "not \udcff UTF-8"), "password123\n", "name"),
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


@pytest.mark.usefixtures("ann_id")
def test_an_email_is_added_once(operate):
    """Another spelling of a taken e-mail is taken as well."""
    again = operate("users", "add", "ANN@Example.com", "--password-stdin", typed="password123\n")
    assert again == (1, [], ["This e-mail already has an account."])


def test_a_token_is_all_that_is_printed(operate, settings, ann_id):
    """The output of `token` can be put into a header as it is."""
    status, (token,), errors = operate("token", ANN)
    assert (status, errors) == (0, [])
    assert OwnTokens(settings.jwt_secret, None).verify(token).account_id == ann_id
    assert operate("token", ann_id)[0] == 0


def test_a_disabled_account_gets_no_token(operate, ann_id):
    """Disabling and enabling are by e-mail or id."""
    disabled = operate("users", "disable", ann_id)
    assert disabled == (0, [f"Account {ann_id} ({ANN}) is disabled."], [])
    assert operate("users", "list")[1][0].split("\t")[3] == "disabled"
    status, lines, errors = operate("token", ANN)
    assert (status, lines, len(errors)) == (1, [], 1)
    assert operate("users", "enable", ANN) == (
        0,
        [f"Account {ann_id} ({ANN}) is enabled."],
        [],
    )
    assert operate("token", ANN)[0] == 0


def test_disabling_takes_offers_out_and_lists_orders(operate, ann_id, settings):
    """What waits in books is cancelled, what is under way is named, then and later."""

    async def trade():
        store = await open_store(settings)
        market = build_market(store.database)
        await market.prepare()
        shoe = await add_shoe(market)
        ann, where = person(ann_id), {"product_id": shoe, "size": SIZE}
        sold = await market.trading.place(ann, "ask", **where, price=100)
        await market.trading.place(BUYER, "bid", **where, price=100)
        await market.trading.place(ann, "ask", **where, price=200)
        await market.trading.place(ann, "bid", **where, price=50)
        order_id = (await market.trading.get(ann, "ask", sold["id"]))["order_id"]
        # As a running server, it has the book in memory.
        return store, market, where, order_id

    async def look(store, market, where):
        bid = await market.trading.place(BUYER, "bid", **where, price=200)
        book = await market.trading.book(where["product_id"], SIZE)
        await store.close()
        return bid["status"], book

    with asyncio.Runner() as runner:
        store, market, where, order_id = runner.run(trade())
        disabled = operate("users", "disable", ann_id)
        assert disabled[1][1:] == [
            "Open offers cancelled: 2.",
            f"Order {order_id} is under way: created.",
        ]
        status, book = runner.run(look(store, market, where))
    assert (status, book["asks"]) == ("open", [])
    assert [level["price"] for level in book["bids"]] == ["2.00"]
    assert operate("orders") == (0, [f"disabled\t{order_id}\tcreated\t{ann_id}"], [])


@pytest.mark.parametrize(
    ("provider", "actions"), [("test", "refund"), ("webhook", "refund_at_provider")]
)
def test_stuck_orders_are_listed_with_what_can_be_done(operate, settings, provider, actions):
    """An order with a complaint and one that is not paid out are printed with their reasons."""

    async def trade():
        store = await open_store(settings)
        clock = HandClock()
        market = build_market(store.database, clock=clock, provider=SlowPayments())
        await market.prepare()
        shoe = await add_shoe(market)
        orders = [await make_order(market, shoe) for _ in range(3)]
        for order_id in orders:
            one = {"operation_id": order_id}
            await market.orders.pay(BUYER, order_id, card_number=GOOD_CARD, **one)
            await market.orders.ship(SELLER, order_id, carrier="UPS", tracking="1", **one)
        await market.orders.complain(BUYER, orders[0], text="It is broken.", operation_id="c")
        await market.orders.deliver(BUYER, orders[1], operation_id="d")
        await store.close()
        return orders

    assert operate("orders", payment_provider=provider) == (0, [], [])
    complained, delivered, _ = asyncio.run(trade())
    status, lines, errors = operate("orders", payment_provider=provider)
    assert (status, errors) == (0, [])
    assert [line.split("\t")[:5] for line in lines] == [
        ["stuck", delivered, "delivered", "not_paid_out", "pay_out_at_provider"],
        ["stuck", complained, "shipped", "complaint", f"{actions},deliver"],
    ]


@pytest.mark.parametrize(
    "command", [("token",), ("users", "disable"), ("users", "enable")], ids=" ".join
)
@pytest.mark.parametrize(
    "account", ["nobody@example.com", "999", "+441632960961", "\udcff@example.com", "\udcff", ""]
)
def test_an_unknown_account_is_named(operate, command, account):
    """A mistyped account is one line on standard error and exit status 1."""
    assert operate(*command, account) == (1, [], [f"There is no account {account!r}."])


def test_who_merely_looks_alike_is_not_meant(operate):
    """An e-mail that looks like somebody's neither disables them nor gets their token."""
    added = operate("users", "add", "straße@x.de", "--password-stdin", typed="password123\n")
    assert added[0] == 0
    for command in (("users", "disable"), ("token",)):
        assert operate(*command, "strasse@x.de")[0] == 1
        assert operate(*command, "Straße@X.de")[0] == 0
        operate("users", "enable", "straße@x.de")


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


@pytest.mark.usefixtures("ann_id")
def test_an_accounts_ways_in(operate):
    """Operators set a password, list and end sessions, verify an e-mail and hand out links."""
    assert operate("users", "sessions", ANN) == (0, [], [])
    status, lines, errors = operate("users", "password", ANN, "--password-stdin", typed="short\n")
    assert (status, lines, errors[0].startswith("password: ")) == (1, [], True)
    status, (line,), _ = operate(
        "users", "password", ANN, "--password-stdin", typed="another password\n"
    )
    assert (status, line.endswith("its sessions have ended.")) == (0, True)
    assert operate("users", "verify", ANN)[0] == 0
    assert operate("users", "end-sessions", ANN)[0] == 0
    assert operate("users", "end-sessions", ANN, "unknown") == (
        1,
        [],
        ["There is no such session."],
    )
    for command, path in (("reset-link", "reset"), ("verify-link", "verify")):
        status, (link,), errors = operate("users", command, ANN, public_url="https://example.com")
        assert (status, errors) == (0, [])
        assert link.startswith(f"https://example.com/#/{path}/")
        assert operate("users", command, ANN, public_url=None)[0] == 1


@pytest.mark.usefixtures("ann_id")
def test_invitations(operate):
    """An invitation's code is printed once; afterwards it is known by its id and its note."""
    status, (code,), errors = operate("users", "invite", "--uses", "3", "--note", "the team")
    assert (status, errors) == (0, [])
    status, (line,), _ = operate("users", "invites")
    invite, uses, _, note = line.split("\t")
    assert (uses, note, code in line) == ("3/3", "the team", False)
    assert operate("users", "uninvite", invite) == (0, ["The invitation has ended."], [])
    assert operate("users", "invites") == (0, [], [])
    assert operate("users", "uninvite", code)[0] == 1


def test_operators_make_accounts_while_sign_up_is_closed(operate):
    """`SIGNUP` is for those who come through the doors."""
    added = operate(
        "users", "add", ANN, "--password-stdin", typed="password123\n", sign_ups="closed"
    )
    assert added[0] == 0


def test_payments_that_want_a_person_are_listed(operate, settings):
    """Surplus payments and unusable events are printed with what names them, on one line each."""

    async def report():
        store = await open_store(settings)
        receipts, deliveries = Receipts(store.database, now), Deliveries(store.database, now)
        await receipts.receive(Received("pi_2", 22_000), "7")
        await receipts.keep_as_surplus("pi_2")
        for number in range(25):
            event_id = f"evt_{number}"
            await deliveries.claim(event_id, "charge.refunded")
            error = NotFound("There is no\nsuch order.", code="order_not_found")
            await deliveries.finish_unused(event_id, error, order_id=None, payment_id="pi_3")
        await store.close()

    assert operate("payments") == (0, [], [])
    asyncio.run(report())
    status, (surplus, *events), errors = operate("payments")
    assert (status, errors, len(events)) == (0, [], 25)
    assert surplus.split("\t")[2:] == ["pi_2", "7", "220.00", "usd", "0.00"]
    named = {line.split("\t")[2] for line in events}
    assert named == {f"evt_{number}" for number in range(25)}
    columns = events[0].split("\t")[3:]
    assert columns[:4] == ["charge.refunded", "-", "pi_3", "order_not_found"]


def test_an_email_is_changed(operate, ann_id, settings):
    """The operator changes an e-mail, or prints the link that does; wrong ones change nothing."""

    async def members(*added):
        store = await open_store(settings)
        stored = store.database["chat_members"]
        for member in added:
            await stored.insert_one(member)
        found = await stored.find({}).to_list(None)
        await store.close()
        return found

    asyncio.run(members({"_id": f"c:{ann_id}", "account_id": ann_id, "handles": []}))
    status, (line,), errors = operate("users", "change-email", ANN, "ann@new.example.org")
    assert (status, line.startswith(f"The e-mail of account {ann_id}"), errors) == (0, True, [])
    assert operate("users", "list")[1][0].split("\t")[1] == "ann@new.example.org"
    # Where she is a member, she is called by it from now on.
    (member,) = asyncio.run(members())
    assert "ann@new.example.org" in member["handles"]
    status, (link,), _ = operate("users", "email-link", ann_id, ANN, public_url="https://x.example")
    assert (status, link.startswith("https://x.example/#/verify/")) == (0, True)
    for wrong in ("no address", "ann@new.example.org"):
        status, lines, errors = operate("users", "change-email", ann_id, wrong)
        assert (status, lines, len(errors)) == (1, [], 1)


def test_a_migration_is_taken_again_when_asked_for(operate):
    """The first run takes all; another takes the one asked for, and refuses an unknown one."""
    *_, (status, lines, errors) = operate("migrate"), operate("migrate", "--again", "10")
    assert (status, errors) == (0, [])
    assert [line.split(":")[0] for line in lines] == ["10", "The database is up to date."]
    status, lines, errors = operate("migrate", "--again", "1000000")
    assert (status, lines) == (1, [])
    assert "1000000" in errors[0]

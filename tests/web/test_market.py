"""The market of two people: a live book, offers, sales as a chart, orders step by step."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import AXE, needs_axe, violations
from tests.web.browsers import DESKTOP, PHONE, Person, Server, needs_browser
from tests.web.chat_steps import call
from tests.web.looks import HOSTILE, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), needs_browser]

SIZE = "US 9"
_numbers = itertools.count(1)


def product(person: Person, name: str = "Road Runner", sizes: tuple[str, ...] = (SIZE,)) -> str:
    """Add a product from another device; return its id."""
    body = {"name": name, "sku": f"MARKET-{next(_numbers)}", "sizes": sizes}
    return str(call(person, "POST", "/api/v1/products", body)["id"])


def place(person: Person, side: str, product_id: str, price: str) -> Any:
    """Place an offer from another device; return it."""
    body = {"product_id": product_id, "size": SIZE, "price": price}
    return call(person, "POST", f"/api/v1/{side}s", body)


def sell(buyer: Person, seller: Person, product_id: str, price: str) -> str:
    """Have a pair change hands and be paid, from other devices; return the order's id."""
    place(buyer, "bid", product_id, price)
    order = str(place(seller, "ask", product_id, price)["order_id"])
    call(buyer, "POST", f"/api/v1/orders/{order}/pay", {"card_number": "4242424242424242"})
    return order


def look_at(person: Person, product_id: str) -> None:
    """Open the book, and wait until it is there."""
    person.go(f"market/{product_id}/{SIZE}")
    here = f".market-sizes a[aria-current][href*='/{product_id}/']"
    person.until(lambda: person.one(here).is_displayed())
    person.until(lambda: person.one(".market-grid:not([hidden])").is_displayed())


def open_order(person: Person, order: str) -> None:
    """Open an order, and wait until it is there."""
    person.go(f"market/orders/{order}")
    person.until(lambda: person.one(".market-timeline"))


def offer(person: Person, side: str, price: str) -> None:
    """Place an offer in the form of the open product."""
    person.press(f".market-place [data-side={side}]")
    field = person.one(".market-place [name=price]")
    field.clear()
    field.send_keys(price, Keys.ENTER)


def book(person: Person) -> list[str]:
    """Read the levels as they stand: `ask 41.00 x 1`, highest first; own ones end with `own`."""
    script = """
    return [...document.querySelectorAll(".market-book tr.ask, .market-book tr.bid")].map((row) => {
      const own = row.querySelector(".market-mark").checkVisibility() ? " own" : "";
      const price = row.querySelector(".market-price").textContent.replace(/[^0-9.]/g, "");
      return `${row.classList[0]} ${price} x ${row.children[1].textContent}${own}`;
    });
    """
    levels: list[str] = person.driver.execute_script(script)
    return levels


def steps(person: Person) -> list[str]:
    """Read the steps that the order's timeline shows as done."""
    return [str(each.get_property("textContent")) for each in person.all(".done > strong")]


def press_step(person: Person, name: str, *typed: str) -> None:
    """Take a step of the open order; `typed` goes to the fields of its dialog."""
    person.press(f".market-one [data-step={name}]")
    if typed or name in ("pay", "cancel_order", "refund"):
        person.until(lambda: person.one("dialog").is_displayed())
    for field, text in zip(person.all("dialog input, dialog textarea"), typed, strict=False):
        field.send_keys(text)
    if typed or name == "pay":
        person.press("dialog form [type=submit]")
    elif name in ("cancel_order", "refund"):
        person.press("dialog .danger")


def until_equal(person: Person, read: Callable[[Person], object], expected: object) -> None:
    """Wait until what is read is as expected."""
    person.until(lambda: read(person) == expected)


def until_says(person: Person, selector: str, text: str) -> None:
    """Wait until the first such element has the text."""
    person.until(lambda: text in person.text(selector))


def test_a_product_is_added_and_found(desktop: Person, phone: Person) -> None:
    """The form adds a product and says under its field what is wrong; the other one finds it."""
    desktop.go("market")
    desktop.press(".market-new")
    desktop.until(lambda: desktop.one("dialog [name=name]").is_displayed())
    name = f"Harbour Boot {next(_numbers)}"
    desktop.one("dialog [name=name]").send_keys(name)
    desktop.one("dialog [name=sku]").send_keys("no spaces")
    desktop.one("dialog [name=sizes]").send_keys("EU 41, EU 42 ,, EU 41")
    desktop.press("dialog [type=submit]")
    desktop.until(lambda: desktop.one("dialog [name=sku][aria-invalid]"))
    assert "Letters, digits" in desktop.text("dialog .field:has([name=sku]) .error")
    desktop.one("dialog [name=sku]").send_keys(Keys.CONTROL, "a")
    desktop.one("dialog [name=sku]").send_keys(f"HARBOUR-{next(_numbers)}", Keys.ENTER)
    desktop.until(lambda: [each.text for each in desktop.all(".market-sizes a")] != [])
    assert [each.text for each in desktop.all(".market-sizes a")] == ["EU 41", "EU 42"]
    assert desktop.text(".market-head h2") == name
    phone.go("market")
    phone.until(lambda: phone.one("[type=search]")).send_keys("boot harbour")
    phone.until(lambda: name in [each.text for each in phone.all(".market-product h2")])
    phone.one("[type=search]").send_keys(" nowhere")
    phone.until(lambda: phone.one(".screen-market .note.empty"))


def test_two_people_trade_live(desktop: Person, phone: Person) -> None:
    """Levels come and go at both; own ones are marked; the form says what will meet."""
    pair = product(desktop)
    for person in (desktop, phone):
        look_at(person, pair)
        assert "No offers yet" in person.text(".market-spread")
    offer(desktop, "ask", "41")
    until_equal(desktop, book, ["ask 41.00 x 1 own"])
    until_equal(phone, book, ["ask 41.00 x 1"])
    offer(phone, "bid", "39,50")
    until_equal(phone, book, ["ask 41.00 x 1", "bid 39.50 x 1 own"])
    until_equal(desktop, book, ["ask 41.00 x 1 own", "bid 39.50 x 1"])
    assert "1.50" in desktop.text(".market-spread")
    # A price of the book is a press away, and meets.
    phone.press("tr.ask .market-price")
    phone.until(lambda: "41.00" in phone.text(".market-fields .hint"))
    assert phone.text(".market-place [type=submit]") == "Buy now"
    # What crosses an own offer is refused, in the form.
    offer(desktop, "bid", "41")
    desktop.until(lambda: "would match" in desktop.text(".market-place"))
    desktop.press(".market-own button")
    until_equal(desktop, book, ["bid 39.50 x 1"])
    until_equal(phone, book, ["bid 39.50 x 1 own"])
    desktop.until(lambda: not desktop.all(".market-own li"))
    offer(phone, "bid", "nine")
    phone.until(lambda: phone.one(".market-place [name=price][aria-invalid]"))


def test_the_last_trade_flashes_and_joins_the_chart(desktop: Person, phone: Person) -> None:
    """A sale shows at once at both: in the middle of the book, at the side and in the chart."""
    pair = product(desktop)
    for person in (desktop, phone):
        look_at(person, pair)
        assert "Nothing has been sold" in person.text(".market-none")
    sell(desktop, phone, pair, "40.00")
    for person in (desktop, phone):
        until_says(person, ".market-last.flash", "40.00")
        until_says(person, ".market-readout", "1 sold")
        assert person.one(".market-plot .market-line")
    sell(desktop, phone, pair, "44.00")
    desktop.until(lambda: "44.00" in desktop.text(".market-last.flash[data-way=up]"))
    desktop.until(lambda: "44.00" in desktop.text(".market-ticks li:first-child"))
    desktop.until(lambda: "close $44.00, 2 sold" in desktop.text(".market-readout"))
    with preferring(desktop, reduced_motion="reduce"):
        style = "return getComputedStyle(document.querySelector('.market-last')).animationName"
        assert desktop.driver.execute_script(style) == "none"
    # Chosen by keyboard, and the same as a table.
    desktop.press(".market-choices [data-kind=candles]")
    desktop.until(lambda: desktop.one(".market-candle.up"))
    desktop.press(".market-choices [data-range='365']")
    plot = desktop.one(".market-plot")
    plot.send_keys(Keys.HOME)
    desktop.until(lambda: desktop.one(".market-cross"))
    assert "open $40.00, high $44.00, low $40.00" in str(plot.get_attribute("aria-valuetext"))
    desktop.press(".market-chart summary")
    cells = [each.text for each in desktop.all(".market-rows td")]
    assert cells == ["$40.00", "$44.00", "$40.00", "$44.00", "2"]


def test_an_order_goes_its_way(desktop: Person, phone: Person) -> None:
    """Pay with a declined card, then a good one; ship, report, receive: each on both screens."""
    pair = product(desktop)
    place(desktop, "bid", pair, "50.00")
    order = str(place(phone, "ask", pair, "50.00")["order_id"])
    for person in (desktop, phone):
        person.go("market/orders")
        until_says(person, ".market-order", "Road Runner")
        person.press(".market-order a")
        until_equal(person, steps, ["Matched"])
    assert phone.all("[data-step=pay]") == []
    desktop.press("[data-step=pay]")
    desktop.until(lambda: desktop.one("dialog select").is_displayed())
    desktop.one("dialog select").send_keys("4000")
    desktop.press("dialog form [type=submit]")
    until_equal(phone, steps, ["Matched", "Payment failed"])
    until_equal(desktop, steps, ["Matched", "Payment failed"])
    desktop.until(lambda: not desktop.all("dialog"))
    press_step(desktop, "pay")
    until_equal(phone, steps, ["Matched", "Payment failed", "Paid"])
    assert "Your turn" in phone.text(".market-turn")
    hostile = HOSTILE[4]
    press_step(phone, "ship", HOSTILE[0][:60], hostile)
    desktop.until(lambda: desktop.all("[data-step=complain]"))
    assert [each.text for each in desktop.all(".market-facts dd bdi")][1:] == [hostile]
    press_step(desktop, "complain", HOSTILE[1])
    phone.until(lambda: HOSTILE[1] in phone.text(".market-facts"))
    assert steps(phone)[-1] == "Problem reported"
    assert phone.one("[aria-current=step]").text.startswith("Shipped")
    press_step(desktop, "deliver")
    phone.until(lambda: steps(phone)[-1:] == ["Paid out"])
    desktop.until(lambda: steps(desktop)[-1:] == ["Paid out"])
    assert phone.all(".market-one [data-step]") == []
    for person in (desktop, phone):
        assert person.driver.execute_script("return document.title") != "taken"
    assert order in desktop.place()


def test_orders_end_early(desktop: Person, phone: Person) -> None:
    """An unpaid one is cancelled, a paid one refunded: asked once more, and seen by the other."""
    pair = product(desktop)
    place(desktop, "bid", pair, "60.00")
    unpaid = str(place(phone, "ask", pair, "60.00")["order_id"])
    paid = sell(desktop, phone, pair, "61.00")
    open_order(desktop, unpaid)
    open_order(phone, unpaid)
    desktop.press("[data-step=cancel_order]")
    desktop.until(lambda: desktop.one("dialog").is_displayed())
    desktop.press("dialog .quiet")
    desktop.until(lambda: not desktop.all("dialog"))
    assert steps(desktop) == ["Matched"]
    press_step(desktop, "cancel_order")
    until_equal(phone, steps, ["Matched", "Cancelled"])
    open_order(phone, paid)
    open_order(desktop, paid)
    press_step(phone, "refund")
    desktop.until(lambda: "$61.00" in desktop.text(".market-facts"))
    assert steps(desktop) == ["Matched", "Paid", "Refunded"]
    desktop.go("market/orders")
    desktop.until(lambda: len(desktop.all(".market-order")) == 2)
    desktop.press(".market-roles button:nth-child(3)")
    desktop.until(lambda: desktop.one(".screen-market .note.empty"))
    desktop.go("market/orders/999999")
    desktop.until(lambda: "not yours" in desktop.text(".screen-market .note.failed"))


def test_offers_wait_while_away(visitors: tuple[Person, Person], own_server: Server) -> None:
    """What is placed while the server is away waits, can be withdrawn, and is placed once."""
    one, other = visitors
    one.sign_up("one@example.com")
    other.sign_up("other@example.com")
    pair = product(one)
    place(other, "ask", pair, "80.00")
    for person in visitors:
        look_at(person, pair)
    own_server.stop()
    one.until(lambda: one.state() != "live")
    one.until(lambda: one.one(".market-grid.stale"))
    one.until(lambda: one.one(".as-of").is_displayed())
    if AXE.is_file():
        for scheme in ("light", "dark"):
            with preferring(one, color_scheme=scheme):
                assert violations(one) == []
    offer(one, "bid", "70")
    one.until(lambda: len(one.all(".market-waiting")) == 1)
    offer(one, "bid", "71")
    one.until(lambda: len(one.all(".market-waiting")) == 2)
    one.press(".market-waiting:has(bdi):nth-child(1) button")
    one.until(lambda: len(one.all(".market-waiting")) == 1)
    own_server.start()
    for person in visitors:
        person.connection("connection.retry();")
        person.wait_for_state("live")
    one.until(lambda: not one.all(".market-waiting") and not one.all(".market-grid.stale"))
    until_equal(one, book, ["ask 80.00 x 1", "bid 71.00 x 1 own"])
    until_equal(other, book, ["ask 80.00 x 1 own", "bid 71.00 x 1"])
    kept = one.text(".market-grid")
    one.driver.refresh()
    one.wait_for_state("live")
    one.until(lambda: one.one(".market-grid:not([hidden])").is_displayed())
    one.until(lambda: one.text(".market-grid") == kept)


def test_steps_of_an_order_wait_while_away(
    visitors: tuple[Person, Person], own_server: Server
) -> None:
    """A step taken away can be taken back, is made once when one is back, and seen by the other.

    A payment is not kept for later: it is refused, and says that nothing was charged.
    """
    buyer, seller = visitors
    buyer.sign_up("buyer@example.com")
    seller.sign_up("seller@example.com")
    pair = product(buyer)
    order = sell(buyer, seller, pair, "80.00")
    place(buyer, "bid", pair, "81.00")
    unpaid = str(place(seller, "ask", pair, "81.00")["order_id"])
    open_order(buyer, unpaid)
    open_order(seller, order)
    own_server.stop()
    for person in visitors:
        person.until(lambda person=person: person.state() != "live")
    press_step(buyer, "pay")
    buyer.until(lambda: "nothing was charged" in buyer.text("dialog [role=alert]"))
    press_step(seller, "ship", "UPS", "1Z888")
    seller.until(lambda: "Ship: waiting" in seller.text(".market-turn"))
    seller.press("[data-step=withdraw]")
    press_step(seller, "ship", "UPS", "1Z999")
    seller.until(lambda: "Ship: waiting" in seller.text(".market-turn"))
    assert seller.text(".pill-waiting") == "1 waiting"
    own_server.start()
    for person in visitors:
        person.connection("connection.retry();")
        person.wait_for_state("live")
    until_equal(seller, steps, ["Matched", "Paid", "Shipped"])
    assert "1Z999" in seller.text(".market-facts")
    assert seller.all(".market-waiting") == []
    buyer.driver.refresh()
    buyer.wait_for_state("live")
    open_order(buyer, order)
    until_equal(buyer, steps, ["Matched", "Paid", "Shipped"])
    assert "1Z999" in buyer.text(".market-facts")


def test_only_operators_add_products_in_production(people: list[Person], tmp_path: Path) -> None:
    """The form is there for those whom the server lets; others read who adds them."""
    settings = {"ENVIRONMENT": "production", "STORE": "embedded", "SIGNUP": "open"}
    own = Server(tmp_path / "data", **settings)
    own.start()
    try:
        operator = Person(people[0].driver, own.url, DESKTOP)
        operator.sign_up("operator@example.com")
        session = operator.driver.execute_script("return JSON.parse(sessionStorage.session)")
        own.stop()
        own = Server(tmp_path / "data", OPERATOR_ACCOUNTS=str(session["user"]["id"]), **settings)
        own.start()
        operator = Person(people[0].driver, own.url, DESKTOP)
        operator.sign_in("operator@example.com")
        operator.wait_for_state("live")
        operator.go("market")
        operator.until(lambda: operator.one(".market-new").is_displayed())
        assert "added by the operators" not in operator.one(".screen-market").text
        other = Person(people[1].driver, own.url, PHONE)
        other.sign_up("other@example.com")
        other.go("market")
        other.until(lambda: "added by the operators" in other.one(".screen-market").text)
        assert not other.one(".market-new").is_displayed()
    finally:
        own.stop()


def test_the_inspector_says_whether_the_book_is_equal(desktop: Person) -> None:
    """Each heartbeat's checksum is compared; a book that differs is read anew."""
    pair = product(desktop)
    look_at(desktop, pair)
    offer(desktop, "bid", "30")
    until_equal(desktop, book, ["bid 30.00 x 1 own"])
    notes = """
    const { frames } = module.modules["lib/frames.js"];
    return frames.list().filter((frame) => frame.direction === "note").map(({ name }) => name);
    """
    desktop.until(lambda: "Checksum equal" in desktop.module("app.js", notes))


@needs_axe
@pytest.mark.parametrize("language", ["en", "vi"])
def test_looks_with_much_and_little(desktop: Person, phone: Person, language: str) -> None:
    """A deep book, long names and many sizes, nothing at all, and a dialog: in both languages."""
    long = "Anniversary edition of the very long names " + "x" * 70
    empty = product(desktop, long, tuple(f"US {n}" for n in (9, *range(10, 40))))
    deep = product(desktop, HOSTILE[4])
    for n in range(14):
        place(desktop, "bid", deep, f"{12_000 - n}.50")
        place(phone, "ask", deep, f"{12_001 + n}.50")
    order = sell(desktop, phone, deep, "12001.00")
    for person in (desktop, phone):
        person.module("lib/i18n.js", "return module.setLanguage(args[0]);", language)
    try:
        for person in (desktop, phone) if language == "en" else (phone,):
            for look in (empty, deep):
                look_at(person, look)
                judge(person)
            assert len(person.all("tr.bid")) == len(person.all("tr.ask")) == 12
            open_order(person, order)
            judge(person)
        resize(phone, (320, 640))
        look_at(phone, empty)
        judge(phone)
        desktop.go("market")
        desktop.press(".market-new")
        desktop.until(lambda: desktop.one("dialog [name=sizes]").is_displayed())
        judge(desktop)
    finally:
        resize(phone, (390, 844))
        for person in (desktop, phone):
            person.module("lib/i18n.js", "return module.setLanguage('en');")


def judge(person: Person) -> None:
    """Axe finds nothing in either scheme; nothing stands out or is too small to press."""
    with preferring(person, color_scheme="dark"):
        assert violations(person) == []
    assert violations(person) == []
    assert outside(person) == []
    assert too_small(person) == []
    assert [each for each in person.complaints() if "No text for" in each] == []

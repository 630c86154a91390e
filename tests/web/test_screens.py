"""The screens of market and diary, and how all look: two people, live."""

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.axe import needs_axe, violations
from tests.web.browsers import Person, needs_browser
from tests.web.looks import outside

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150), needs_browser]

ADD_PRODUCT = """
const { api } = module.modules["lib/api.js"];
const [name, sku] = args;
return (await api.post("/api/v1/products", { name, sku, sizes: ["US 9"] })).id;
"""


def add_product(person: Person, name: str) -> str:
    """Add a product with one size, as everyone may in development; return its id."""
    return str(person.module("app.js", ADD_PRODUCT, name, name.upper().replace(" ", "-")))


def offer(person: Person, side: str, price: str) -> None:
    """Place a bid or an ask in the form of the open product."""
    person.press(f".market-place [data-side={side}]")
    field = person.one(".market-place [name=price]")
    field.clear()
    field.send_keys(price)
    person.press(".market-place [type=submit]")


def test_a_pair_is_traded(desktop: Person, phone: Person) -> None:
    """A bid meets an ask of the other, and the order goes its way on both screens."""
    product = add_product(desktop, "Road Runner")
    for person in (desktop, phone):
        person.go(f"market/{product}")
        person.until(lambda person=person: person.one(".market-grid").is_displayed())
    offer(desktop, "bid", "40.00")
    desktop.until(lambda: desktop.one("tr.bid.own"))
    phone.until(lambda: "40.00" in phone.text("tr.bid"))
    assert phone.all("tr.bid.own") == []
    offer(phone, "ask", "40.00")
    desktop.until(lambda: not desktop.all("tr.bid"))
    desktop.until(lambda: desktop.text("#bell .badge") not in ("", "0"))
    for person in (desktop, phone):
        person.go("market/orders")
        person.press(".market-order a")
        person.until(lambda person=person: person.one(".market-timeline"))
    desktop.press(".market-one .primary")
    desktop.press("dialog form [type=submit]")
    desktop.until(lambda: len(desktop.all(".market-timeline .done")) == 2)
    phone.until(lambda: len(phone.all(".market-timeline .done")) == 2)
    phone.press(".market-one .primary")
    phone.until(lambda: phone.one("dialog [name=carrier]").is_displayed())
    phone.one("dialog [name=carrier]").send_keys("GHN")
    phone.one("dialog [name=tracking]").send_keys("GHN 1")
    phone.press("dialog form [type=submit]")
    desktop.until(lambda: len(desktop.all(".market-timeline .done")) == 3)
    desktop.press(".market-one .primary")
    phone.until(lambda: not phone.all(".market-timeline .open"))
    desktop.go(f"market/{product}")
    desktop.until(lambda: "40.00" in desktop.text(".market-ticks"))
    desktop.go("notifications")
    desktop.until(lambda: len(desktop.all(".notifications-row.unread")) >= 3)
    desktop.press(".notifications-read-all")
    desktop.until(lambda: not desktop.one("#bell .badge").is_displayed())


def test_products_are_found_by_words_in_any_order(desktop: Person) -> None:
    """The search takes any words, and the empty list says so."""
    add_product(desktop, "Canvas Blue Mid")
    desktop.go("market")
    desktop.until(lambda: desktop.one("[type=search]"))
    desktop.one("[type=search]").send_keys("mid canvas")
    desktop.until(
        lambda: [card.text for card in desktop.all(".market-product h2")] == ["Canvas Blue Mid"]
    )
    desktop.one("[type=search]").send_keys(" nowhere")
    desktop.until(lambda: desktop.one(".screen-market .note.empty"))


def test_a_day_in_the_diary(desktop: Person) -> None:
    """A mood, an entry, a task checked off, a goal that moves, a motivation that answers."""
    desktop.go("diary")
    desktop.until(lambda: desktop.one(".diary-body").is_displayed())
    desktop.press(".diary-moods label:last-child")
    desktop.one("[name=text]").send_keys("A good day")
    desktop.one("[name=tags]").send_keys("walk")
    desktop.press(".diary-moods ~ .row [type=submit], section:has(.diary-moods) [type=submit]")
    desktop.until(lambda: "A good day" in desktop.text(".diary-entry"))
    desktop.until(lambda: "1" in desktop.text(".diary-streak"))
    desktop.press("section:has(.diary-tasks) summary")
    desktop.one("[name=title]").send_keys("Water the plants")
    desktop.press("section:has(.diary-tasks) [type=submit]")
    desktop.press(".diary-tasks label")
    desktop.until(lambda: desktop.one(".diary-tasks .done"))
    desktop.one("[name=challenge]").send_keys("Too many meetings")
    desktop.press("section:has([name=challenge]) [type=submit]")
    desktop.until(lambda: desktop.text(".diary-motivation"))
    assert len(desktop.all(".diary-day")) == 12 * 7
    desktop.driver.refresh()
    desktop.until(lambda: "A good day" in desktop.text(".diary-entry"))


@needs_axe
@pytest.mark.parametrize("place", ["market", "diary", "notifications", "account", "market/orders"])
def test_looks(desktop: Person, phone: Person, place: str) -> None:
    """axe finds nothing, and nothing stands out sideways, at a desktop and a phone."""
    product = add_product(desktop, f"Shoe {place}")
    places = [place, f"market/{product}"] if place == "market" else [place]
    for person in (desktop, phone):
        for each in places:
            person.go(each)
            person.until(
                lambda person=person: person.all(
                    ".screen .card, .screen .note, .market-grid:not([hidden])"
                )
            )
            assert violations(person) == []
            assert outside(person) == []

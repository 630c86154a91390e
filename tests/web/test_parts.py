"""The parts that screens share, by themselves in the page."""

from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.browsers import DESKTOP, Person, Server, needs_browser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

LIST = """
const { listView } = module.modules["lib/listview.js"];
const { el } = module.modules["lib/dom.js"];
const { shell } = module.modules["app.js"];
window.asked = [];
window.list = listView({ connection: shell.connection, toast() {} }, {
  load: (after) => new Promise((resolve, reject) => window.asked.push({ after, resolve, reject })),
  key: (item) => item,
  make: (item) => el("li", {}, item),
  empty: { text: "Nothing here", action: { label: "Add one", run() { window.added = true; } } },
  label: "Things",
});
document.querySelector("main").replaceChildren(window.list.element);
window.list.reload();
"""


@pytest.fixture
def listing(desktop: Person) -> Person:
    """A list whose answers the test gives."""
    desktop.module("app.js", LIST)
    return desktop


def answer(person: Person, script: str) -> None:
    """Answer the oldest question of the list."""
    person.until(lambda: person.driver.execute_script("return window.asked.length"))
    person.driver.execute_script(f"window.asked.shift().{script}")


def rows(person: Person) -> list[str]:
    return [row.text for row in person.all(".list > li")]


def test_list_shows_what_it_will_look_like(listing: Person) -> None:
    """While it loads there are placeholders, and none once the rows are there."""
    listing.until(lambda: listing.one(".skeleton"))
    assert listing.one(".skeleton").get_attribute("aria-label") == "Loading"
    answer(listing, "resolve({ items: ['one', 'two'], next: null })")
    listing.until(lambda: rows(listing) == ["one", "two"])
    assert listing.all(".skeleton") == []
    assert not listing.one(".quiet.wide").is_displayed()


def test_empty_list_offers_what_fills_it(listing: Person) -> None:
    """One sentence, and the action."""
    answer(listing, "resolve({ items: [], next: null })")
    listing.until(lambda: listing.text(".note.empty p") == "Nothing here")
    listing.press(".note.empty button")
    assert listing.driver.execute_script("return window.added")


def test_failed_list_is_tried_again(listing: Person) -> None:
    """What happened stays until the next try, which takes it away."""
    answer(listing, "reject(Object.assign(new Error(), { code: 'no_answer' }))")
    listing.until(lambda: listing.text(".note.failed p") == "The server did not answer.")
    listing.press(".note.failed button")
    answer(listing, "resolve({ items: ['one'], next: null })")
    listing.until(lambda: rows(listing) == ["one"])
    assert listing.all(".note.failed") == []


def test_pages_follow_each_other(listing: Person) -> None:
    """The next page comes as the end of the list comes into view; no row is there twice."""
    answer(listing, "resolve({ items: ['one', 'two'], next: 'n1' })")
    listing.until(lambda: listing.driver.execute_script("return window.asked[0]?.after === 'n1'"))
    answer(listing, "resolve({ items: ['two', 'three'], next: null })")
    listing.until(lambda: rows(listing) == ["one", "two", "three"])


def test_late_answer_changes_nothing(listing: Person) -> None:
    """The answer to a question that was asked anew is not shown."""
    listing.until(lambda: listing.driver.execute_script("return window.asked.length"))
    listing.driver.execute_script("window.list.reload()")
    listing.until(lambda: listing.driver.execute_script("return window.asked.length === 2"))
    listing.driver.execute_script("window.asked[1].resolve({ items: ['new'], next: null })")
    listing.until(lambda: rows(listing) == ["new"])
    listing.driver.execute_script("window.asked[0].resolve({ items: ['old'], next: null })")
    listing.driver.execute_async_script("setTimeout(arguments[0])")
    assert rows(listing) == ["new"]


STALE = """
const { opacity, filter } = getComputedStyle(document.querySelector(".list.stale"));
return [opacity, filter];
"""


def test_stale_list_says_of_when_it_is(people: list[Person], tmp_path: Path) -> None:
    """While away the rows stay, greyed and with their time; what failed comes by itself after."""
    own = Server(tmp_path / "data")
    own.start()
    person = Person(people[0].driver, own.url, DESKTOP)
    try:
        person.sign_up("stale@example.com")
        person.module("app.js", LIST)
        answer(person, "resolve({ items: ['one'], next: null })")
        person.until(lambda: rows(person) == ["one"])
        own.stop()
        person.wait_for_state("reconnecting")
        person.until(lambda: person.text(".as-of").startswith("As of "))
        assert rows(person) == ["one"]
        # An opacity would cost contrast.
        assert person.driver.execute_script(STALE) == ["1", "grayscale(1)"]
        person.driver.execute_script("window.list.reload()")
        answer(person, "reject(Object.assign(new Error(), { code: 'unreachable' }))")
        own.start()
        person.wait_for_state("live")
        answer(person, "resolve({ items: ['one', 'two'], next: null })")
        person.until(lambda: rows(person) == ["one", "two"])
        assert person.all(".as-of, .note.failed") == []
    finally:
        person.driver.get("about:blank")
        own.stop()


def test_rows_keep_their_nodes(desktop: Person) -> None:
    """Known rows stay the elements they were, with their focus, wherever they go."""
    kept = desktop.module(
        "lib/dom.js",
        """
        const list = module.el("ol");
        document.querySelector("main").replaceChildren(list);
        const show = (...items) => module.reconcile(list, items, {
          key: (item) => item,
          make: (item) => module.el("button", { type: "button" }, item),
          update: (node) => { node.dataset.updated = "true"; },
        });
        show("a", "b", "c");
        const [a, b] = list.children;
        b.focus();
        show("c", "b", "d", "a");
        return [
          [...list.children].map((node) => node.textContent).join(""),
          list.children[3] === a, document.activeElement === b, b.dataset.updated,
          list.children[2].dataset.updated ?? null,
        ];
        """,
    )
    assert kept == ["cbda", True, True, "true", None]


def test_dialog_keeps_and_returns_the_focus(desktop: Person) -> None:
    """Esc closes it, the answer is no, and the focus is back where it was."""
    desktop.one("#bell").send_keys("")
    desktop.driver.execute_script("document.querySelector('#bell').focus()")
    desktop.module(
        "lib/dialog.js",
        "window.answers = [];"
        "module.confirmDialog({ title: 'Sure', text: 'Really', action: 'Yes' })"
        ".then((answer) => window.answers.push(answer));",
    )
    for _ in range(6):
        desktop.driver.switch_to.active_element.send_keys(Keys.TAB)
        inside = "return document.querySelector('dialog').contains(document.activeElement)"
        body = "return document.activeElement === document.body"
        assert desktop.driver.execute_script(inside) or desktop.driver.execute_script(body)
    desktop.one("dialog button").send_keys(Keys.ESCAPE)
    desktop.until(lambda: desktop.driver.execute_script("return window.answers.length"))
    assert desktop.driver.execute_script("return window.answers") == [False]
    assert desktop.driver.execute_script("return document.activeElement.id") == "bell"


def test_three_toasts_at_most(desktop: Person) -> None:
    """The oldest goes for the newest; each can be dismissed."""
    desktop.module("lib/toast.js", "for (const n of [1, 2, 3, 4]) module.toast(`Toast ${n}`);")
    texts = [toast.get_property("textContent") for toast in desktop.all(".toast p")]
    assert texts == ["Toast 2", "Toast 3", "Toast 4"]
    desktop.press(".toast [aria-label=Dismiss]")
    desktop.until(lambda: len(desktop.all(".toast")) == 2)


def test_tabs_are_one_stop(desktop: Person) -> None:
    """Arrows choose among tabs; only the chosen panel is shown."""
    desktop.module(
        "lib/tabs.js",
        """
        const tab = (id, textContent) => (
          { id, label: id, panel: Object.assign(document.createElement("div"), { textContent }) });
        const items = [tab("A", "first"), tab("B", "second")];
        const { element } = module.tabs(items, { label: "Letters" });
        document.querySelector("main").replaceChildren(element);
        document.querySelector("[role=tab]").focus();
        """,
    )
    desktop.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    chosen = desktop.one("[role=tab][aria-selected=true]")
    assert chosen.text == "B"
    assert [panel.text for panel in desktop.all("[role=tabpanel]") if panel.is_displayed()] == [
        "second"
    ]
    stops = [tab.get_attribute("tabindex") for tab in desktop.all("[role=tab]")]
    assert stops == ["-1", "0"]


def test_words_count_and_are_filled(desktop: Person) -> None:
    """Plural forms follow the language; what is put in stays as it is."""
    filled = desktop.module(
        "lib/i18n.js",
        """
        const t = module.translator({
          "n": { one: "{count} view", other: "{count} views" },
          "x": "{a} and {b}",
        });
        const counts = [1, 1200].map((count) => t("n", { count }));
        return [...counts, t("x", { a: "{b}", b: "$&" }), t("retry")];
        """,
    )
    assert filled == ["1 view", "1,200 views", "{b} and $&", "Try again"]


def test_times_are_said_as_people_say_them(desktop: Person) -> None:
    """Relative within a week, a date afterwards; days by their names."""
    said = desktop.module(
        "lib/format.js",
        """
        const now = new Date(2026, 10, 25, 12).getTime();
        const minutes = (n) => module.relative(now - n * 60000, now);
        return [
          minutes(0), minutes(2), minutes(180), minutes(60 * 24 * 30),
          ...[0, 1, 5].map((days) => module.day(now - days * 86400000, now)),
          module.money("220.00"), module.badge(120), module.bytes(1536),
        ];
        """,
    )
    assert said == [
        "just now",
        "2 min. ago",
        "3 hr. ago",
        "Oct 26, 2026",
        "Today",
        "Yesterday",
        "Friday, November 20",
        "$220.00",
        "99+",
        "1.5 kB",
    ]

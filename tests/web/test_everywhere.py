"""Every screen on the example data: how it looks to different readers, and after being away.

The screens are those of `web/screens.js`; what can be opened within one stands in `WITHIN`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.common.exceptions import TimeoutException

from app.web import WEB
from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, Person, Server, needs_browser
from tests.web.chat_steps import call, say
from tests.web.looks import HOSTILE, outside, preferring, resize, too_small
from tests.web.states import MORE_STATES, STATES, furnish, open_state

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), needs_browser]

SCREENS = re.findall(r'\{ id: "(\w+)"', (WEB / "screens.js").read_text(encoding="utf-8"))

WITHIN = {
    "chat": ["chat/general"],
    "diary": ["diary/search/text/walk"],
    "market": ["market/1", "market/1/US 9", "market/orders", "market/orders/17"],
    "notifications": ["notifications/archive", "notifications/preferences"],
}
"""Places within a screen, on the example data."""

PLACES = [place for screen in SCREENS for place in (screen, *WITHIN.get(screen, []))]

BUSY = ".screen [aria-busy=true], .screen .skeleton"

# The page hears of another size with the next frame.
NEXT_FRAME = """
const done = arguments[arguments.length - 1];
requestAnimationFrame(() => requestAnimationFrame(() => done()));
"""

# Times since something happened go on by themselves; drafts and what is typed are no content.
CONTENT = """
const screen = document.querySelector("main .screen, .screen").cloneNode(true);
const passing = "time, .muted.small, svg, [hidden], .chat-line";
for (const each of screen.querySelectorAll(passing)) each.remove();
return screen.textContent.replace(/\\s+/g, " ").trim();
"""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the example data."""
    own = Server(tmp_path_factory.mktemp("examples"))
    own.operate("demo")
    own.start()
    furnish(own)
    yield own
    own.stop()


@pytest.fixture
def reader(people: list[Person], examples: Server) -> Iterator[Person]:
    """The example person Test at a desktop."""
    person = Person(people[0].driver, examples.url, DESKTOP)
    person.arrive()
    person.press(".demo-person[data-name=Test]")
    person.wait_for_state("live")
    person.complaints()
    yield person
    resize(person, DESKTOP)


def visit(person: Person, place: str) -> None:
    """Go there, and wait until everything has arrived."""
    person.go(place)
    person.until(lambda: person.one(f".screen-{place.partition('/')[0]}").is_displayed())
    person.until(lambda: not person.all(BUSY))
    person.until(lambda: len(str(person.driver.execute_script(CONTENT))) > 20)


def test_there_are_screens() -> None:
    """The table was read."""
    assert {"stories", "chat", "market", "diary", "notifications", "account"} <= {*SCREENS}


@needs_axe
@pytest.mark.parametrize("place", PLACES)
def test_for_every_reader(reader: Person, place: str) -> None:
    """axe finds nothing in either scheme or with forced colours; nothing stands out."""
    visit(reader, place)
    judge(reader)
    assert reader.complaints() == []


@needs_axe
@pytest.mark.parametrize("state", [*STATES, *MORE_STATES])
def test_what_opens_for_every_reader(reader: Person, state: str) -> None:
    """The same holds for what is opened over a screen: drawers, viewers, dialogs, menus."""
    place, steps = (STATES | MORE_STATES)[state]
    visit(reader, place)
    open_state(reader, steps)
    judge(reader)
    assert reader.complaints() == []


@needs_axe
@pytest.mark.parametrize("mode", ["signIn", "signUp"])
def test_the_welcome_screen_for_every_reader(
    people: list[Person], examples: Server, mode: str
) -> None:
    """The same holds for the first screen, with both of its forms, and what it refuses."""
    visitor = Person(people[0].driver, examples.url, DESKTOP)
    visitor.arrive()
    visitor.complaints()
    visitor.press(f"[data-mode={mode}]")
    visitor.until(lambda: visitor.one(".demo-person").is_displayed())
    judge(visitor)
    visitor.press(".card form [type=submit]")
    visitor.until(lambda: visitor.one(".card [aria-invalid]"))
    judge(visitor)
    assert visitor.complaints() == []
    resize(visitor, DESKTOP)


def judge(person: Person) -> None:
    """Look for what axe finds, and for what stands out or is too small to press."""
    for features in ({}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
        with preferring(person, **features):
            assert violations(person) == [], features
    for size in ((320, 640), (768, 1024), (1920, 1080)):
        resize(person, size)
        person.driver.execute_async_script(NEXT_FRAME)
        person.until(lambda: not person.all(BUSY))
        assert outside(person) == [], size
        assert too_small(person) == [], size


@pytest.mark.parametrize("place", PLACES)
def test_in_vietnamese(reader: Person, place: str) -> None:
    """No word of the page is missing or English."""
    reader.module("lib/i18n.js", "return module.setLanguage('vi');")
    try:
        visit(reader, place)
        words = reader.driver.execute_script("return document.body.innerText")
        english = reader.module("i18n/en.js", "return Object.values(module.default)")
        own = reader.module(
            f"screens/{place.partition('/')[0]}/en.js", "return Object.values(module.default)"
        )
        lines = {line.strip() for line in words.splitlines()}
        same = {"Chat", "Socket.IO", "{name}", "Email", "OK"}
        known = {word for word in [*english, *own] if isinstance(word, str)}
        assert lines & known - same == set()
    finally:
        reader.module("lib/i18n.js", "return module.setLanguage('en');")


@pytest.mark.parametrize("place", PLACES)
def test_the_keyboard_reaches_what_matters(reader: Person, place: str) -> None:
    """Whatever has the focus is seen, and a screen takes few stops."""
    visit(reader, place)
    stops = reader.driver.execute_script(
        """
        return [...document.querySelectorAll("main a[href], main button, main input, main select,"
          + "main textarea, main summary, main [tabindex='0']")]
          .filter((each) => each.checkVisibility({ visibilityProperty: true }))
          .filter((each) => !each.disabled && each.tabIndex >= 0).length
        """
    )
    assert stops > 0
    unseen = reader.driver.execute_script(
        """
        const found = [];
        for (const each of document.querySelectorAll("main a[href], main button, main input")) {
          if (!each.checkVisibility({ visibilityProperty: true }) || each.tabIndex < 0) continue;
          each.focus({ focusVisible: true });
          const shown = (node) => {
            const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
            return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
          };
          const label = each.labels?.[0];
          if (!shown(each) && !shown(each.parentElement) && !(label && shown(label))) {
            found.push(each.outerHTML.slice(0, 120));
          }
        }
        return found;
        """
    )
    assert unseen == []


INJECTED = """
const markup = "main script, main img[src=x], main svg[onload], main [onerror], dialog script,"
  + "dialog img[src=x], dialog svg[onload], a[href^='javascript:']";
return [document.title === "taken" || document.title === "1" ? "title" : "",
  ...[...document.querySelectorAll(markup)].map((each) => each.outerHTML)].filter(Boolean);
"""


def test_texts_stay_texts_everywhere(people: list[Person], tmp_path: Path) -> None:
    """Whatever people have written, every place and all that opens shows it letter by letter."""
    own = Server(tmp_path / "data", LIMIT_WRITES_BURST="1000")
    own.operate("demo")
    own.start()
    try:
        reader = Person(people[0].driver, own.url, DESKTOP)
        reader.arrive()
        reader.press(".demo-person[data-name=Test]")
        reader.wait_for_state("live")
        for number, text in enumerate(each for each in HOSTILE if "\u202e" not in each):
            story = {"text": text, "visibility": "PUBLIC", "audience_user_ids": []}
            call(reader, "POST", "/stories", story)
            say(reader, "general", text)
            product = {"name": text[:120], "sku": f"HOSTILE-{number}", "sizes": ["US 9"]}
            call(reader, "POST", "/api/v1/products", product)
        reader.complaints()
        shown = ""
        for place, steps in [*((place, ()) for place in PLACES), *STATES.values()]:
            reader.driver.get("about:blank")
            reader.driver.get(f"{own.url}/#/{place}")
            reader.wait_for_state("live")
            visit(reader, place)
            open_state(reader, steps)
            assert reader.driver.execute_script(INJECTED) == [], place
            shown += str(reader.driver.execute_script("return document.body.textContent"))
        for text in HOSTILE[:4]:
            assert shown.count(text) >= 3, text
        assert reader.complaints() == []
    finally:
        own.stop()


def test_after_a_restart_every_screen_equals_a_fresh_load(
    people: list[Person], tmp_path: Path
) -> None:
    """What is shown once the server is back is what a new page shows."""
    own = Server(tmp_path / "data")
    own.operate("demo")
    own.start()
    try:
        reader = Person(people[0].driver, own.url, DESKTOP)
        reader.arrive()
        reader.press(".demo-person[data-name=Test]")
        reader.wait_for_state("live")
        for place in PLACES:
            visit(reader, place)
            own.stop()
            reader.until(lambda: reader.state() != "live")
            own.start()
            reader.connection("connection.retry();")
            reader.wait_for_state("live")
            visit(reader, place)
            kept = reader.driver.execute_script(CONTENT)
            reader.driver.refresh()
            reader.wait_for_state("live")
            visit(reader, place)
            with suppress(TimeoutException):
                # A list that is being read shows neither rows nor that it has none, for a moment.
                reader.until(lambda kept=kept: reader.driver.execute_script(CONTENT) == kept)
            assert reader.driver.execute_script(CONTENT) == kept, place
    finally:
        own.stop()

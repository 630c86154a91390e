"""A person without a mouse: signs up and uses every domain, by keys alone.

Nothing here clicks or sets the focus: only keys are pressed, wherever the focus is.
"""

import itertools

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.web.browsers import DESKTOP, PASSWORD, Person, Server, needs_browser
from tests.web.chat_steps import call, texts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), needs_browser]

STOPS = 16
"""How often one presses Tab at most to get anywhere on a screen from where it begins."""

FOCUSED = "return document.activeElement?.matches(arguments[0]) ?? false"
SHOWN = """
const each = document.activeElement;
// A field that fills its frame has the outline around that.
const marked = [each, each.parentElement, each.labels?.[0]].filter(Boolean).some((node) => {
  const { outlineStyle, boxShadow } = getComputedStyle(node);
  return outlineStyle !== "none" || boxShadow !== "none";
});
return marked && each.checkVisibility();
"""

_numbers = itertools.count(1)


@pytest.fixture
def typist(people: list[Person], server: Server) -> Person:
    """A visitor whose focus is where the page begins."""
    person = Person(people[0].driver, server.url, DESKTOP)
    person.arrive()
    person.until(lambda: person.one("[name=email]").is_displayed())
    return person


def press(person: Person, *keys: str) -> None:
    """Press keys one after the other, wherever the focus is."""
    ActionChains(person.driver).send_keys(*keys).perform()


def press_with(person: Person, modifier: str, key: str) -> None:
    ActionChains(person.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()


def is_at(person: Person, selector: str) -> bool:
    return bool(person.driver.execute_script(FOCUSED, selector))


def tab_to(person: Person, selector: str, *, back: bool = False, stops: int = STOPS) -> None:
    """Press Tab, or Shift and Tab, until the focus is there.

    It takes few stops, and is seen at its end.
    """
    passed = []
    for _ in range(stops):
        if is_at(person, selector):
            break
        if back:
            press_with(person, Keys.SHIFT, Keys.TAB)
        else:
            press(person, Keys.TAB)
        passed.append(person.driver.execute_script("return document.activeElement.outerHTML")[:90])
    assert is_at(person, selector), passed
    assert person.driver.execute_script(SHOWN), selector


def skip_to_content(person: Person, screen: str) -> None:
    """Go to a screen by the rail, and over the rail into what it shows.

    Back, since a feed before it may be long: other tests post stories, too.
    """
    tab_to(person, f"#rail [data-screen={screen}]", back=True)
    press(person, Keys.ENTER)
    person.until(lambda: person.one(f".screen-{screen}").is_displayed())
    person.until(lambda: is_at(person, "main, main *"))


def sign_up(person: Person) -> None:
    tab_to(person, "[data-mode=signUp]")
    press(person, Keys.SPACE)
    tab_to(person, "[name=name]")
    press(person, "Typist")
    tab_to(person, "[name=email]")
    press(person, f"typist{next(_numbers)}@example.com")
    tab_to(person, "[name=password]")
    press(person, PASSWORD, Keys.ENTER)
    person.wait_for_state("live")
    person.until(lambda: person.one(".screen-stories .stories-ring"))


def test_the_skip_link_leads_over_the_rail(typist: Person) -> None:
    """It is the first stop, seen when it has the focus, and leads into the screen."""
    sign_up(typist)
    typist.driver.refresh()
    typist.wait_for_state("live")
    typist.until(lambda: typist.one(".screen-stories .stories-ring").is_displayed())
    press(typist, Keys.TAB)
    assert is_at(typist, "#skip-content")
    left = "return document.activeElement.getBoundingClientRect().left >= 0"
    typist.until(lambda: typist.driver.execute_script(left))
    press(typist, Keys.ENTER)
    assert is_at(typist, "main")
    press(typist, Keys.TAB)
    assert is_at(typist, "main *")


def test_a_story_by_keys(typist: Person) -> None:
    """Esc leaves the composer, Ctrl+Enter posts; arrows move along the rings; Esc ends a story."""
    sign_up(typist)
    tab_to(typist, ".stories-ring:has(.stories-plus)")
    press(typist, Keys.ENTER)
    typist.until(lambda: is_at(typist, ".stories-composer textarea"))
    press(typist, Keys.ESCAPE)
    typist.until(lambda: not typist.all("dialog"))
    assert is_at(typist, ".stories-ring:has(.stories-plus)")
    press(typist, Keys.ENTER)
    typist.until(lambda: is_at(typist, ".stories-composer textarea"))
    press(typist, "By keys alone")
    press_with(typist, Keys.CONTROL, Keys.ENTER)
    typist.until(lambda: "By keys alone" in typist.text(".stories-feed:not(.stories-unsent)"))
    typist.until(lambda: not typist.all("dialog"))
    assert is_at(typist, ".stories-ring:has(.stories-plus)")
    press(typist, Keys.ARROW_RIGHT)
    assert is_at(typist, ".stories-people .stories-ring")
    press(typist, Keys.ENTER)
    typist.until(lambda: "By keys alone" in typist.text("dialog[open]"))
    press(typist, Keys.ESCAPE)
    typist.until(lambda: not typist.all("dialog"))
    assert is_at(typist, ".stories-people .stories-ring")


def test_a_chat_message_by_keys(typist: Person) -> None:
    """A menu by arrows, a channel by its form, and the message by Enter; Esc closes a menu."""
    sign_up(typist)
    skip_to_content(typist, "chat")
    tab_to(typist, ".chat-side-bar .icon-button:not(.chat-own)")
    press(typist, Keys.ENTER)
    typist.until(lambda: is_at(typist, ".menu [role=menuitem]"))
    press(typist, Keys.ESCAPE)
    assert not typist.all(".menu")
    assert is_at(typist, ".chat-side-bar .icon-button:not(.chat-own)")
    press(typist, Keys.ENTER)
    typist.until(lambda: is_at(typist, ".menu [role=menuitem]"))
    press(typist, Keys.ARROW_DOWN, Keys.ENTER)
    typist.until(lambda: is_at(typist, "dialog [name=name]"))
    press(typist, f"keys-{next(_numbers)}", Keys.ENTER)
    typist.until(lambda: typist.one(".chat-input").is_displayed())
    typist.until(lambda: not typist.all("dialog"))
    tab_to(typist, ".chat-input", stops=2 * STOPS)
    press(typist, "Typed, not clicked", Keys.ENTER)
    typist.until(lambda: texts(typist) == ["Typed, not clicked"])


def test_an_offer_by_keys(typist: Person) -> None:
    """From the list to a book, and an offer by Ctrl+Enter."""
    sign_up(typist)
    name = f"Keyed Boot {next(_numbers)}"
    body = {"name": name, "sku": f"KEYS-{next(_numbers)}", "sizes": ["US 8", "US 9"]}
    product = str(call(typist, "POST", "/api/v1/products", body)["id"])
    skip_to_content(typist, "market")
    typist.until(lambda: typist.one(f".market-product a[href*='/{product}/']").is_displayed())
    tab_to(typist, f".market-product h2 a[href*='/{product}/']")
    press(typist, Keys.ENTER)
    typist.until(lambda: typist.one(".market-grid:not([hidden])").is_displayed())
    tab_to(typist, ".market-sizes a")
    press(typist, Keys.ARROW_RIGHT, Keys.ENTER)
    typist.until(lambda: typist.place() == f"#/market/{product}/US%209")
    typist.until(lambda: typist.one(".market-grid:not([hidden])").is_displayed())
    tab_to(typist, ".market-place [name=price]", stops=2 * STOPS)
    press(typist, "42.50")
    press_with(typist, Keys.CONTROL, Keys.ENTER)
    typist.until(lambda: "$42.50" in typist.text(".market-own"))


def test_a_diary_entry_and_the_inspector_by_keys(typist: Person) -> None:
    """A mood by arrows, the entry by Ctrl+Enter; one key opens the inspector, Esc leads back."""
    sign_up(typist)
    skip_to_content(typist, "diary")
    typist.until(lambda: typist.one(".diary-compose").is_displayed())
    tab_to(typist, ".diary-moods input")
    press(typist, Keys.SPACE, Keys.ARROW_RIGHT)
    tab_to(typist, ".diary-compose textarea")
    press(typist, "A day without a mouse `")
    assert not typist.one(".drawer").is_displayed()
    press_with(typist, Keys.CONTROL, Keys.ENTER)
    typist.until(lambda: "A day without a mouse `" in typist.text(".diary-entries"))
    typist.until(lambda: typist.one(".diary-entries .face, .diary-entries svg"))
    # In no field the key is a shortcut.
    tab_to(typist, "main button, main a[href], main summary")
    before = typist.driver.execute_script("return document.activeElement")
    press(typist, "`")
    typist.until(lambda: typist.one(".drawer").is_displayed())
    typist.until(lambda: is_at(typist, ".drawer, .drawer *"))
    press(typist, Keys.TAB)
    assert is_at(typist, ".drawer *")
    press(typist, Keys.ESCAPE)
    typist.until(lambda: not typist.one(".drawer").is_displayed())
    assert typist.driver.execute_script("return document.activeElement") == before

"""The page of the API in a real browser: it reads on every screen, and finds what one types."""

from collections.abc import Iterator

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, PHONE, Person, Server, needs_browser
from tests.web.looks import outside, preferring, resize

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), needs_browser]


@pytest.fixture
def reader(people: list[Person], server: Server) -> Iterator[Person]:
    visitor = Person(people[0].driver, server.url, DESKTOP)
    visitor.driver.get(f"{server.url}/docs")
    visitor.complaints()
    usual_s = visitor.driver.timeouts.script
    # The page is long: axe looks at each of its thousands of elements.
    visitor.driver.set_script_timeout(300)
    yield visitor
    visitor.driver.set_script_timeout(usual_s)
    visitor.driver.get("about:blank")


def shown(person: Person, selector: str) -> list[str]:
    """Return the texts of the elements that are seen."""
    script = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((each) => each.checkVisibility()).map((each) => each.textContent)"
    )
    found: list[str] = person.driver.execute_script(script, selector)
    return found


def test_it_finds_what_one_types(reader: Person) -> None:
    """`/` leads to the search; what does not match is hidden, its heading too, until it is gone."""
    everything = shown(reader, "article")
    assert len(everything) > 300
    reader.one("body").send_keys("/")
    search = reader.driver.switch_to.active_element
    search.send_keys("create_story")
    found = reader.until(lambda: shown(reader, "article") if shown(reader, "output") else None)
    assert 0 < len(found) < 20
    assert all("create_story" in text for text in found)
    assert shown(reader, "output") == [f"{len(found)} found"]
    assert "Error codes" not in shown(reader, "h2")
    # A link to what is hidden shows it again.
    reader.driver.execute_script("location.hash = '#error.story_not_found'")
    reader.until(lambda: len(shown(reader, "article")) == len(everything) or None)
    assert search.get_attribute("value") == ""
    assert reader.complaints() == []


def test_an_example_is_copied(reader: Person) -> None:
    """By a button beside it, which says so; by the keyboard, too."""
    button = reader.one("#start .example button")
    button.send_keys(Keys.ENTER)
    reader.until(lambda: button.text != "Copy" or shown_selection(reader) or None)


def shown_selection(person: Person) -> str:
    """Return what is selected, for who may not write to the clipboard."""
    text: str = person.driver.execute_script("return getSelection().toString()")
    return text


def test_every_link_leads_somewhere(reader: Person) -> None:
    """Each that leads into the page has its place there, and each place is there once."""
    links, ids = reader.driver.execute_script(
        "return [[...document.querySelectorAll('a[href^=\"#\"]')]"
        ".map((link) => decodeURIComponent(link.hash.slice(1))),"
        "[...document.querySelectorAll('[id]')].map((each) => each.id)]"
    )
    assert len(links) > 500
    assert len(ids) == len({*ids})
    assert {*links} <= {*ids}


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_fits_and_everybody_can_read_it(reader: Person, size, scheme) -> None:
    """Nothing stands out sideways, and axe finds nothing, with an example opened."""
    resize(reader, size)
    with preferring(reader, color_scheme=scheme):
        reader.driver.execute_script("document.querySelector('details').open = true")
        assert outside(reader) == []
        assert violations(reader) == []

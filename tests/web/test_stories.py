"""The stories screen: two people, live."""

import time

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.web.axe import AXE, needs_axe, violations
from tests.web.browsers import DESKTOP, Person, Server, needs_browser, second_tab
from tests.web.chat_steps import name_of
from tests.web.looks import HOSTILE, SIZES, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

CARD = ".stories-card .stories-text"
VIEWER = "dialog.stories-viewer[open]"
COUNT_FLIGHTS = """
window.flown = [];
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.classList?.contains("stories-flying")) window.flown.push(node.textContent);
    }
  }
}).observe(document.body, { childList: true, subtree: true });
"""
CREATE = """
const payload = { text: args[0], visibility: "PUBLIC", audience_user_ids: [] };
return connection.request("/stories", "create_story", payload).then(({ id }) => id);
"""
AUTHORS = """
const rings = document.querySelectorAll(".stories-people .stories-ring");
return [...rings].map((ring) => ring.querySelector(".cut").textContent);
"""
RUNNING = """
const all = document.getAnimations();
const run = all.find(({ animationName }) => animationName === "stories-run");
return run?.playState;
"""


@pytest.fixture
def pair(visitors: tuple[Person, Person]) -> tuple[Person, Person]:
    """Two new accounts at a server that the test may stop."""
    author, reader = visitors
    author.sign_up("author@example.com")
    reader.sign_up("reader@example.com")
    return visitors


def create(person: Person, text: str) -> str:
    """Publish a story without the composer; returns its id."""
    return str(person.connection(CREATE, text))


def shown(person: Person) -> str:
    """Read the story that the viewer shows, "" without one."""
    return person.text(".stories-viewer-text") if person.all(VIEWER) else ""


def focused(person: Person, selector: str) -> bool:
    return bool(
        person.driver.execute_script(
            "return document.activeElement.matches(arguments[0])", selector
        )
    )


def press_key(person: Person, key: str) -> None:
    ActionChains(person.driver).send_keys(key).perform()


def with_shift(person: Person, key: str) -> None:
    ActionChains(person.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()


def open_composer(person: Person, text: str) -> None:
    person.press(".stories-ring:has(.stories-plus)")
    person.until(lambda: person.one(".stories-composer textarea").is_displayed())
    person.one(".stories-composer textarea").send_keys(text)


def post(person: Person, text: str) -> None:
    """Write a story that everybody may see."""
    person.press(".stories-ring:has(.stories-plus)")
    person.until(lambda: person.one(".stories-composer textarea").is_displayed())
    field = person.one(".stories-composer textarea")
    person.driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        field,
        text,
    )
    person.press(".stories-composer button[type=submit]")
    person.until(lambda: not person.all("dialog[open]"))


def texts(person: Person) -> list[str]:
    return [str(card.get_property("textContent")) for card in person.all(CARD)]


def test_a_story_arrives_and_comes_back(desktop: Person, phone: Person) -> None:
    """A story appears at the other; the view and the reaction there come back here."""
    post(desktop, "Phở for breakfast")
    phone.until(lambda: "Phở for breakfast" in texts(phone))
    phone.press(".stories-card:has(.stories-reactions) .stories-text")
    phone.until(lambda: phone.one("dialog.stories-viewer[open]"))
    desktop.until(lambda: "1" in desktop.text(".stories-foot button"))
    phone.press(".stories-viewer .stories-reaction")
    phone.until(lambda: phone.one(".stories-viewer .stories-reaction[aria-pressed=true]"))
    desktop.until(lambda: "❤" in desktop.text("#announcer"))
    desktop.press(".stories-foot button")
    desktop.until(lambda: "❤" in desktop.text(".stories-seen"))
    phone_name = phone.email.partition("@")[0]
    desktop.until(lambda: phone_name in desktop.text(".stories-seen"))
    assert desktop.complaints() == [] == phone.complaints()


def test_a_deleted_story_is_gone_at_both(desktop: Person, phone: Person) -> None:
    """Deleting a story ends it in the other's open viewer, too."""
    post(desktop, "Only for a moment")
    phone.until(lambda: "Only for a moment" in texts(phone))
    phone.press(".stories-card .stories-text")
    phone.until(lambda: phone.text(".stories-viewer-text") == "Only for a moment")
    desktop.press(".stories-card .stories-text")
    desktop.press(".stories-viewer-foot .row > button:last-child")
    desktop.press("dialog .danger")
    desktop.until(lambda: "Only for a moment" not in texts(desktop))
    phone.until(lambda: "Only for a moment" not in texts(phone))
    phone.until(
        lambda: (
            not phone.all("dialog[open]")
            or phone.text(".stories-viewer-text") != "Only for a moment"
        )
    )


def test_a_private_story_needs_an_audience(desktop: Person) -> None:
    """Nothing is posted to nobody: the field says what is missing."""
    desktop.press(".stories-ring:has(.stories-plus)")
    desktop.until(lambda: desktop.one(".stories-composer textarea").is_displayed())
    desktop.one(".stories-composer textarea").send_keys("A secret")
    desktop.press(".stories-composer .segments button:last-child")
    desktop.press(".stories-composer button[type=submit]")
    desktop.until(lambda: desktop.text(".stories-composer .picker .error") != "")
    assert "A secret" not in texts(desktop)


def test_rings_say_what_is_unseen(desktop: Person, phone: Person) -> None:
    """A ring changes once its story was shown for a second; the focus comes back to it."""
    create(desktop, "Look at this")
    name = desktop.email.partition("@")[0]
    ring = f"//button[contains(@class, 'stories-ring')][.//bdi[text()='{name}']]"
    find = phone.driver.find_element
    picture = f"{ring}/span[contains(@class, 'avatar')]"
    phone.until(lambda: "ring-unseen" in str(find("xpath", picture).get_attribute("class")))
    begun = time.monotonic()
    phone.driver.execute_script("arguments[0].focus()", find("xpath", ring))
    press_key(phone, Keys.ENTER)
    phone.until(lambda: shown(phone) == "Look at this")
    phone.until(lambda: "ring-seen" in str(find("xpath", picture).get_attribute("class")))
    assert time.monotonic() - begun >= 1
    press_key(phone, Keys.ESCAPE)
    phone.until(lambda: not phone.all("dialog[open]"))
    phone.until(lambda: phone.place() == "#/stories")
    assert phone.driver.switch_to.active_element == find("xpath", ring)


def test_viewer_obeys_keys_and_fingers(desktop: Person, phone: Person) -> None:
    """Arrows and taps go on and back, a hold pauses, Esc closes."""
    create(desktop, "First")
    last = create(desktop, "Second")
    phone.until(lambda: {"First", "Second"} <= set(texts(phone)))
    phone.go(f"stories/{last}")
    phone.until(lambda: shown(phone) == "Second")
    press_key(phone, Keys.ARROW_LEFT)
    phone.until(lambda: shown(phone) == "First")
    press_key(phone, Keys.ARROW_RIGHT)
    phone.until(lambda: shown(phone) == "Second")
    assert phone.place() == f"#/stories/{last}"
    assert phone.text(".stories-viewer [role=status]") == "2 of 2"

    stage = phone.one(".stories-stage")
    third = stage.size["width"] // 3
    taps = ActionChains(phone.driver)
    taps.move_to_element_with_offset(stage, -third, 120).click().perform()
    phone.until(lambda: shown(phone) == "First")

    assert phone.driver.execute_script(RUNNING) == "running"
    ActionChains(phone.driver).move_to_element(stage).click_and_hold().perform()
    phone.until(lambda: phone.driver.execute_script(RUNNING) == "paused")
    ActionChains(phone.driver).pause(0.4).release().perform()
    phone.until(lambda: phone.driver.execute_script(RUNNING) == "running")
    assert shown(phone) == "First"

    press_key(phone, Keys.SPACE) if not focused(phone, "button") else phone.press(
        ".stories-viewer .row > .icon-button"
    )
    phone.until(lambda: phone.driver.execute_script(RUNNING) == "paused")
    press_key(phone, Keys.ESCAPE)
    phone.until(lambda: not phone.all("dialog[open]"))


def test_viewer_goes_from_person_to_person(desktop: Person, phone: Person) -> None:
    """Shift and an arrow pass over the rest of a person's stories; at the last one it closes."""
    for text in ("Mine first", "Mine second"):
        create(phone, text)
    first = create(desktop, "Theirs first")
    create(desktop, "Theirs second")
    wanted = {"Mine first", "Mine second", "Theirs first", "Theirs second"}
    phone.until(lambda: wanted <= set(texts(phone)))
    # Own stories come before all others, and these two are the newest of the rest.
    phone.press(".stories-ring:has(.avatar):not(:has(.stories-plus))")
    phone.until(lambda: shown(phone) == "Mine first")
    with_shift(phone, Keys.ARROW_RIGHT)
    phone.until(lambda: shown(phone) == "Theirs first")
    with_shift(phone, Keys.ARROW_LEFT)
    phone.until(lambda: shown(phone) == "Mine first")
    # Nobody is before the first.
    with_shift(phone, Keys.ARROW_LEFT)
    assert shown(phone) == "Mine first"
    with_shift(phone, Keys.ARROW_RIGHT)
    phone.until(lambda: shown(phone) == "Theirs first")
    press_key(phone, Keys.ARROW_RIGHT)
    phone.until(lambda: shown(phone) == "Theirs second")
    # In the row of reactions arrows move among these, and with Shift among people all the same.
    phone.driver.execute_script(
        "arguments[0].focus()", phone.one(".stories-viewer .stories-reaction")
    )
    with_shift(phone, Keys.ARROW_LEFT)
    phone.until(lambda: shown(phone) == "Mine first")
    phone.go(f"stories/{first}")
    phone.until(lambda: shown(phone) == "Theirs first")
    order = phone.driver.execute_script(AUTHORS)
    for _ in order[order.index(name_of(desktop)) + 1 :]:
        before = shown(phone)
        with_shift(phone, Keys.ARROW_RIGHT)
        phone.until(lambda before=before: shown(phone) not in ("", before))
    with_shift(phone, Keys.ARROW_RIGHT)
    phone.until(lambda: not phone.all("dialog[open]"))


def test_a_story_is_seen_in_all_tabs_of_an_account(desktop: Person, phone: Person) -> None:
    """What one has looked at in a second tab is no longer new in the first."""
    story = create(phone, "Once is enough")
    mine = f".stories-card:has([href='#/stories/{story}'])"
    desktop.until(lambda: desktop.one(f"{mine}.unseen-story"))
    first = desktop.driver.current_window_handle
    with second_tab(desktop, f"stories/{story}"):
        desktop.until(lambda: shown(desktop) == "Once is enough")
        desktop.until(lambda: not desktop.all(f"{mine}.unseen-story"))
        second = desktop.driver.current_window_handle
        desktop.driver.switch_to.window(first)
        desktop.until(lambda: not desktop.all(f"{mine}.unseen-story"))
        desktop.driver.switch_to.window(second)


def test_reactions_fly_once_at_both(desktop: Person, phone: Person) -> None:
    """One reaction, one flight at each side; none for who asked for less motion."""
    story = create(desktop, "React to me")
    phone.until(lambda: "React to me" in texts(phone))
    for person in (desktop, phone):
        person.driver.execute_script(COUNT_FLIGHTS)
    mine = f".stories-card:has([href='#/stories/{story}'])"
    phone.press(f"{mine} [data-emoji='🔥']")
    for person in (desktop, phone):
        person.until(
            lambda person=person: person.driver.execute_script("return window.flown.length")
        )
    with preferring(desktop, reduced_motion="reduce"):
        phone.press(f"{mine} [data-emoji='👏']")
        desktop.until(lambda: "👏" in desktop.text("#announcer"))
        assert desktop.driver.execute_script("return window.flown") == ["🔥"]
    phone.until(lambda: phone.driver.execute_script("return window.flown") == ["🔥", "👏"])
    phone.press(f"{mine} [data-emoji='👏']")
    phone.until(lambda: not phone.all(f"{mine} [aria-pressed=true]"))
    assert phone.driver.execute_script("return window.flown.length") == 2
    desktop.go(f"stories/{story}/seen")
    desktop.until(lambda: desktop.text(".stories-seen") == "Not seen yet.")


def test_audience_is_picked_by_name(desktop: Person, phone: Person, lobby: str) -> None:
    """Whom one knows is found by name; Enter takes who matches what is typed now."""
    name = phone.email.partition("@")[0]
    for person in (desktop, phone):
        person.go("stories")
    open_composer(desktop, "For you alone")
    desktop.press(".stories-composer .segments button:last-child")
    desktop.until(lambda: desktop.all(".stories-composer [role=option]"))
    search = desktop.one(".stories-composer .picker input")
    # No one who was found for an earlier text: "zz" matches no one.
    search.send_keys("zz", Keys.ENTER)
    desktop.until(lambda: desktop.text(".stories-composer .picker [role=status]") != "")
    assert not desktop.all(".picker-chosen li")
    # Nor anybody by an address: a story is for people one knows.
    search.send_keys(Keys.BACKSPACE * 2, "somebody@example.com", Keys.ENTER)
    desktop.until(lambda: "called that" in desktop.text(".stories-composer .picker [role=status]"))
    assert not desktop.all(".picker-chosen li")
    search.send_keys(Keys.CONTROL + "a", Keys.NULL, Keys.BACKSPACE)
    search.send_keys(name, Keys.ENTER)
    desktop.until(lambda: desktop.text(".picker-chosen bdi") == name)
    desktop.press(".stories-composer button[type=submit]")
    phone.until(lambda: "For you alone" in texts(phone))
    assert phone.one(".stories-card header [role=img]").get_attribute("aria-label")


def test_addresses_of_stories(desktop: Person, phone: Person) -> None:
    """A story opens from its address also at a fresh load; one that is gone says so."""
    story = create(desktop, "Linked")
    phone.driver.get(f"{phone.url}/#/stories/{story}")
    phone.driver.refresh()
    phone.until(lambda: shown(phone) == "Linked")
    press_key(phone, Keys.ESCAPE)
    phone.until(lambda: phone.place() == "#/stories")
    phone.go("stories/00000000-0000-4000-8000-000000000000")
    phone.until(lambda: "expired" in phone.text("#toasts"))
    phone.until(lambda: phone.place() == "#/stories")
    # Going back does not open the viewer again.
    phone.driver.back()
    phone.until(lambda: phone.place() == "#/stories")
    assert not phone.all(VIEWER)


def test_nothing_stays_open_after_leaving(desktop: Person) -> None:
    """The composer goes with its screen; the draft is there again."""
    open_composer(desktop, "Half a thought")
    desktop.go("diary")
    desktop.until(lambda: not desktop.all("dialog[open]"))
    desktop.go("stories")
    open_composer(desktop, "")
    assert desktop.one(".stories-composer textarea").get_property("value") == "Half a thought"


def test_posting_waits_for_the_server(pair: tuple[Person, Person], own_server: Server) -> None:
    """What is posted while away stands in the feed, survives a reload, and arrives once."""
    author, reader = pair
    create(author, "Before")
    reader.until(lambda: "Before" in texts(reader))
    own_server.stop()
    author.wait_for_state("reconnecting")
    post(author, "Written while away")
    author.until(lambda: author.text(".stories-unsent-state") == "Waiting to be sent")
    assert author.all(".stories-feed.stale")
    assert author.all(".stories-status .as-of")
    if AXE.is_file():
        for scheme in ("light", "dark"):
            with preferring(author, color_scheme=scheme):
                assert violations(author) == []
    post(author, "Thought better of it")
    author.until(lambda: len(author.all(".stories-unsent-card")) == 2)
    author.press(".stories-unsent-card:first-child button:last-child")
    author.until(lambda: len(author.all(".stories-unsent-card")) == 1)
    own_server.start()
    for person in pair:
        person.wait_for_state("live")
        person.until(lambda person=person: texts(person) == ["Written while away", "Before"])
    author.until(lambda: not author.all(".stories-unsent-card"))
    author.driver.refresh()
    author.until(lambda: texts(author) == ["Written while away", "Before"])


def test_what_was_missed_is_caught_up(pair: tuple[Person, Person], own_server: Server) -> None:
    """After an absence the screen equals a fresh load: added, deleted, seen."""
    author, reader = pair
    gone = create(author, "Soon gone")
    reader.until(lambda: texts(reader) == ["Soon gone"])
    reader.connection("connection.close()")
    author.connection(
        "return connection.request('/stories', 'delete_story', {story_id: args[0]});", gone
    )
    create(author, "New meanwhile")
    own_server.stop()
    reader.connection("connection.open()")
    reader.wait_for_state("reconnecting")
    own_server.start()
    reader.wait_for_state("live")
    reader.until(lambda: texts(reader) == ["New meanwhile"])


def test_both_languages(desktop: Person) -> None:
    """No word is missing in either; the texts of people stay as they are."""
    create(desktop, "Bún chả")
    desktop.until(lambda: texts(desktop))
    desktop.module("lib/i18n.js", "return module.setLanguage('vi').then(() => true);")
    try:
        desktop.until(lambda: "Tin mới" in desktop.text(".stories-rings"))
        desktop.until(lambda: "Bún chả" in texts(desktop))
        desktop.until(lambda: "còn" in desktop.text(".stories-left"))
    finally:
        desktop.module("lib/i18n.js", "return module.setLanguage('en').then(() => true);")


@needs_axe
def test_looks(desktop: Person, phone: Person) -> None:
    """Hostile texts are shown letter by letter; axe finds nothing, nothing stands out."""
    for text in HOSTILE:
        post(desktop, text)
    desktop.until(lambda: set(HOSTILE) <= set(texts(desktop)))
    phone.until(lambda: set(HOSTILE) <= set(texts(phone)))
    for person in (desktop, phone):
        assert violations(person) == []
        assert outside(person) == []
    phone.press(".stories-card .stories-text")
    phone.until(lambda: phone.one("dialog.stories-viewer[open]"))
    assert violations(phone) == []
    for size in SIZES:
        resize(desktop, size)
        assert outside(desktop) == []
    resize(desktop, DESKTOP)
    assert too_small(desktop) == []


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_are_accessible(desktop: Person, phone: Person, lobby: str, scheme: str) -> None:
    """axe finds nothing in the viewer of an own story, in who has seen it, in the composer."""
    for person in (desktop, phone):
        person.go("stories")
    story = create(desktop, "Seen by someone")
    phone.go(f"stories/{story}")
    phone.until(lambda: shown(phone) == "Seen by someone")
    with preferring(desktop, color_scheme=scheme):
        desktop.go(f"stories/{story}/seen")
        desktop.until(lambda: desktop.all(".stories-seen bdi"))
        assert violations(desktop) == []
        assert too_small(desktop) == []
        press_key(desktop, Keys.ESCAPE)
        desktop.until(lambda: not desktop.all("dialog[open]"))
        open_composer(desktop, "To whom?")
        desktop.press(".stories-composer .segments button:last-child")
        desktop.until(lambda: desktop.all(".stories-composer [role=option]"))
        desktop.press(".stories-composer button[type=submit]")
        desktop.until(lambda: desktop.text(".stories-composer .picker .error") != "")
        assert violations(desktop) == []
        assert too_small(desktop) == []

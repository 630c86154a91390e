"""Reporting messages and stories to the operators, from their menus."""

from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.web.axe import AXE, violations
from tests.web.browsers import Person, needs_browser
from tests.web.chat_steps import call, choose, entry, name_of, row, say, sees
from tests.web.looks import outside, preferring, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

DIALOG = "dialog[open]:has([name=reason])"
REPORT = ".menu [role=menuitem]:has(use[href$='-flag'])"
RUNNING = """
const run = document.getAnimations().find((each) => each.animationName === "stories-run");
return run?.playState;
"""


def reports(operator: Person, subject_id: str) -> list[dict[str, Any]]:
    """Read what operators see about a thing; in development everybody is one."""
    found = call(operator, "GET", "/api/v1/admin/reports?limit=100")["items"]
    return [each for each in found if each["subject_id"] == subject_id]


def story(person: Person, text: str) -> str:
    """Publish a story from another device; returns its id."""
    return str(call(person, "POST", "/stories", {"text": text, "visibility": "PUBLIC"})["id"])


def account_id(person: Person) -> str:
    return str(person.driver.execute_script("return JSON.parse(sessionStorage.session).user.id"))


def fill(person: Person, reason: str, note: str = "") -> None:
    """Fill the dialog in and send it."""
    person.until(lambda: person.one(f"{DIALOG} [name=reason]").is_displayed())
    Select(person.one(f"{DIALOG} [name=reason]")).select_by_value(reason)
    person.one(f"{DIALOG} [name=note]").send_keys(note, Keys.CONTROL + Keys.ENTER)


def test_a_message_is_reported(desktop: Person, phone: Person, lobby: str) -> None:
    """With a reason and a note, once; the operators have it, and its author is not told."""
    message = say(phone, lobby, "Buy cheap gold")
    sees(desktop, "Buy cheap gold")
    choose(desktop, "Buy cheap gold", "flag")
    desktop.until(lambda: desktop.one(f"{DIALOG} [name=reason]").is_displayed())
    desktop.press(f"{DIALOG} button[type=submit]")
    desktop.until(lambda: "Reason is missing." in desktop.text(f"{DIALOG} .error:not([hidden])"))
    assert reports(desktop, message["id"]) == []
    if AXE.is_file():
        for scheme in ("light", "dark"):
            with preferring(desktop, color_scheme=scheme):
                assert violations(desktop) == []
    assert too_small(desktop) == [] == outside(desktop)
    fill(desktop, "spam", "The third today")
    desktop.until(lambda: "operators will look at it" in desktop.text("#toasts"))
    assert not desktop.all(DIALOG)
    choose(desktop, "Buy cheap gold", "flag")
    fill(desktop, "other")
    desktop.until(lambda: not desktop.all(DIALOG))
    (reported,) = reports(desktop, message["id"])
    assert (reported["kind"], reported["reason"]) == ("message", "spam")
    assert reported["note"] == "The third today"
    assert reported["content"] == "Buy cheap gold"
    assert reported["author_id"] == account_id(phone)
    assert reported["reporter_id"] == account_id(desktop)
    assert phone.text("#toasts") == ""
    # Nobody reports themselves.
    phone.until(lambda: row(phone, "Buy cheap gold")).send_keys(Keys.ENTER)
    phone.until(lambda: phone.one(".menu [role=menuitem]"))
    assert phone.all(REPORT) == []


def test_a_stranger_who_asks_is_reported(desktop: Person, phone: Person) -> None:
    """The messages of a request have a menu before one has answered, to copy and to report."""
    made = call(desktop, "POST", "/api/v1/conversations", {"participants": [phone.email]})
    message = say(desktop, made["id"], "You have won")
    phone.go("chat")
    phone.until(lambda: entry(phone, name_of(desktop))).click()  # type: ignore[union-attr]
    sees(phone, "You have won")
    row(phone, "You have won").send_keys(Keys.ENTER)
    phone.until(lambda: phone.one(REPORT).is_displayed())
    icons = ".menu [role=menuitem] use"
    shown = [str(each.get_attribute("href")).rpartition("-")[2] for each in phone.all(icons)]
    assert shown == ["copy", "share", "flag"]
    phone.press(REPORT)
    fill(phone, "harassment")
    phone.until(lambda: not phone.all(DIALOG))
    (reported,) = reports(phone, message["id"])
    assert (reported["reason"], reported["note"]) == ("harassment", None)
    # Nor has the report answered the request.
    assert phone.one(".chat-ask .primary").is_displayed()


def test_a_story_is_reported(desktop: Person, phone: Person) -> None:
    """From its card, and in the viewer, which waits meanwhile."""
    first, second = story(phone, "Worth a report"), story(phone, "Another one")
    own = story(desktop, "My own")
    card = f".stories-card:has([href='#/stories/{first}'])"
    desktop.press(f"{card} .stories-more")
    desktop.press(REPORT)
    fill(desktop, "violence")
    desktop.until(lambda: not desktop.all(DIALOG))
    assert [each["reason"] for each in reports(desktop, first)] == ["violence"]
    assert not desktop.all(f".stories-card:has([href='#/stories/{own}']) .stories-more")

    desktop.go(f"stories/{second}")
    desktop.until(lambda: desktop.text(".stories-viewer-text") == "Another one")
    desktop.until(lambda: desktop.driver.execute_script(RUNNING) == "running")
    desktop.press(".stories-viewer .stories-more")
    desktop.until(lambda: desktop.driver.execute_script(RUNNING) == "paused")
    if AXE.is_file():
        assert violations(desktop) == []
    desktop.one(REPORT).send_keys(Keys.ARROW_RIGHT)
    assert desktop.text(".stories-viewer-text") == "Another one"
    desktop.press(REPORT)
    fill(desktop, "illegal")
    desktop.until(lambda: not desktop.all(DIALOG))
    assert [each["reason"] for each in reports(desktop, second)] == ["illegal"]
    desktop.until(lambda: desktop.driver.execute_script(RUNNING) == "running")
    desktop.press(".stories-viewer .stories-more")
    desktop.one(REPORT).send_keys(Keys.ESCAPE)
    desktop.until(lambda: desktop.driver.execute_script(RUNNING) == "running")


def test_a_report_that_fails_says_why(desktop: Person, phone: Person) -> None:
    """What was written stays, and can be sent again; of a story that is gone it says so."""
    kept, gone = story(phone, "Stays"), story(phone, "Goes")
    desktop.press(f".stories-card:has([href='#/stories/{kept}']) .stories-more")
    desktop.press(REPORT)
    desktop.until(lambda: desktop.one(f"{DIALOG} [name=reason]").is_displayed())
    desktop.connection("connection.close();")
    fill(desktop, "other", "See for yourself")
    desktop.until(lambda: desktop.text(f"{DIALOG} [role=alert]") != "")
    assert reports(phone, kept) == []
    desktop.connection("connection.open();")
    desktop.wait_for_state("live")
    desktop.press(f"{DIALOG} button[type=submit]")
    desktop.until(lambda: not desktop.all(DIALOG))
    (reported,) = reports(phone, kept)
    assert reported["note"] == "See for yourself"

    desktop.press(f".stories-card:has([href='#/stories/{gone}']) .stories-more")
    desktop.press(REPORT)
    desktop.until(lambda: desktop.one(f"{DIALOG} [name=reason]").is_displayed())
    call(phone, "DELETE", f"/stories/{gone}")
    fill(desktop, "other")
    desktop.until(lambda: desktop.text(f"{DIALOG} [role=alert]") == "This story is gone.")

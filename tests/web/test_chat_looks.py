"""How chat looks and is used: axe in each of its states, sizes, schemes, languages."""

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, Person, needs_browser
from tests.web.chat_steps import call, contacts, row, say, sees, upload, write
from tests.web.looks import HOSTILE, SIZES, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]


def escape(person: Person) -> None:
    """Close what is open with the keyboard."""
    person.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    person.until(lambda: not person.all("dialog, .menu:not(.chat-call)"))


@pytest.fixture
def talk(desktop: Person, phone: Person, lobby: str) -> str:
    """A channel with everything in it that a message can be."""
    say(phone, lobby, "See https://example.com/and/on")
    picture = upload(phone, lobby, "picture.png")
    shown = say(phone, lobby, "Look", message_type="image", attachments=[picture])
    say(phone, lobby, f"@{desktop.email.partition('@')[0]}?", reply_to=shown["id"])
    call(desktop, "POST", f"/api/v1/messages/{shown['id']}/reactions", {"emoji": "👍"})
    gone = say(desktop, lobby, "gone")
    call(desktop, "DELETE", f"/api/v1/messages/{gone['id']}")
    mine = say(desktop, lobby, "mine")
    call(desktop, "PATCH", f"/api/v1/messages/{mine['id']}", {"content": "Mine"})
    for person in (desktop, phone):
        sees(person, "This message was deleted.", "Mine")
        person.until(lambda person=person: person.one(".chat-picture:not(.loading)"))  # type: ignore[misc]
    return lobby


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(desktop: Person, phone: Person, talk: str, scheme: str) -> None:
    """Not in the list, the messages, their menus, dialogs and search, at a desktop and a phone."""
    made = call(phone, "POST", "/api/v1/conversations", {"participants": [desktop.email]})
    say(phone, made["id"], "A request")
    with preferring(desktop, color_scheme=scheme), preferring(phone, color_scheme=scheme):
        desktop.until(lambda: desktop.one(".chat-entry.unread"))
        for person in (desktop, phone):
            assert violations(person) == []
        row(desktop, "Mine").send_keys(Keys.ENTER)
        desktop.until(lambda: desktop.one(".menu[role=menu]"))
        assert violations(desktop) == []
        escape(desktop)
        desktop.press(".chat-field > button")
        assert violations(desktop, ".chat-emoji") == []
        escape(desktop)
        desktop.one(".chat-input").send_keys("@")
        desktop.until(lambda: desktop.one(".chat-call [role=option]"))
        assert violations(desktop, ".chat-composer") == []
        desktop.one(".chat-input").send_keys(Keys.BACKSPACE)
        desktop.press(".chat-head-bar > button:nth-of-type(1)")
        desktop.until(lambda: desktop.one(".chat-search input")).send_keys("look")
        desktop.until(lambda: desktop.one(".chat-find"))
        assert violations(desktop, ".chat-room") == []
        desktop.one(".chat-search input").send_keys(Keys.ESCAPE)
        desktop.press(".chat-head-bar > button:nth-of-type(2)")
        assert violations(desktop, "dialog") == []
        escape(desktop)
        for item in (1, 2, 3):
            desktop.press(".chat-side-bar button:nth-of-type(1)")
            desktop.press(f".menu [role=menuitem]:nth-of-type({item})")
            desktop.until(lambda: desktop.one("dialog input"))
            assert violations(desktop, "dialog") == []
            escape(desktop)
        desktop.go(f"chat/{made['id']}")
        desktop.until(lambda: desktop.one(".chat-ask"))
        assert violations(desktop) == []
        desktop.go("chat/nothing-is-here")
        desktop.until(lambda: desktop.one(".chat-status .note"))
        assert violations(desktop) == []
        phone.go("chat")
        phone.until(lambda: phone.one(".chat-entry").is_displayed())
        assert violations(phone) == []


def test_it_fits_every_size(desktop: Person, phone: Person, talk: str) -> None:
    """From 320 to 1920 px, with hostile texts and a long name, nothing stands out or is tiny."""
    call(phone, "PATCH", "/api/v1/auth/me", {"name": "Featherstonehaugh " * 5})
    for text in HOSTILE:
        write(desktop, text)
    for person in (desktop, phone):
        sees(person, *HOSTILE)
        assert not person.all(".chat-text img, .chat-text script, .chat-text svg")
        assert person.driver.execute_script("return document.title") != "taken"
    try:
        for size in SIZES:
            resize(desktop, size)
            assert outside(desktop) == []
            assert too_small(desktop) == []
            box = desktop.one(".chat-composer").rect
            assert box["y"] + box["height"] <= size[1]
    finally:
        resize(desktop, DESKTOP)


def test_both_languages(desktop: Person, phone: Person, talk: str) -> None:
    """In Vietnamese the same is there, and no key stands for a text."""
    conversation_id = contacts(desktop, phone)
    desktop.module("lib/i18n.js", "return module.setLanguage('vi').then(() => true);")
    try:
        desktop.until(lambda: desktop.text("#title") == "Trò chuyện")
        sees(desktop, "Tin nhắn này đã bị xóa.", "Mine")
        desktop.go(f"chat/{conversation_id}")
        desktop.until(lambda: desktop.one(".chat-input").get_attribute("placeholder"))
        assert [line for line in desktop.complaints() if "No text for" in line] == []
    finally:
        desktop.module("lib/i18n.js", "return module.setLanguage('en').then(() => true);")

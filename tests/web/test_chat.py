"""The chat screen: what one person does there appears at the other without a reload."""

from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.browsers import PASSWORD, Person, needs_browser
from tests.web.chat_steps import (
    call,
    choose,
    contacts,
    entry,
    name_of,
    png,
    row,
    say,
    sees,
    texts,
    unread,
    wav,
    write,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]


def test_two_people_in_a_channel(desktop: Person, phone: Person, lobby: str) -> None:
    """What either writes appears at both, with who has seen it, who types and what is unread."""
    write(desktop, "Anybody here?")
    sees(phone, "Anybody here?")
    phone.one(".chat-input").send_keys("Y")
    desktop.until(lambda: name_of(phone) in desktop.text(".chat-typing"))
    assert name_of(phone) in desktop.text(".chat-entry .chat-now")
    phone.one(".chat-input").send_keys("es", Keys.ENTER)
    sees(desktop, "Anybody here?", "Yes")
    desktop.until(lambda: desktop.text(".chat-typing") == "")
    label = desktop.until(lambda: desktop.one(".chat-tick.seen")).get_attribute("aria-label")
    assert label == f"Seen by {name_of(phone)}"
    desktop.go("market")
    desktop.until(lambda: desktop.one(".screen-market"))
    write(phone, f"@{name_of(desktop)} where are you?")
    desktop.until(lambda: unread(desktop) == "1")
    desktop.go("chat")
    desktop.until(lambda: desktop.one(".chat-entry.unread .chat-at").is_displayed())
    desktop.go(f"chat/{lobby}")
    desktop.until(lambda: desktop.one(".chat-line:not([hidden])"))
    desktop.until(lambda: not desktop.all(".chat-entry.unread"))
    assert desktop.text(".chat-mention.me") == f"@{name_of(desktop)}"
    phone.press(".chat-back")
    phone.until(lambda: entry(phone, lobby))
    assert phone.place() == "#/chat"
    assert desktop.complaints() == []
    assert phone.complaints() == []


def test_messages_change_at_both(desktop: Person, phone: Person, lobby: str) -> None:
    """Replies, edits, reactions and deletes appear at the other; sending is once."""
    write(desktop, "First")
    sees(phone, "First")
    choose(phone, "First", "reply")
    write(phone, "An answer")
    desktop.until(lambda: "First" in desktop.text(".chat-quote"))
    choose(desktop, "First", "edit")
    desktop.one(".chat-input").send_keys(" of all", Keys.ENTER)
    sees(phone, "First of all", "An answer")
    desktop.until(lambda: desktop.one(".chat-edited").is_displayed())
    choose(phone, "First of all", "smile")
    phone.press(".chat-emoji-choice:nth-of-type(2)")
    chip = desktop.until(lambda: desktop.one(".chat-reaction"))
    assert chip.get_attribute("aria-pressed") == "false"
    chip.click()
    phone.until(lambda: phone.text(".chat-reaction .numbers") == "2")
    chip.click()
    phone.until(lambda: phone.text(".chat-reaction .numbers") == "1")
    choose(desktop, "First of all", "eye")
    desktop.until(lambda: name_of(phone) in desktop.text("dialog .chat-members"))
    desktop.press("dialog .dialog-head button")
    choose(desktop, "First of all", "trash")
    desktop.press("dialog .danger")
    sees(phone, "This message was deleted.", "An answer")
    assert not phone.all(".chat-reaction")
    assert len(texts(desktop)) == 2
    assert desktop.complaints() == []
    assert phone.complaints() == []


def test_requests_are_answered(desktop: Person, phone: Person) -> None:
    """A stranger's message is a request: accepting opens it, blocking and declining end it."""
    desktop.go("chat")
    desktop.press(".chat-side-bar button:nth-of-type(1)")
    desktop.press(".menu [role=menuitem]:nth-of-type(1)")
    desktop.until(lambda: desktop.one(".picker input")).send_keys(phone.email)
    desktop.press(".picker-options [role=option]")
    desktop.press("dialog .dialog-foot .primary")
    write(desktop, "Hello, we have not met")
    assert desktop.text(".chat-named bdi") == phone.email
    phone.until(lambda: unread(phone) == "1")
    phone.go("chat")
    phone.until(lambda: entry(phone, name_of(desktop))).click()  # type: ignore[union-attr]
    sees(phone, "Hello, we have not met")
    assert desktop.all(".chat-tick.seen") == []
    phone.press(".chat-ask .primary")
    write(phone, "Nice to meet you")
    sees(desktop, "Hello, we have not met", "Nice to meet you")
    desktop.until(lambda: desktop.text(".chat-named bdi") == name_of(phone))
    desktop.until(lambda: desktop.one(".chat-head-bar .presence.available"))
    phone.driver.execute_script(
        "document.querySelector('.chat-head-bar > button:last-of-type').click()"
    )
    phone.press(".menu .danger")
    phone.press("dialog .danger")
    phone.until(lambda: phone.one(".chat-ask button").is_displayed())
    write(desktop, "You do not hear this")
    sees(desktop, "Nice to meet you", "You do not hear this")
    phone.press(".chat-ask button")
    phone.until(lambda: phone.one(".chat-input").is_displayed())
    sees(phone, "Hello, we have not met", "Nice to meet you")


def test_who_has_not_answered_is_not_deleted(desktop: Person, phone: Person) -> None:
    """Who was named by an address "has not answered yet"; a "deleted account" is one that was."""
    made = call(desktop, "POST", "/api/v1/conversations", {"participants": [f"no.{desktop.email}"]})
    say(desktop, made["id"], "Anybody?")
    known = contacts(desktop, phone)
    say(phone, known, "A last word")
    desktop.go("chat")
    desktop.until(lambda: entry(desktop, "Not answered yet"))
    desktop.until(lambda: entry(desktop, name_of(phone)))
    assert entry(desktop, "Deleted account") is None
    desktop.go(f"chat/{made['id']}")
    desktop.until(lambda: desktop.text(".chat-named bdi") == "Not answered yet")
    call(phone, "DELETE", "/api/v1/auth/me", {"password": PASSWORD})
    desktop.driver.refresh()
    desktop.until(lambda: entry(desktop, "Deleted account"))
    assert entry(desktop, "Not answered yet")
    desktop.go(f"chat/{known}")
    sees(desktop, "A last word")
    desktop.until(lambda: desktop.text(".chat-row .chat-author") == "Deleted account")


def test_groups_and_members(desktop: Person, phone: Person) -> None:
    """A group is made by name and left again; its members are listed with their presence."""
    contacts(desktop, phone)
    made = call(
        desktop,
        "POST",
        "/api/v1/conversations",
        {"participants": [phone.email], "title": "Trip"},
    )
    phone.go("chat")
    phone.until(lambda: entry(phone, "Trip"))
    desktop.go(f"chat/{made['id']}")
    desktop.press(".chat-head-bar > button:nth-of-type(2)")
    desktop.until(lambda: len(desktop.all(".chat-members > li")) == 2)
    assert desktop.all(".chat-members .presence.available")
    desktop.press("dialog .dialog-head button")
    phone.go(f"chat/{made['id']}")
    phone.until(lambda: phone.one(".chat-input"))
    phone.press(".chat-head-bar > button:last-of-type")
    phone.press(".menu .danger")
    phone.press("dialog .danger")
    phone.until(lambda: phone.place() == "#/chat")
    phone.until(lambda: entry(phone, "Trip") is None)
    desktop.until(lambda: desktop.text(".chat-about").startswith("1 member"))


def test_files_and_voice(desktop: Person, phone: Person, tmp_path: Path) -> None:
    """Pictures and sound are attached with a preview, and shown at the other; voice is recorded."""
    conversation_id = contacts(desktop, phone)
    for person in (desktop, phone):
        person.go(f"chat/{conversation_id}")
        person.until(lambda person=person: person.one(".chat-input"))  # type: ignore[misc]
    picture, sound, text = (tmp_path / name for name in ("a.png", "b.wav", "c.txt"))
    picture.write_bytes(png())
    sound.write_bytes(wav())
    text.write_text("not a picture")
    chooser = desktop.one(".chat-bar input[type=file]")
    chooser.send_keys(f"{picture}\n{sound}\n{text}")
    desktop.until(lambda: desktop.text(".chat-chip.failed .muted").startswith("Only pictures"))
    desktop.until(lambda: len(desktop.all(".chat-chip progress[hidden]")) == 3)
    desktop.one(".chat-input").send_keys("Look and listen", Keys.ENTER)
    for person in (phone, desktop):
        width = "return document.querySelector('.chat-picture img')?.naturalWidth"
        person.until(lambda person=person, width=width: person.driver.execute_script(width) == 40)  # type: ignore[misc]
        # A sound is decoded once it is in view.
        look = "document.querySelector('.chat-audio')?.scrollIntoView()"
        person.until(
            lambda person=person, look=look: (  # type: ignore[misc]
                person.driver.execute_script(look) or person.text(".chat-length") == "0:01"
            )
        )
    assert texts(phone)[0] == "Look and listen"
    # What was refused stays where it was, and can be taken away.
    desktop.press(".chat-chip.failed .icon-button")
    desktop.until(lambda: not desktop.all(".chat-chip"))
    desktop.press(".chat-bar > .icon-button[aria-label^='Record']")
    desktop.until(lambda: desktop.text(".chat-recording [role=timer]") >= "0:01")
    desktop.press(".chat-recording .chat-send")
    phone.until(lambda: len(phone.all(".chat-audio")) == 2)
    phone.until(lambda: phone.all(".chat-length")[1].text.startswith("0:0"))
    phone.all(".chat-audio button")[1].click()
    playing = ".chat-audio button[aria-label^='Pause']"
    phone.until(lambda: phone.one(playing))
    assert desktop.complaints() == []
    assert phone.complaints() == []


def test_files_wait_for_the_network(
    desktop: Person, phone: Person, lobby: str, tmp_path: Path
) -> None:
    """A picture that is sent without a network says so, and goes when there is one."""
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    desktop.online(False)
    try:
        desktop.one(".chat-bar input[type=file]").send_keys(str(picture))
        desktop.until(lambda: desktop.one(".chat-chip.failed"))
        desktop.one(".chat-input").send_keys("In a while", Keys.ENTER)
        desktop.until(lambda: desktop.one(".chat-row.failed"))
    finally:
        desktop.online(True)
    sees(phone, "In a while")
    phone.until(lambda: phone.one(".chat-picture:not(.loading)"))
    desktop.until(lambda: not desktop.all(".chat-row.unsent"))
    assert len(texts(desktop)) == 1


def test_a_refused_message_says_why(desktop: Person, lobby: str) -> None:
    """What the server refuses stays, with the reason, and can be sent again or discarded."""
    script = "const it = document.querySelector('.chat-input'); it.value = arguments[0]"
    desktop.driver.execute_script(f"{script}; it.dispatchEvent(new Event('input'))", "\u200b")
    desktop.one(".chat-input").send_keys(Keys.ENTER)
    desktop.until(lambda: "Write something." in desktop.text(".chat-failed"))
    desktop.press(".chat-failed button:nth-of-type(1)")
    desktop.until(lambda: "Write something." in desktop.text(".chat-failed"))
    desktop.press(".chat-failed .danger")
    desktop.until(lambda: not desktop.all(".chat-row"))


def test_esc_stays_at_the_message(desktop: Person, lobby: str) -> None:
    """Out of a message's menu, and out of its emoji, which open beside it, by keyboard alone."""
    assert lobby
    write(desktop, "Here")
    sees(desktop, "Here")
    focused = "return document.activeElement.closest('.chat-row')"
    for reacts in (False, True):
        message = row(desktop, "Here")
        desktop.driver.execute_script("arguments[0].focus()", message)
        message.send_keys(Keys.ENTER)
        desktop.until(lambda: desktop.one(".menu[role=menu]").is_displayed())
        if reacts:
            desktop.press(".menu [role=menuitem]:has(use[href$='-smile'])")
            desktop.until(lambda: desktop.one(".chat-emoji").is_displayed())
            assert desktop.one(".chat-emoji").rect["x"] > message.rect["x"]
        desktop.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        desktop.until(lambda: not desktop.all(".menu[role=menu], .chat-emoji"))
        assert desktop.driver.execute_script(focused) == message

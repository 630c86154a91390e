"""Reading and writing in chat over time: places, drafts, the keyboard, an absent server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import AXE, violations
from tests.web.browsers import Person, Server, needs_browser
from tests.web.chat_steps import channel, contacts, join, name_of, png, say, sees, texts, write

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]


def test_the_reader_keeps_the_place(desktop: Person, phone: Person, lobby: str) -> None:
    """Older pages and new messages move nobody; search and links lead to a message."""
    for number in range(1, 91):
        say(phone, lobby, f"Number {number}")
    sees(desktop, "Number 90")
    scroller = "document.querySelector('.chat-scroller')"
    desktop.driver.execute_script(f"{scroller}.scrollTop = 0")
    desktop.until(lambda: texts(desktop)[0] == "Number 1")
    desktop.driver.execute_script(f"{scroller}.scrollTop = {scroller}.scrollHeight / 2")
    top = (
        "const top = document.querySelector('.chat-scroller').getBoundingClientRect().top;"
        "const row = [...document.querySelectorAll('.chat-row')]"
        ".find((it) => it.getBoundingClientRect().bottom > top + 1);"
        "return [row.dataset.seq, Math.round(row.getBoundingClientRect().top - top)]"
    )
    desktop.until(lambda: desktop.one(".chat-jump").is_displayed())
    before = desktop.driver.execute_script(top)
    write(phone, "While you read")
    desktop.until(lambda: desktop.text(".chat-jump") == "1 new")
    assert desktop.driver.execute_script(top) == before
    desktop.press(".chat-jump")
    desktop.until(lambda: not desktop.one(".chat-jump").is_displayed())
    sees(desktop, "While you read")
    phone.driver.refresh()
    phone.wait_for_state("live")
    sees(phone, "While you read")
    assert "Number 7" not in texts(phone)
    phone.press(".chat-head-bar > button:nth-of-type(1)")
    phone.until(lambda: phone.one(".chat-search input")).send_keys("NUMBER 7")
    phone.until(lambda: len(phone.all(".chat-find")) == 11)
    phone.all(".chat-find")[-1].click()
    phone.until(lambda: phone.driver.switch_to.active_element.text.startswith("Number 7"))
    desktop.go(f"chat/{lobby}/3")
    desktop.until(lambda: desktop.driver.switch_to.active_element.get_attribute("data-seq") == "3")
    desktop.driver.refresh()
    desktop.wait_for_state("live")
    desktop.until(lambda: desktop.driver.switch_to.active_element.get_attribute("data-seq") == "3")


def test_drafts_and_the_next_account(desktop: Person, phone: Person) -> None:
    """A draft is kept for its conversation, and gone for whoever signs in next."""
    conversation_id = contacts(desktop, phone)
    channel(desktop, f"draft-{name_of(desktop)}")
    desktop.one(".chat-input").send_keys("Half a thought")
    desktop.go(f"chat/{conversation_id}")
    desktop.until(lambda: desktop.one(".chat-input").get_property("value") == "")
    desktop.until(lambda: "Half a thought" in desktop.text(".chat-entry:not([aria-current])"))
    desktop.driver.refresh()
    desktop.wait_for_state("live")
    desktop.go(f"chat/draft-{name_of(desktop)}")
    desktop.until(lambda: desktop.one(".chat-input").get_property("value") == "Half a thought")
    desktop.sign_out()
    desktop.wait_for_state("signed-out")
    desktop.sign_in(phone.email)
    desktop.wait_for_state("live")
    desktop.go(f"chat/draft-{name_of(desktop)}")
    desktop.until(lambda: desktop.one(".chat-side"))
    assert "Half a thought" not in desktop.text("body")


def test_the_keyboard_reaches_everything(desktop: Person, lobby: str) -> None:
    """Rows are one tab stop; arrows, Enter, Escape and Up in the composer do the rest."""
    for text in ("One", "Two"):
        write(desktop, text)
    sees(desktop, "One", "Two")
    desktop.until(lambda: not desktop.all(".chat-row.unsent"))
    assert len(desktop.all(".chat-row[tabindex='0']")) == 1
    found = "return document.activeElement.closest('.chat-row')?.dataset.seq"
    desktop.driver.execute_script("document.querySelector(\".chat-row[tabindex='0']\").focus()")
    desktop.driver.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert desktop.driver.execute_script(found) == "1"
    desktop.driver.switch_to.active_element.send_keys("r")
    desktop.until(lambda: "One" in desktop.text(".chat-banner"))
    desktop.one(".chat-input").send_keys(Keys.ESCAPE)
    desktop.until(lambda: not desktop.one(".chat-banner").is_displayed())
    desktop.one(".chat-input").send_keys(Keys.ARROW_UP)
    desktop.until(lambda: desktop.one(".chat-input").get_property("value") == "Two")
    desktop.one(".chat-input").send_keys(Keys.ESCAPE)


def test_files_and_long_texts_wait_where_they_are(
    desktop: Person, phone: Person, lobby: str, tmp_path: Path
) -> None:
    """Attached files stay with their conversation; a text that is too long is told, not cut."""
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    desktop.one(".chat-bar input[type=file]").send_keys(str(picture))
    desktop.until(lambda: desktop.one(".chat-chip progress[hidden]"))
    desktop.go("chat")
    desktop.until(lambda: desktop.one(".chat-nothing"))
    desktop.go(f"chat/{lobby}")
    desktop.until(lambda: desktop.one(".chat-chip"))
    paste = "const it = document.querySelector('.chat-input'); it.value = 'x'.repeat(10003);"
    desktop.driver.execute_script(f"{paste} it.dispatchEvent(new Event('input'))")
    desktop.until(lambda: desktop.text(".chat-problem").startswith("3 characters too many"))
    desktop.one(".chat-input").send_keys(Keys.BACKSPACE * 3)
    desktop.until(lambda: not desktop.one(".chat-problem").is_displayed())
    desktop.one(".chat-input").send_keys(Keys.ENTER)
    phone.until(lambda: phone.one(".chat-picture:not(.loading)"))
    assert len(texts(phone)[0]) == 10_000
    assert not desktop.all(".chat-chip")


@pytest.fixture
def own_server(people: list[Person], tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop, at which both people are."""
    server = Server(tmp_path)
    server.start()
    urls = [person.url for person in people]
    for person in people:
        person.url = server.url
    yield server
    server.stop()
    for person, url in zip(people, urls, strict=True):
        person.driver.get("about:blank")
        person.url = url


def test_messages_wait_for_the_server(people: list[Person], own_server: Server) -> None:
    """What is written while the server is away waits, survives a reload, and is sent once."""
    one, other = people
    one.sign_up("one@example.com")
    other.sign_up("other@example.com")
    channel(one, "port")
    join(other, "port")
    write(other, "Before")
    sees(one, "Before")
    own_server.stop()
    one.wait_for_state("reconnecting")
    write(one, "Into the dark")
    one.until(lambda: one.one(".chat-row.unsent .chat-tick[title='Waiting to be sent']"))
    if AXE.is_file():
        assert violations(one) == []
    own_server.start()
    one.wait_for_state("live")
    other.wait_for_state("live")
    for person in people:
        sees(person, "Before", "Into the dark")
    one.until(lambda: not one.all(".chat-row.unsent"))
    say(other, "port", "From elsewhere")
    for person in people:
        sees(person, "Before", "Into the dark", "From elsewhere")

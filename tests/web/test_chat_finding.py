"""Finding people and channels in chat, calling them, bringing files, being in two tabs."""

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.browsers import Person, needs_browser, second_tab
from tests.web.chat_steps import (
    call,
    contacts,
    entry,
    name_of,
    say,
    sees,
    texts,
    unread,
    write,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

BRING = """
const [event, target] = arguments;
const canvas = document.createElement("canvas");
const done = arguments[arguments.length - 1];
canvas.toBlob((blob) => {
  const data = new DataTransfer();
  data.items.add(new File([blob], `${event}.png`, { type: "image/png" }));
  const made = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(made);
  done();
});
"""


def test_channels_are_found_and_left(desktop: Person, phone: Person) -> None:
    """Channels can be browsed, looked into, joined and left; the search finds them."""
    name = f"club-{name_of(desktop)}"
    call(desktop, "POST", "/api/v1/channels", {"name": name, "title": "For members"})
    say(desktop, name, "Rules")
    phone.go("chat")
    phone.press(".chat-side-bar button:nth-of-type(1)")
    phone.press(".menu [role=menuitem]:nth-of-type(3)")
    phone.until(lambda: phone.one("dialog input")).send_keys(name)
    phone.press(f"dialog .chat-entry[href='#/chat/{name}']")
    sees(phone, "Rules")
    phone.press(".chat-ask .primary")
    write(phone, "Hello")
    phone.press(".chat-head-bar > button:last-of-type")
    phone.press(".menu .danger")
    phone.press("dialog .danger")
    phone.until(lambda: entry(phone, name) is None)
    phone.one(".chat-filter").send_keys(name)
    phone.until(lambda: entry(phone, name)).click()  # type: ignore[union-attr]
    sees(phone, "Rules", "Hello")
    phone.until(lambda: phone.one(".chat-ask .primary").is_displayed())


def test_people_are_found_and_called(desktop: Person, phone: Person, lobby: str) -> None:
    """The search of the list finds people; `@` offers those who are here, by the keyboard."""
    desktop.one(".chat-input").send_keys(f"Hello @{name_of(phone)[:4].upper()}")
    desktop.until(lambda: desktop.one(".chat-call [aria-selected=true]"))
    desktop.one(".chat-input").send_keys(Keys.ENTER)
    assert desktop.one(".chat-input").get_property("value") == f"Hello @{name_of(phone)} "
    phone.go("stories")
    phone.until(lambda: phone.one(".screen-stories"))
    desktop.one(".chat-input").send_keys("there", Keys.ENTER)
    phone.until(lambda: unread(phone) == "1")
    phone.go("chat")
    phone.until(lambda: phone.one(".chat-at").is_displayed())
    phone.press(".chat-own")
    phone.press(".menu [role=menuitemcheckbox]:nth-of-type(3)")
    phone.until(lambda: phone.one(".chat-own .presence.busy"))
    phone.press(".chat-own")
    phone.press(".menu [role=menuitem]")
    phone.press("dialog .chat-entry")
    phone.until(lambda: phone.place() == f"#/chat/{lobby}/1")
    desktop.one(".chat-filter").send_keys(name_of(phone))
    desktop.press(".chat-sections button.chat-entry")
    desktop.until(lambda: name_of(phone) in desktop.text(".chat-head-bar"))
    write(desktop, "Just you")
    phone.press(".chat-back")
    phone.until(lambda: entry(phone, name_of(desktop)))
    phone.until(lambda: phone.text(".chat-section .badge") == "1")


def test_the_search_of_the_list_by_keyboard(desktop: Person, phone: Person) -> None:
    """Enter opens the first of what matches, arrows move from the search and back, Esc clears."""
    conversation_id = contacts(desktop, phone)
    name = f"key-{name_of(desktop)}"
    call(desktop, "POST", "/api/v1/channels", {"name": name})
    desktop.go("chat")
    desktop.until(lambda: entry(desktop, name) and entry(desktop, name_of(phone)))
    field = desktop.one(".chat-filter")
    field.send_keys(Keys.ENTER)
    assert desktop.place() == "#/chat"
    # Without waiting until the list has followed.
    field.send_keys(name, Keys.ENTER)
    desktop.until(lambda: desktop.place() == f"#/chat/{name}")
    field.send_keys(Keys.ESCAPE)
    assert field.get_property("value") == ""
    field.send_keys(name_of(phone), Keys.ENTER)
    desktop.until(lambda: desktop.place() == f"#/chat/{conversation_id}")
    field.send_keys(Keys.ESCAPE, name_of(phone), Keys.ARROW_DOWN)
    desktop.until(lambda: desktop.driver.switch_to.active_element == entry(desktop, name_of(phone)))
    desktop.driver.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert desktop.driver.switch_to.active_element == field
    field.send_keys(Keys.ARROW_DOWN)
    desktop.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert desktop.driver.switch_to.active_element == field
    assert field.get_property("value") == ""
    assert entry(desktop, name)
    # A channel one is not in is not in the list until the server is asked.
    other = f"far-{name_of(phone)}"
    call(phone, "POST", "/api/v1/channels", {"name": other})
    field.send_keys(other, Keys.ENTER)
    desktop.until(lambda: desktop.place() == f"#/chat/{other}")


def test_files_are_pasted_and_dropped(desktop: Person, phone: Person, lobby: str) -> None:
    """A picture from the clipboard and one that is dropped are attached, and can be taken back."""
    desktop.driver.execute_async_script(BRING, "paste", ".chat-input")
    desktop.driver.execute_async_script(BRING, "drop", ".chat-scroller")
    desktop.until(lambda: len(desktop.all(".chat-chip")) == 2)
    desktop.press(".chat-chip .icon-button")
    desktop.until(lambda: len(desktop.all(".chat-chip")) == 1)
    desktop.one(".chat-input").send_keys(Keys.ENTER)
    phone.until(lambda: phone.one(".chat-picture:not(.loading)"))
    assert phone.one(".chat-picture img").get_attribute("alt") == "drop.png"
    phone.press(".chat-picture")
    phone.until(lambda: phone.one(".chat-enlarged").is_displayed())


def test_two_tabs_agree(desktop: Person, phone: Person) -> None:
    """What is read and written in one tab is read and written in the other."""
    conversation_id = contacts(desktop, phone)
    desktop.go("chat")
    desktop.until(lambda: entry(desktop, name_of(phone)))
    first = desktop.driver.current_window_handle
    with second_tab(desktop, f"chat/{conversation_id}"):
        second = desktop.driver.current_window_handle
        say(phone, conversation_id, "To both")
        sees(desktop, "To both")
        write(desktop, "From the second")
        desktop.until(lambda: not desktop.all(".chat-row.unsent"))
        desktop.driver.switch_to.window(first)
        desktop.until(lambda: "From the second" in desktop.text(".chat-entry-last"))
        assert not desktop.all(".chat-entry.unread")
        desktop.go(f"chat/{conversation_id}")
        sees(desktop, "To both", "From the second")
        assert len(texts(desktop)) == 2
        desktop.driver.switch_to.window(second)


def test_a_long_press_opens_the_menu(phone: Person, desktop: Person, lobby: str) -> None:
    """On a touch screen a message's actions come with a long press, beside the message."""
    write(phone, "Press me")
    bubble = phone.until(lambda: phone.one(".chat-row:not(.unsent) .chat-bubble"))
    box = bubble.rect
    finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch = "Input.dispatchTouchEvent"
    phone.driver.execute_cdp_cmd(touch, {"type": "touchStart", "touchPoints": [finger]})
    menu = phone.until(lambda: phone.one(".menu[role=menu]"))
    phone.driver.execute_cdp_cmd(touch, {"type": "touchEnd", "touchPoints": []})
    assert menu.rect["y"] > box["y"] - menu.rect["height"] - 60
    assert menu.rect["x"] > 8
    phone.press(".menu [role=menuitem]:has(use[href$='-reply'])")
    phone.until(lambda: "Press me" in phone.text(".chat-banner"))


HURRIED = """
const [field, text] = arguments;
field.value = text;
field.dispatchEvent(new Event("input", { bubbles: true }));
field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
"""


def test_enter_chooses_no_one_who_was_found_for_another_text(
    desktop: Person, phone: Person
) -> None:
    """Who types on and presses Enter before the list has followed adds no wrong person."""
    contacts(desktop, phone)
    desktop.go("chat")
    desktop.press(".chat-side-bar button:nth-of-type(1)")
    desktop.press(".menu [role=menuitem]:nth-of-type(1)")
    field = desktop.until(lambda: desktop.one(".picker input"))
    field.send_keys(name_of(phone))
    desktop.until(lambda: desktop.one(".picker-options [aria-selected=true]"))
    desktop.driver.execute_script(HURRIED, field, "zoe")
    assert desktop.all(".picker-chosen > li") == []
    desktop.driver.execute_script(HURRIED, field, "zoe@example.com")
    assert [chip.text for chip in desktop.all(".picker-chosen > li")] == ["zoe@example.com"]


def test_groups_and_private_channels_are_made(desktop: Person, phone: Person) -> None:
    """A group is made of several people at once; a private channel is open to who is added."""
    contacts(desktop, phone)
    desktop.go("chat")
    desktop.press(".chat-side-bar button:nth-of-type(1)")
    desktop.press(".menu [role=menuitem]:nth-of-type(1)")
    field = desktop.until(lambda: desktop.one(".picker input"))
    field.send_keys(name_of(phone))
    desktop.until(lambda: desktop.one(".picker-options [aria-selected=true]"))
    field.send_keys(Keys.ENTER)
    desktop.until(lambda: len(desktop.all(".picker-chosen > li")) == 1)
    field.send_keys("somebody.else@example.com")
    desktop.until(lambda: desktop.one(".picker-options [aria-selected=true]"))
    field.send_keys(Keys.ENTER)
    desktop.until(lambda: len(desktop.all(".picker-chosen > li")) == 2)
    desktop.one("dialog [name=title]").send_keys("Sunday walk", Keys.CONTROL + Keys.ENTER)
    write(desktop, "At ten?")
    phone.go("chat")
    phone.until(lambda: entry(phone, "Sunday walk"))
    name = f"den-{name_of(desktop)}"
    desktop.press(".chat-side-bar button:nth-of-type(1)")
    desktop.press(".menu [role=menuitem]:nth-of-type(2)")
    desktop.until(lambda: desktop.one("dialog [name=private]")).click()
    desktop.one("dialog [name=name]").send_keys(name, Keys.ENTER)
    desktop.until(lambda: desktop.place() == f"#/chat/{name}")
    phone.go(f"chat/{name}")
    phone.until(lambda: "private" in phone.text(".chat-status .note"))
    desktop.press(".chat-head-bar > button:last-of-type")
    desktop.press(".menu [role=menuitem]:has(use[href$='-plus'])")
    desktop.until(lambda: desktop.one(".picker-options [role=option]")).click()
    desktop.press("dialog .dialog-foot .primary")
    phone.until(lambda: phone.one(".chat-input"))
    write(phone, "Here I am")
    sees(desktop, "Here I am")

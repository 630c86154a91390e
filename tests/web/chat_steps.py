"""What people do in chat, as steps of tests."""

import io
import json
import struct
import urllib.request
import wave
import zlib
from typing import Any

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.web.browsers import Person


def call(person: Person, method: str, path: str, body: object = None) -> Any:
    """Do something as this person, at another device."""
    token = person.driver.execute_script("return JSON.parse(sessionStorage.session).token")
    request = urllib.request.Request(
        person.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or "null")


def say(person: Person, conversation_id: str, content: str, **more: Any) -> Any:
    """Send a message from another device."""
    path = f"/api/v1/conversations/{conversation_id}/messages"
    return call(person, "POST", path, {"content": content, **more})


def upload(person: Person, conversation_id: str, name: str) -> str:
    """Upload a picture from another device; returns what a message attaches."""
    token = person.driver.execute_script("return JSON.parse(sessionStorage.session).token")
    head = (
        '--part\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\n'
        f"{conversation_id}\r\n--part\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    )
    request = urllib.request.Request(
        f"{person.url}/api/v1/uploads",
        method="POST",
        data=head.encode() + png() + b"\r\n--part--\r\n",
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "multipart/form-data; boundary=part",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["id"])


def channel(person: Person, name: str) -> None:
    """Create a channel by the menu beside the search, and be in it."""
    person.go("chat")
    person.press(".chat-side-bar button:nth-of-type(1)")
    person.press(".menu [role=menuitem]:nth-of-type(2)")
    person.until(lambda: person.one("dialog [name=name]")).send_keys(name, Keys.ENTER)
    person.until(lambda: person.place() == f"#/chat/{name}")
    person.until(lambda: person.one(".chat-input"))


def join(person: Person, name: str) -> None:
    """Look into a channel by its address, and join it."""
    person.go(f"chat/{name}")
    person.press(".chat-ask .primary")
    person.until(lambda: person.one(".chat-input"))


def write(person: Person, text: str) -> None:
    """Write a message into the open conversation and send it with Enter."""
    person.until(lambda: person.one(".chat-input").is_displayed())
    person.one(".chat-input").send_keys(text, Keys.ENTER)


def texts(person: Person) -> list[str]:
    """Read the messages that the page shows."""
    script = "return [...document.querySelectorAll('.chat-text')].map((it) => it.textContent)"
    return list(person.driver.execute_script(script))


def sees(person: Person, *expected: str) -> None:
    """Wait until these are the last messages that the page shows."""
    person.until(lambda: texts(person)[-len(expected) :] == [*expected])


def row(person: Person, text: str) -> WebElement:
    """Find the row of the last message with a text."""
    script = (
        "return [...document.querySelectorAll('.chat-row')]"
        ".findLast((it) => it.querySelector('.chat-text').textContent === arguments[0])"
    )
    found = person.until(lambda: person.driver.execute_script(script, text))
    assert isinstance(found, WebElement)
    return found


def choose(person: Person, text: str, action: str) -> None:
    """Open a message's menu with the keyboard, and choose an action by its icon."""
    found = row(person, text)
    person.driver.execute_script("arguments[0].focus()", found)
    found.send_keys(Keys.ENTER)
    person.press(f".menu [role=menuitem]:has(use[href$='-{action}'])")


def unread(person: Person) -> str:
    """Read the count at the chat's place in the rail."""
    return person.text("[data-screen=chat] .badge:not([hidden])")


def entry(person: Person, name: str) -> WebElement | None:
    """Find a conversation in the list by its name."""
    script = (
        "return [...document.querySelectorAll('.chat-entry')].find("
        "(it) => it.querySelector('.chat-entry-name').textContent === arguments[0])"
    )
    found = person.driver.execute_script(script, name)
    assert found is None or isinstance(found, WebElement)
    return found


def contacts(one: Person, other: Person) -> str:
    """Let two people have written to one another; returns their conversation."""
    made = call(one, "POST", "/api/v1/conversations", {"participants": [other.email]})
    call(other, "POST", f"/api/v1/conversations/{made['id']}/accept", {})
    return str(made["id"])


def name_of(person: Person) -> str:
    return person.email.partition("@")[0]


def png() -> bytes:
    """Make a picture of 40 by 30 points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)
    lines = zlib.compress((b"\0" + b"\x40\x80\xc0" * 40) * 30)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def wav() -> bytes:
    """Make a second of sound."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(0, 250, 10)) * 320)
    return made.getvalue()

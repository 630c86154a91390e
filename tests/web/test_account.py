"""The account: who one is, where one is signed in, whom one has blocked, one's data."""

import re

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from app.web import WEB
from models.error_codes import CATALOGUE
from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, PASSWORD, Person, Server, needs_browser
from tests.web.chat_steps import call
from tests.web.looks import HOSTILE, SIZES, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

NEXT = "another password 123"
DEVICE = ".account-list li:has(.account-used)"
SET = """
const [selector, value] = arguments;
document.querySelector(selector).value = value;
"""


def account(person: Person) -> None:
    person.go("account")
    person.until(lambda: person.one(".account-mark").is_displayed())


def fill(person: Person, selector: str, value: str) -> None:
    """Put text into a field whatever it holds."""
    person.until(lambda: person.one(selector).is_displayed())
    person.driver.execute_script(SET, selector, value)


def test_the_profile(desktop: Person) -> None:
    """Name, time zone and language are kept; what is wrong stands under its field."""
    account(desktop)
    fill(desktop, "[name=name]", "Ada\u202e Lovelace")
    desktop.press("section:has([name=name]) [type=submit]")
    desktop.until(lambda: "direction of text" in desktop.text("[name=name] ~ .error"))
    fill(desktop, "[name=name]", "Ada Lovelace")
    fill(desktop, "[name=time_zone]", "Asia/Tokyo")
    desktop.press("section:has([name=name]) [type=submit]")
    desktop.until(lambda: desktop.text(".account-names strong") == "Ada Lovelace")
    desktop.until(lambda: "Ada Lovelace" in (desktop.one("#me").get_attribute("aria-label") or ""))
    assert call(desktop, "GET", "/api/v1/auth/me")["time_zone"] == "Asia/Tokyo"
    desktop.driver.refresh()
    desktop.until(lambda: desktop.one("[name=name]").get_property("value") == "Ada Lovelace")
    zone = "return new Intl.DateTimeFormat().resolvedOptions().timeZone"
    here = str(desktop.driver.execute_script(zone))
    desktop.press(".account-here")
    assert desktop.one("[name=time_zone]").get_property("value") == here


def test_password_and_sessions(devices: tuple[Person, Person]) -> None:
    """A wrong password is named; another session ends by its button, or with the password."""
    one, other = devices
    account(one)
    one.until(lambda: len(one.all(DEVICE)) == 2)
    assert "this one" in one.all(DEVICE)[0].text
    one.press(f"{DEVICE} button")
    one.until(lambda: len(one.all(DEVICE)) == 1)
    other.wait_for_state("signed-out")
    other.sign_in("holder@example.com")
    other.wait_for_state("live")
    one.press("section:has([name=next]) summary")
    fill(one, "[name=current]", "not the password")
    fill(one, "[name=next]", "short")
    one.press("section:has([name=next]) [type=submit]")
    one.until(lambda: one.text("[name=next] ~ .error") == "Use at least 8 characters.")
    fill(one, "[name=next]", NEXT)
    one.press("section:has([name=next]) [type=submit]")
    one.until(lambda: "password is wrong" in one.text("section:has([name=next]) form"))
    fill(one, "[name=current]", PASSWORD)
    one.press("section:has([name=next]) [type=submit]")
    one.until(lambda: one.all(".toast-ok"))
    other.wait_for_state("signed-out")
    assert one.state() == "live"


def test_ending_all_others(devices: tuple[Person, Person]) -> None:
    """It is asked for once more; this session stays."""
    one, other = devices
    account(one)
    one.press("section:has(.account-used) > button")
    one.press("dialog[open] .danger")
    other.wait_for_state("signed-out")
    one.until(lambda: len(one.all(DEVICE)) == 1)
    assert not one.one("section:has(.account-used) > button").is_displayed()


def test_blocked_people(desktop: Person, phone: Person) -> None:
    """Who was blocked is listed by name, and is let in again."""
    user = call(phone, "GET", "/api/v1/auth/me")
    call(desktop, "POST", f"/api/v1/users/{user['id']}/block", {})
    account(desktop)
    desktop.until(lambda: user["name"] in desktop.text(".screen-account"))
    desktop.press(f"button[aria-label='Unblock {user['name']}']")
    desktop.until(lambda: "You have blocked no one." in desktop.text(".screen-account"))
    assert call(desktop, "GET", "/api/v1/blocked-users")["items"] == []


def test_email_without_mail(desktop: Person) -> None:
    """A server that sends no mail says so in the page's words."""
    account(desktop)
    desktop.press("section:has(.account-email) summary")
    fill(desktop, "section:has(.account-email) [name=email]", "next@example.com")
    fill(desktop, "section:has(.account-email) [name=password]", PASSWORD)
    desktop.press("section:has(.account-email) [type=submit]")
    desktop.until(lambda: "no emails" in desktop.text("section:has(.account-email) form"))


SAVED = """
const { createObjectURL } = URL;
return new Promise((resolve) => {
  URL.createObjectURL = (blob) => {
    URL.createObjectURL = createObjectURL;
    blob.text().then((text) => resolve(JSON.parse(text).account.email));
    return createObjectURL.call(URL, blob);
  };
  document.querySelector("button:has(use[href='#icon-download'])").click();
});
"""


def test_export_and_delete(desktop: Person) -> None:
    """The file is the account's; deleting asks for the password, and ends here."""
    account(desktop)
    assert desktop.ask(SAVED) == desktop.email
    desktop.press(".account-part .danger")
    fill(desktop, "dialog[open] [name=password]", "not the password")
    desktop.press("dialog[open] [type=submit]")
    desktop.until(lambda: "password is wrong" in desktop.text("dialog[open]"))
    fill(desktop, "dialog[open] [name=password]", PASSWORD)
    desktop.press("dialog[open] [type=submit]")
    desktop.wait_for_state("signed-out")
    desktop.sign_in(desktop.email)
    desktop.until(lambda: desktop.text("form .error:not([hidden])"))


def test_a_restart_keeps_what_is_typed(devices: tuple[Person, Person], own_server: Server) -> None:
    """After it the screen is as a fresh load shows it, and a half-written form is still there."""
    one, other = devices
    account(one)
    fill(one, "[name=name]", "Half a na")
    own_server.stop()
    one.wait_for_state("reconnecting")
    one.press("section:has([name=name]) [type=submit]")
    one.until(lambda: "cannot be reached" in one.text("section:has([name=name]) form"))
    other.driver.get("about:blank")
    own_server.start()
    call(one, "PATCH", "/api/v1/auth/me", {"name": "Meanwhile"})
    one.wait_for_state("live")
    one.until(lambda: one.text(".account-names strong") == "Meanwhile")
    assert one.one("[name=name]").get_property("value") == "Half a na"


@needs_axe
def test_looks(desktop: Person, phone: Person) -> None:
    """Names are letters; axe finds nothing with all forms open, in any scheme or width."""
    for person in (desktop, phone):
        call(person, "PATCH", "/api/v1/auth/me", {"name": HOSTILE[6][:80]})
        account(person)
        person.until(lambda person=person: person.text(".account-names strong") == HOSTILE[6][:80])
        for summary in person.all(".account-part summary"):
            person.driver.execute_script("arguments[0].parentElement.open = true", summary)
        for features in ({}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
            with preferring(person, **features):
                assert violations(person) == []
        assert outside(person) == []
    for size in SIZES:
        resize(desktop, size)
        assert outside(desktop) == []
        assert too_small(desktop) == []
    resize(desktop, DESKTOP)


def test_in_vietnamese(desktop: Person) -> None:
    """Words of the page, of codes and of fields are."""
    account(desktop)
    desktop.module("lib/i18n.js", "return module.setLanguage('vi');")
    try:
        account(desktop)
        desktop.until(lambda: "Bạn chưa chặn ai." in desktop.text(".screen-account"))
        desktop.press("section:has([name=next]) summary")
        fill(desktop, "[name=current]", "not the password")
        fill(desktop, "[name=next]", "short")
        desktop.press("section:has([name=next]) [type=submit]")
        desktop.until(lambda: "ít nhất 8 ký tự" in desktop.text("[name=next] ~ .error"))
        fill(desktop, "[name=next]", NEXT)
        desktop.press("section:has([name=next]) [type=submit]")
        form = "section:has([name=next]) form"
        desktop.until(lambda: "Mật khẩu không đúng." in desktop.text(form))
    finally:
        desktop.module("lib/i18n.js", "return module.setLanguage('en');")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_errors_have_words(language: str) -> None:
    """Every code that account, notifications and inspector can get is said in the page's words."""
    source = (WEB / "i18n" / f"{language}.js").read_text(encoding="utf-8")
    known = set(re.findall(r'"error\.(\w+)"', source))
    reached = {
        *("too_many_requests", "too_many_slow_commands", "internal", "unavailable", "busy"),
        *("server_stopping", "answer_too_long", "export_under_way", "too_many_connections"),
        *("token_invalid", "token_expired", "session_ended", "account_disabled", "not_found"),
        *("invalid", "forbidden", "request_timeout", "request_too_large"),
        *("password_wrong", "password_changed", "password_missing", "email_taken"),
        *("email_missing", "email_changed", "email_unchanged", "account_not_found"),
        *("session_not_found", "mail_not_available", "notification_not_found"),
        "push_not_configured",
    }
    assert reached <= set(CATALOGUE)
    assert reached - known == set()


CHOOSE = """
const canvas = document.createElement("canvas");
canvas.width = 900;
canvas.height = 600;
const pen = canvas.getContext("2d");
pen.fillStyle = args[0];
pen.fillRect(0, 0, 900, 600);
const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
const chosen = new DataTransfer();
chosen.items.add(new File([args[1] ? "no picture" : blob], "photo.png", { type: "image/png" }));
const input = document.querySelector(".account-picture input");
input.files = chosen.files;
input.dispatchEvent(new Event("change"));
"""
PICTURE = """
const [image] = document.querySelectorAll(args[0]);
if (!image?.complete || !image.naturalWidth) return null;
const canvas = document.createElement("canvas");
canvas.width = image.naturalWidth;
canvas.height = image.naturalHeight;
const pen = canvas.getContext("2d");
pen.drawImage(image, 0, 0);
const [red, green, blue] = pen.getImageData(9, 9, 1, 1).data;
return [canvas.width, canvas.height, red > 200, green > 200, blue > 200];
"""
LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


def test_a_picture(desktop: Person, phone: Person) -> None:
    """It is cut to a small square, and stands wherever the person is shown, here and elsewhere."""
    account(desktop)
    desktop.ask(CHOOSE, "red", True)
    desktop.until(lambda: "damaged" in desktop.text(".toast-error"))
    desktop.ask(CHOOSE, "red", False)
    square = [256, 256, True, False, False]
    for place in ("#me img", ".account-who img"):
        desktop.until(lambda place=place: desktop.ask(PICTURE, place) == square)
    call(desktop, "POST", "/stories", {"text": "With a face", "visibility": "PUBLIC"})
    mine = call(desktop, "GET", "/api/v1/auth/me")["id"]
    face = f"[data-person-avatar='{mine}'] img"
    phone.go("stories")
    phone.until(lambda: phone.ask(PICTURE, face) == square)
    desktop.ask(CHOOSE, "blue", False)
    desktop.until(lambda: desktop.ask(PICTURE, "#me img") == [256, 256, False, False, True])
    phone.driver.execute_script(LOOK_AGAIN)
    phone.until(lambda: phone.ask(PICTURE, face) == [256, 256, False, False, True])
    desktop.driver.refresh()
    account(desktop)
    desktop.until(lambda: desktop.all("#me img"))
    desktop.press(".account-picture .quiet")
    desktop.until(lambda: desktop.text("#me .initials") == "D")
    phone.driver.execute_script(LOOK_AGAIN)
    phone.until(lambda: not phone.all(face))
    desktop.driver.refresh()
    account(desktop)
    assert not desktop.one(".account-picture .quiet").is_displayed()
    assert desktop.complaints() == []
    desktop.sign_out()
    desktop.wait_for_state("signed-out")
    assert (
        desktop.module("lib/people.js", "return module.people.get(args[0]) ?? null;", mine) is None
    )

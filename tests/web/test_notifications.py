"""Notifications: the bell, the inbox, the archive, what is wanted, and what the browser shows."""

import base64
import json
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, Person, Server, needs_browser
from tests.web.looks import HOSTILE, SIZES, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

ROW = ".notifications-row"


def notify(person: Person, title: str, link: str = "", type: str = "order_paid") -> None:
    """Tell the account of something, as another service does."""
    user = person.driver.execute_script("return JSON.parse(sessionStorage.session).user.id")
    body = {"user_id": user, "type": type, "title": title, "message": f"About {title}"[:500]}
    request = urllib.request.Request(
        f"{person.url}/api/v1/notifications",
        method="POST",
        data=json.dumps({**body, "link": link}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def titles(person: Person) -> list[str]:
    return [str(title.get_property("textContent")) for title in person.all(f"{ROW} strong")]


def bell(person: Person) -> str:
    """Read the count at the bell, "" where there is none."""
    badge = person.one("#bell .badge")
    return badge.text if badge.is_displayed() else ""


def inbox(person: Person, place: str = "notifications") -> None:
    person.go(place)
    person.until(lambda: person.one(".notifications-head").is_displayed())


def test_read_and_archived_on_both_devices(devices: tuple[Person, Person]) -> None:
    """What is read, archived or all read at one device is so at the other, bell included."""
    one, other = devices
    for person in devices:
        inbox(person)
    person.until(lambda: person.all(".note.empty"))
    for n in range(3):
        notify(one, f"Notice {n}", "/orders/1")
    for person in devices:
        person.until(lambda person=person: titles(person) == ["Notice 2", "Notice 1", "Notice 0"])
        person.until(lambda person=person: bell(person) == "3")
    one.press(f"{ROW}:first-child .notifications-open")
    one.until(lambda: one.place() == "#/market/orders/1")
    for person in devices:
        person.until(lambda person=person: bell(person) == "2")
    other.until(lambda: len(other.all(f"{ROW}.unread")) == 2)
    one.driver.back()
    one.until(lambda: len(one.all(f"{ROW}.unread")) == 2)
    other.press(f"{ROW}:first-child .notifications-archive")
    for person in devices:
        person.until(lambda person=person: titles(person) == ["Notice 1", "Notice 0"])
    one.press(".notifications-read-all")
    for person in devices:
        person.until(lambda person=person: bell(person) == "")
        person.until(lambda person=person: not person.all(f"{ROW}.unread"))
    one.press("[data-view=archive]")
    one.until(lambda: titles(one) == ["Notice 2"])
    other.press(f"{ROW}:first-child .notifications-archive")
    one.until(lambda: titles(one) == ["Notice 2", "Notice 1"])


def test_while_away(devices: tuple[Person, Person], own_server: Server) -> None:
    """What is done while away holds at once, and is done when the server is back."""
    one = devices[0]
    expected = ["Notice 3", "Notice 1", "Notice 0"]
    for n in range(3):
        notify(one, f"Notice {n}")
    for person in devices:
        inbox(person)
        person.until(lambda person=person: len(titles(person)) == 3)
    own_server.stop()
    one.wait_for_state("reconnecting")
    one.until(lambda: one.one(".as-of").is_displayed())
    one.press(f"{ROW}:first-child .notifications-archive")
    one.press(f"{ROW}:nth-child(2) .notifications-open")
    one.until(lambda: titles(one) == ["Notice 1", "Notice 0"])
    one.until(lambda: len(one.all(f"{ROW}.unread")) == 1)
    own_server.start()
    for person in devices:
        person.wait_for_state("live")
    notify(one, "Notice 3")
    for person in devices:
        person.until(lambda person=person: titles(person) == expected)
        person.until(lambda person=person: bell(person) == "2")
    one.driver.refresh()
    one.until(lambda: titles(one) == expected)
    one.until(lambda: len(one.all(f"{ROW}.unread")) == 2)


def test_missed_while_offline(desktop: Person) -> None:
    """News that came while the tab had no network is there after it, and counted."""
    inbox(desktop)
    desktop.online(False)
    desktop.connection("connection.close();")
    notify(desktop, "Missed")
    desktop.online(True)
    desktop.connection("connection.open();")
    desktop.wait_for_state("live")
    desktop.driver.refresh()
    desktop.until(lambda: titles(desktop) == ["Missed"])
    desktop.until(lambda: bell(desktop) == "1")


def test_keyboard_and_pages(desktop: Person) -> None:
    """The list is one stop: arrows move, Delete archives and keeps a place; pages follow."""
    for n in range(35):
        notify(desktop, f"Notice {n}")
    inbox(desktop)
    desktop.until(lambda: len(desktop.all(ROW)) >= 30)
    reachable = "return [...document.querySelectorAll('.notifications-open')]"
    assert desktop.driver.execute_script(f"{reachable}.filter((e) => e.tabIndex === 0).length") == 1
    desktop.one(".notifications-open").send_keys(Keys.ARROW_DOWN)
    desktop.driver.switch_to.active_element.send_keys(Keys.DELETE)
    desktop.until(lambda: "Notice 33" not in titles(desktop))
    assert "Notice 32" in desktop.driver.switch_to.active_element.text
    desktop.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT, Keys.NULL)
    label = desktop.driver.switch_to.active_element.get_attribute("aria-label")
    assert label == "Archive: Notice 32"
    desktop.driver.execute_script("scrollTo(0, document.body.scrollHeight)")
    desktop.until(lambda: titles(desktop)[-1] == "Notice 0")
    assert len(titles(desktop)) == 34


def swipe(person: Person, part: float) -> None:
    """Draw a finger sideways over the first row, for a part of its width."""
    place = person.one(".notifications-card").rect
    x, y = place["x"] + place["width"] * 0.9, place["y"] + 20
    points = [x - place["width"] * part * step / 5 for step in range(6)]
    for at, kind in zip(points, ["touchStart", *["touchMove"] * 5], strict=True):
        touch = {"type": kind, "touchPoints": [{"x": at, "y": y}]}
        person.driver.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
    assert person.all(".notifications-card.swiping")
    end = {"type": "touchEnd", "touchPoints": []}
    person.driver.execute_cdp_cmd("Input.dispatchTouchEvent", end)


def test_a_swipe_archives(phone: Person) -> None:
    """A short one goes back, a long one puts the notification away."""
    notify(phone, "Swiped")
    inbox(phone)
    phone.until(lambda: titles(phone) == ["Swiped"])
    swipe(phone, 0.15)
    phone.until(lambda: not phone.all(".notifications-card.swiping"))
    assert titles(phone) == ["Swiped"]
    assert bell(phone) == "1"
    swipe(phone, 0.7)
    phone.until(lambda: titles(phone) == [])
    phone.until(lambda: bell(phone) == "")


def test_a_toast_leads_to_its_subject(desktop: Person) -> None:
    """On another screen a toast tells of it; its button opens the order."""
    notify(desktop, "Paid", "/orders/7")
    desktop.press(".toast .quiet")
    desktop.until(lambda: desktop.place() == "#/market/orders/7")


def test_what_is_wanted(desktop: Person) -> None:
    """A type that is not wanted is not unread; the choice is there after a reload."""
    inbox(desktop, "notifications/preferences")
    desktop.until(lambda: len(desktop.all(".notifications-group")) >= 4)
    labels = [label.text for label in desktop.all(".notifications-groups label")]
    assert "An order was paid" in labels
    box = "//label[normalize-space()='An order was paid']/input"
    desktop.driver.find_element("xpath", box).click()
    desktop.until(
        lambda: (
            not desktop.connection(
                "return connection.request('/market', 'get_notification_preferences');"
            )["order_paid"]
        )
    )
    desktop.driver.refresh()
    desktop.until(lambda: desktop.driver.find_element("xpath", box))
    assert not desktop.driver.find_element("xpath", box).is_selected()
    notify(desktop, "Not wanted")
    notify(desktop, "Wanted", type="order_shipped")
    desktop.until(lambda: bell(desktop) == "1")


GRANT = {"permissions": ["notifications"]}
# A browser without a screen may take away at once what it has shown.
WATCH = """
const { prototype } = ServiceWorkerRegistration;
const { showNotification } = prototype;
window.shownNotices = [];
prototype.showNotification = async function show(title, options) {
  await showNotification.call(this, title, options);
  window.shownNotices.push([title, options.body]);
};
"""


def test_the_browser_shows_them_in_the_background(desktop: Person) -> None:
    """Once allowed, a notification of a hidden page is one of the browser's."""
    desktop.driver.execute_cdp_cmd("Browser.grantPermissions", {**GRANT, "origin": desktop.url})
    inbox(desktop, "notifications/preferences")
    box = "//label[contains(., 'in the background')]/input"
    desktop.until(lambda: desktop.driver.find_element("xpath", box).is_displayed())
    desktop.driver.find_element("xpath", box).click()
    desktop.until(lambda: desktop.module("lib/push.js", "return module.noticesOn();") is True)
    desktop.driver.execute_script(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
    )
    desktop.driver.execute_script(WATCH)
    notify(desktop, "In the background")
    shown = desktop.until(lambda: desktop.driver.execute_script("return window.shownNotices"))
    assert shown == [["In the background", "About In the background"]]
    desktop.driver.execute_script("delete document.hidden")
    desktop.driver.find_element("xpath", box).click()
    desktop.until(lambda: desktop.module("lib/push.js", "return module.noticesOn();") is False)


PUSH_STATE = "return module.pushState();"


def test_web_push(people: list[Person], tmp_path: Path) -> None:
    """With keys the opt-in is there; a push service out of reach is said."""
    key = base64.urlsafe_b64encode(bytes(31) + b"\x07").decode().rstrip("=")
    subject = "mailto:admin@example.com"
    own = Server(tmp_path / "data", VAPID_PRIVATE_KEY=key, VAPID_SUBJECT=subject)
    own.start()
    person = Person(people[0].driver, own.url, DESKTOP)
    try:
        person.sign_up("reader@example.com")
        person.driver.execute_cdp_cmd("Browser.grantPermissions", {**GRANT, "origin": own.url})
        inbox(person, "notifications/preferences")
        box = ".notifications-push input"
        person.until(lambda: person.one(box).is_displayed())
        person.one(box).click()
        # Headless browsers reach no push service.
        person.until(lambda: "push service" in person.text(".toast-error"))
        person.until(lambda: not person.one(box).is_selected())
        assert person.module("lib/push.js", PUSH_STATE) == "off"
    finally:
        person.driver.get("about:blank")
        own.stop()


@needs_axe
def test_looks(desktop: Person, phone: Person) -> None:
    """Hostile texts are letters; axe finds nothing in any view, scheme or with forced colours."""
    for person in (desktop, phone):
        for text in HOSTILE:
            notify(person, text[:200])
        inbox(person)
        person.until(lambda person=person: len(titles(person)) == len(HOSTILE))
        assert set(titles(person)) == {text[:200] for text in HOSTILE}
        assert violations(person) == []
        assert outside(person) == []
        assert person.driver.title != "taken"
    desktop.press(f"{ROW} .notifications-archive")
    for place in ("notifications", "notifications/archive", "notifications/preferences"):
        inbox(desktop, place)
        desktop.until(lambda: desktop.all(f"{ROW}, .notifications-groups fieldset"))
        for features in ({"color_scheme": "dark"}, {"forced_colors": "active"}):
            with preferring(desktop, **features):
                assert violations(desktop) == []
        for size in SIZES:
            resize(desktop, size)
            assert outside(desktop) == []
            assert too_small(desktop) == []
        resize(desktop, DESKTOP)
    assert desktop.complaints() == []


def test_in_vietnamese(desktop: Person) -> None:
    """All words are; what people and services wrote stays."""
    notify(desktop, "Phở")
    desktop.module("lib/i18n.js", "return module.setLanguage('vi');")
    try:
        inbox(desktop, "notifications")
        desktop.until(lambda: titles(desktop) == ["Phở"])
        assert "Hộp thư" in desktop.text(".notifications-head")
        inbox(desktop, "notifications/preferences")
        desktop.until(lambda: "Khi bạn mua" in desktop.text(".notifications-groups"))
    finally:
        desktop.module("lib/i18n.js", "return module.setLanguage('en');")

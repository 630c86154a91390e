"""The operators' page in a real browser: it shows what happens and does what is asked."""

from collections.abc import Iterator

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.support.ui import Select

from tests.web.axe import AXE, needs_axe, violations
from tests.web.browsers import DESKTOP, PASSWORD, PHONE, Person, Server, needs_browser
from tests.web.chat_steps import call

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]


@pytest.fixture
def admin(people: list[Person], own_server: Server) -> Iterator[Person]:
    """An operator on the page, at a server of its own: in development everybody is one."""
    visitor = Person(people[0].driver, own_server.url, DESKTOP)
    visitor.arrive()
    visitor.sign_up("operator@example.com")
    visitor.complaints()
    visitor.driver.execute_script("sessionStorage.clear(); localStorage.admin_language = 'en';")
    visitor.driver.get(f"{own_server.url}/admin")
    sign_in(visitor)
    yield visitor
    visitor.driver.get("about:blank")


def sign_in(person: Person) -> None:
    person.until(lambda: person.one("#email"))
    person.one("#email").send_keys("operator@example.com")
    person.one("#password").send_keys(PASSWORD)
    person.press("form.stacked button.main")
    person.until(lambda: "websocket" in person.text("#overview-body") or None)


def says(person: Person, selector: str, text: str) -> None:
    """Wait until a text is there."""
    person.until(lambda: text in person.text(selector) or None)


def test_an_operator_finds_somebody_and_ends_its_sessions(admin: Person) -> None:
    """Search, confirm, and the step is in the log of actions."""
    admin.one("#user-name").send_keys("operator@example.com")
    admin.press("#user form button")
    says(admin, "#user-body", "operator@example.com")
    # The question is asked, and no is an answer.
    admin.press("#user-body .row button")
    admin.press("dialog button[autofocus]")
    assert "kick" not in admin.text("#log-body")
    admin.press("#user-body .row button:last-child")
    says(admin, "#link-place", "http://localhost:")
    says(admin, "#log-body", "reset_link")
    admin.press("#user-body .row button")
    admin.press("dialog button.bad")
    # It was its own account: it has to sign in again.
    admin.until(lambda: admin.one("#email"))


def test_sign_ups_and_notices(admin: Person) -> None:
    """What is switched is switched for all; a notice is sent after a question."""
    Select(admin.one("#mode")).select_by_value("invite")
    admin.press("#sign-ups form button")
    says(admin, "#log-body", "sign_ups")
    admin.press("#sign-ups p button")
    admin.until(lambda: admin.one("#invite-place code"))
    admin.one("#notice-text").send_keys("Back in five minutes")
    admin.press("#notice form button")
    admin.press("dialog button.bad")
    says(admin, "#log-body", "Back in five minutes")
    status = admin.ask(
        "return fetch('api/v1/client-config').then((a) => a.json()).then((c) => c.sign_up)"
    )
    assert status == "invite"
    assert admin.complaints() == []


def test_a_notice_is_seen(admin: Person, people: list[Person], own_server: Server) -> None:
    """Whoever has the client open reads it, once."""
    reader = Person(people[1].driver, own_server.url, PHONE)
    reader.sign_up("reader@example.com")
    admin.one("#notice-text").send_keys("Back in five minutes")
    admin.press("#notice form button")
    admin.press("dialog button.bad")
    reader.until(lambda: reader.all(".toast"))
    assert [shown.text for shown in reader.all(".toast")] == ["Back in five minutes"]
    reader.driver.get("about:blank")


def test_a_report_is_read_and_decided(
    admin: Person, people: list[Person], own_server: Server
) -> None:
    """The operator reads what was reported and why, removes it, and the list is empty again."""
    author = Person(people[1].driver, own_server.url, PHONE)
    author.sign_up("author@example.com")
    story = call(author, "POST", "/stories", {"text": "<b>Rude</b>", "visibility": "PUBLIC"})
    author.until(lambda: author.text(".stories-card .stories-text") == "<b>Rude</b>")
    token = admin.driver.execute_script("return sessionStorage.getItem('admin_token')")
    ask = (
        "const [path, token, what] = args; return fetch(path, {method: 'POST', body: what, headers:"
    )
    ask += " {authorization: `Bearer ${token}`, 'content-type': 'application/json'}})"
    ask += ".then((answer) => answer.status);"
    what = '{"reason": "harassment", "note": "Look at this"}'
    assert admin.ask(ask, f"stories/{story['id']}/report", token, what) == 200
    admin.driver.refresh()
    says(admin, "#reports-body", "<b>Rude</b>")
    says(admin, "#reports-body", "Look at this")
    assert admin.all("#reports-body b") == []
    assert violations(admin, "#reports") == [] if AXE.is_file() else True
    admin.press("#reports-body button.bad")
    admin.press("dialog button.bad")
    admin.until(lambda: not admin.all("#reports-body .quote"))
    says(admin, "#log-body", story["id"])
    author.until(lambda: not author.all(".stories-card"))
    author.driver.get("about:blank")


def test_the_page_speaks_vietnamese(admin: Person) -> None:
    """The choice is kept, and nothing is left in English."""
    Select(admin.one("#language")).select_by_value("vi")
    says(admin, "#overview h2", "Tổng quan")
    assert admin.ask("return document.documentElement.lang") == "vi"
    admin.driver.refresh()
    says(admin, "#overview h2", "Tổng quan")
    headings = [heading.text for heading in admin.all("h2")]
    assert "Reports" not in headings
    assert len(headings) == len(set(headings)) > 8
    assert admin.complaints() == []


@needs_axe
def test_everybody_can_use_it(admin: Person) -> None:
    """axe finds nothing, with the lists filled."""
    admin.one("#user-name").send_keys("operator@example.com")
    admin.press("#user form button")
    says(admin, "#user-body", "operator@example.com")
    assert violations(admin) == []


def test_screens_are_private(own_server: Server, people: list[Person]) -> None:
    """Without an operator's token the page shows a form and nothing else."""
    visitor = Person(people[0].driver, own_server.url, DESKTOP)
    visitor.driver.get(f"{own_server.url}/live")
    visitor.driver.execute_script("sessionStorage.clear()")
    visitor.driver.get(f"{own_server.url}/admin")
    visitor.until(lambda: visitor.one("#email"))
    assert visitor.all("#overview") == []
    visitor.driver.get("about:blank")

"""The shell around the screens: arriving, the connection's state, places."""

import itertools
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, Person, Server, needs_browser
from tests.web.looks import HOSTILE, SIZES, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), needs_browser]

_numbers = itertools.count(1)


def test_arriving_is_live(desktop: Person, phone: Person) -> None:
    """A new account sees the first screen and *Live*, at a desktop and at a phone."""
    for person in (desktop, phone):
        assert person.place() == "#/stories"
        assert person.text(".pill-words") == "Live"
        assert person.text("#title") == "Stories"
        assert person.complaints() == []


def test_signing_out_leaves_nothing(desktop: Person) -> None:
    """Signing out ends the connection, and leaves nothing of the account in the tab."""
    desktop.sign_out()
    desktop.wait_for_state("signed-out")
    desktop.until(lambda: desktop.one("[name=email]").is_displayed())
    assert desktop.driver.execute_script("return sessionStorage.length") == 0
    assert not desktop.one("#rail").is_displayed()


@pytest.mark.parametrize("place", ["chat", "market", "diary", "notifications", "account"])
def test_places_have_addresses(desktop: Person, place: str) -> None:
    """Every screen has an address that a reload and the back button keep."""
    desktop.go(place)
    desktop.until(lambda: desktop.one(f".screen-{place}"))
    desktop.driver.refresh()
    desktop.wait_for_state("live")
    desktop.until(lambda: desktop.one(f".screen-{place}"))
    desktop.driver.back()
    desktop.until(lambda: desktop.one(".screen-stories"))


def test_wrong_password_is_shown(people: list[Person]) -> None:
    """A failed sign-in shows the server's words and keeps what was typed."""
    person = people[0]
    person.sign_in("unknown@example.com")
    person.until(lambda: person.text("form > .error:not([hidden])"))
    assert person.one("[name=email]").get_property("value") == "unknown@example.com"
    assert person.state() == "signed-out"


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_welcome_is_accessible(people: list[Person], scheme: str) -> None:
    """axe finds nothing on the first page, in either mode of its form, at any size."""
    person = people[0]
    with preferring(person, color_scheme=scheme):
        person.arrive()
        person.until(lambda: person.one(".demo-person"))
        assert violations(person) == []
        person.press("[data-mode=signUp]")
        person.press("form [type=submit]")
        person.until(lambda: person.one("[aria-invalid=true]"))
        assert violations(person) == []
        person.press("[data-mode=signIn]")
    for size in SIZES:
        resize(person, size)
        assert outside(person) == []
        assert too_small(person) == []
    resize(person, DESKTOP)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shell_is_accessible(desktop: Person, phone: Person, scheme: str) -> None:
    """axe finds nothing around the screens: rail, bar, menu, drawer, toasts, dialogs."""
    for person in (desktop, phone):
        with preferring(person, color_scheme=scheme):
            person.press("#me")
            assert violations(person) == []
            person.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
            person.module("lib/toast.js", "module.toast('Said', { kind: 'error' });")
            person.module(
                "lib/dialog.js",
                "module.confirmDialog({ title: 'Sure', text: 'Really', action: 'Yes' });",
            )
            assert violations(person, "dialog") == []
            person.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
            person.until(lambda person=person: person.all("dialog") == [])
            assert violations(person, ".toasts") == []


@pytest.mark.parametrize("size", SIZES)
def test_shell_fits_every_size(desktop: Person, size: tuple[int, int]) -> None:
    """From 320 to 1920 px nothing stands out sideways, and controls are large enough."""
    resize(desktop, size)
    try:
        desktop.until(lambda: desktop.one(".screen"))
        assert outside(desktop) == []
        assert too_small(desktop) == []
    finally:
        resize(desktop, DESKTOP)


def test_forced_colours_keep_what_is_said(desktop: Person) -> None:
    """With forced colours the current place and the state's dot are still seen."""
    with preferring(desktop, forced_colors="active"):
        style = "return getComputedStyle(arguments[0])[arguments[1]]"
        current = desktop.one(".place[aria-current=page]")
        assert desktop.driver.execute_script(style, current, "outlineStyle") == "solid"
        dot = desktop.one(".pill .dot")
        assert desktop.driver.execute_script(style, dot, "backgroundColor") not in (
            "rgba(0, 0, 0, 0)",
            "rgb(255, 255, 255)",
        )


def test_keyboard_reaches_everything(desktop: Person) -> None:
    """Skip link first, then the places, the header, the menu with its arrows, and back."""
    desktop.driver.refresh()
    desktop.wait_for_state("live")
    desktop.one("body").send_keys(Keys.TAB)
    focused = "return document.activeElement.id || document.activeElement.className"
    assert desktop.driver.execute_script(focused) == "skip-content"
    desktop.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert desktop.driver.execute_script(focused) == "content"
    desktop.one("#me").send_keys(Keys.ENTER)
    item = desktop.driver.switch_to.active_element
    assert item.get_attribute("role") == "menuitem"
    item.send_keys(Keys.ARROW_DOWN)
    second = desktop.driver.switch_to.active_element
    assert second != item
    second.send_keys(Keys.END)
    assert desktop.driver.switch_to.active_element.text == "Sign out"
    desktop.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert desktop.driver.execute_script(focused) == "me"
    assert desktop.all(".menu") == []


def test_inspector_is_one_key_away(desktop: Person) -> None:
    """The key opens the drawer over any screen and closes it; in a field it is a letter."""
    desktop.go("diary")
    desktop.until(lambda: desktop.one(".screen-diary"))
    desktop.one("body").send_keys("`")
    desktop.until(lambda: desktop.one("#inspector").is_displayed())
    desktop.driver.refresh()
    desktop.until(lambda: desktop.one("#inspector").is_displayed())
    desktop.until(lambda: desktop.one(".screen-inspector"))
    desktop.one("body").send_keys("`")
    desktop.until(lambda: not desktop.one("#inspector").is_displayed())


def test_language_changes_at_once(desktop: Person) -> None:
    """Every word of the shell is Vietnamese afterwards, and stays so."""
    desktop.press("#me")
    desktop.until(lambda: desktop.one(".menu"))
    items = desktop.all(".menu [role=menuitemcheckbox]")
    next(item for item in items if item.text == "Tiếng Việt").click()
    try:
        desktop.until(lambda: desktop.text("#title") == "Tin")
        assert desktop.one("html").get_attribute("lang") == "vi"
        assert desktop.text(".pill-words") == "Trực tiếp"
        desktop.driver.refresh()
        desktop.until(lambda: desktop.text("#title") == "Tin")
    finally:
        desktop.driver.execute_script("localStorage.clear()")


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_text(people: list[Person], server: Server, text: str) -> None:
    """What an account is called is shown letter by letter, and runs nowhere."""
    person = people[0]
    person.sign_up(f"hostile{next(_numbers)}@example.com")
    # Past the server, which refuses some of these as names.
    person.module(
        "lib/api.js",
        "const { session } = module; session.update({ ...session.user, name: args[0] });",
        text,
    )
    assert text in (person.one("#me").get_attribute("aria-label") or "")
    assert person.driver.title == "Stories · Realtime"
    assert person.all("main img, main script, header img, header script") == []
    assert person.complaints() == []
    assert outside(person) == []


def test_links_of_mails_are_asked_first(people: list[Person], server: Server) -> None:
    """A link shows a form, takes its token out of the address, and says what came of it."""
    person = people[0]
    person.arrive()
    person.go("verify/not-a-real-token")
    person.until(lambda: person.one("#link-form"))
    assert "not-a-real-token" not in person.driver.current_url
    person.press("#link-form [type=submit]")
    person.until(lambda: person.text("#link-form .error:not([hidden])"))


def test_unknown_place_says_so(desktop: Person) -> None:
    """An address that leads nowhere offers a way out."""
    desktop.go("no-such-place")
    desktop.until(lambda: desktop.one(".note.empty a"))
    desktop.press(".note.empty a")
    desktop.until(lambda: desktop.one(".screen-stories"))


def test_enter_as_an_example(people: list[Person]) -> None:
    """One press makes the newcomer one of the example people, in an account with content."""
    person = people[0]
    person.arrive()
    person.press(".demo-person[data-name=Alice]")
    person.wait_for_state("live")
    assert "Alice" in (person.one("#me").get_attribute("aria-label") or "")


@pytest.mark.parametrize("sign_up", ["closed", "invite"])
def test_form_follows_what_the_server_allows(
    people: list[Person], tmp_path: Path, sign_up: str
) -> None:
    """Where sign-up is closed the form offers none; where it is by invitation it asks for one."""
    own = Server(tmp_path / "data", SIGNUP=sign_up, MAIL_HOOK_URL="http://127.0.0.1:9/")
    own.start()
    person = Person(people[0].driver, own.url, DESKTOP)
    try:
        person.arrive()
        person.until(lambda: person.one("form .quiet").is_displayed())
        person.press("form .quiet")
        assert person.until(lambda: person.text(".field .error:not([hidden])")) == (
            "Email is missing."
        )
        if sign_up == "closed":
            assert not person.one("[data-mode=signUp]").is_displayed()
        else:
            person.press("[data-mode=signUp]")
            person.one("[name=email]").send_keys("guest@example.com")
            person.one("[name=password]").send_keys("password123", Keys.ENTER)
            person.until(
                lambda: person.text(".field .error:not([hidden])") == "Invitation is missing."
            )
            person.one("[name=invite]").send_keys("not-an-invitation", Keys.ENTER)
            person.until(lambda: person.one("form > .error").is_displayed())
        assert person.state() == "signed-out"
    finally:
        person.driver.get("about:blank")
        own.stop()


def test_account_begins_where_the_reader_is(people: list[Person]) -> None:
    """A new account has the browser's time zone and the page's language."""
    person = people[0]
    person.arrive()
    person.driver.execute_script("localStorage.language = 'vi'")
    set_zone = "Emulation.setTimezoneOverride"
    person.driver.execute_cdp_cmd(set_zone, {"timezoneId": "Pacific/Kiritimati"})
    try:
        person.sign_up(f"place{next(_numbers)}@example.com")
        read = "return module.api.get('/api/v1/auth/me');"
        person.until(lambda: person.module("lib/api.js", read)["language"] == "vi")
        account = person.module("lib/api.js", read)
    finally:
        person.driver.execute_cdp_cmd(set_zone, {"timezoneId": ""})
        person.driver.execute_script("localStorage.clear()")
    assert account["time_zone"] == "Pacific/Kiritimati"


def test_first_view_is_small(people: list[Person], server: Server) -> None:
    """At most 60 kB and ten requests, and usable within 2 s on Fast 3G, from an empty cache."""
    driver = people[0].driver
    people[0].arrive()
    driver.get("about:blank")
    watch = driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {
            "source": "new MutationObserver((_, observer) => {"
            " if (!document.querySelector('[name=email]')) return;"
            " window.usableAt = performance.now(); observer.disconnect(); })"
            ".observe(document, { childList: true, subtree: true });"
        },
    )
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    # Fast 3G, as the browser's own tools have it.
    fast_3g = {"latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **fast_3g})
    try:
        driver.get(server.url)
        people[0].until(lambda: driver.execute_script("return window.usableAt"))
        people[0].until(lambda: people[0].one(".demo-person"))
        usable_ms, sizes = driver.execute_script(
            "return [window.usableAt, [...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')].map((entry) => entry.transferSize)]"
        )
    finally:
        people[0].online(True)
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    assert sum(sizes) <= 60_000
    assert len(sizes) <= 10
    assert usable_ms < 2000


def test_worker_for_pushes_is_the_only_script_by_address(desktop: Person) -> None:
    """The page's policy lets its own worker be registered, and no other address become a script."""
    scope = desktop.module("lib/push.js", "return (await module.register()).scope;")
    assert scope == f"{desktop.url}/"
    refused = desktop.ask(
        "return navigator.serviceWorker.register('app.js').then(() => 'taken', (e) => e.name);"
    )
    assert refused == "TypeError"
    assert desktop.ask("try { trustedTypes.createPolicy('x', {}); } catch (e) { return e.name; }")


def test_links_of_notifications_have_places(people: list[Person]) -> None:
    """What a notification links to is a place of the page, or nothing."""
    people[0].arrive()
    places = {
        "/orders/12": "#/market/orders/12",
        "/products/7": "#/market/7",
        "#/chat/general": "#/chat/general",
        "https://elsewhere.example/orders/1": None,
        "javascript:alert(1)": None,
        "//elsewhere.example": None,
        "": None,
    }
    found = people[0].module("lib/router.js", "return args[0].map(module.placeOf);", [*places])
    assert found == [*places.values()]


def test_going_back_leads_to_where_one_was(desktop: Person) -> None:
    """A place keeps how far it was scrolled, also when what it shows comes a moment later."""
    # As a list does that reads what it shows.
    desktop.driver.execute_script(
        """
        const fill = () => {
          const screen = document.querySelector(".screen-account");
          if (!screen || screen.querySelector("#filler")) return;
          const filler = Object.assign(document.createElement("div"), { id: "filler" });
          screen.append(filler);
          setTimeout(() => filler.style.setProperty("height", "4000px"), 300);
        };
        new MutationObserver(fill).observe(document.body, { childList: true, subtree: true });
        """
    )
    scrolled = "return [document.documentElement.scrollHeight, scrollY]"
    desktop.go("account")
    desktop.until(lambda: desktop.driver.execute_script(scrolled)[0] > 4000)
    desktop.driver.execute_script("scrollTo(0, 1500)")
    desktop.until(lambda: desktop.driver.execute_script(scrolled)[1] == 1500)
    desktop.go("diary")
    desktop.until(lambda: desktop.one(".screen-diary"))
    desktop.driver.back()
    desktop.until(lambda: desktop.driver.execute_script(scrolled)[1] == 1500)

"""What the header says of the connection is true, and what was lost with it comes back."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from app.web import SOCKETIO_CLIENT_FILE, WEB
from tests.web.browsers import (
    DESKTOP,
    JWT_SECRET,
    PHONE,
    STOCK_CLIENT,
    Person,
    Server,
    needs_browser,
)
from tests.web.looks import SIZES, outside, resize

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), needs_browser]

COUNT_CATCHUPS = """
window.catchups = 0;
connection.addEventListener("catchup", () => { window.catchups += 1; });
"""
COUNT_RECOVERIES = """
window.recoveries = 0;
window.heard = [];
connection.addEventListener("recovered", () => { window.recoveries += 1; });
connection.on("/stories", "story.created", (story) => { window.heard.push(story.text); });
"""
CUT = """
connection.sockets.get("/stories").io.engine.close();
"""
POST_STORY = """
const { token } = JSON.parse(sessionStorage.session);
const story = { text: args[0], visibility: "PUBLIC", audience_user_ids: [] };
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
await fetch("stories", { method: "POST", headers, body: JSON.stringify(story) });
"""
CREATE_STORY = """
window.sent = connection.send("/stories", "create_story", { text: args[0], visibility: "PUBLIC" });
window.outcome = null;
window.sent.done.then((story) => { window.outcome = story.text; });
return window.sent.clientId;
"""
LIST_STORIES = """
const { items } = await connection.request("/stories", "list_stories", {});
return items.map((story) => story.text);
"""


@pytest.fixture
def person(people: list[Person], own_server: Server) -> Iterator[Person]:
    """A new account at that server."""
    person = Person(people[0].driver, own_server.url, DESKTOP)
    person.sign_up("patient@example.com")
    yield person
    person.online(True)
    person.driver.get("about:blank")


def recoveries(person: Person) -> int:
    return int(person.driver.execute_script("return window.recoveries"))


def stored(person: Person) -> dict[str, Any]:
    state = person.driver.execute_script("return JSON.parse(sessionStorage.session ?? null)")
    assert state is None or isinstance(state, dict)
    return state or {}


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def shorten(person: Person, *, left_s: float) -> None:
    """Let the tab's access token be one that ends soon, and load the page with it."""
    state = stored(person)
    token = claims(state["token"]) | {"exp": int(time.time() + left_s)}
    state["token"] = jwt.encode(token, JWT_SECRET, algorithm="HS256")
    state["expiresAt"] = (time.time() + left_s) * 1000
    state["aheadMs"] = left_s * 1000 / 4
    person.driver.execute_script("sessionStorage.session = arguments[0]", json.dumps(state))
    person.driver.refresh()
    person.wait_for_state("live")


def retry(person: Person) -> None:
    """Press *now*, unless the page has come back by itself meanwhile."""

    def pressed() -> bool:
        if person.state() != "live":
            person.one(".pill-action").click()
        return True

    person.until(pressed)


def test_restart_is_shown_and_survived(person: Person, own_server: Server) -> None:
    """While the server is away the header says when it tries again; nothing is lost meanwhile."""
    person.connection(COUNT_CATCHUPS)
    own_server.stop()
    person.wait_for_state("reconnecting")
    assert person.one(".pill-action").text == "now"
    if not STOCK_CLIENT:
        # The stock client does not say when it tries again.
        person.until(lambda: person.text(".pill-words").startswith("Reconnecting in "))
    client_id = person.connection(CREATE_STORY, "Written while away")
    assert person.text(".pill-waiting") == "1 waiting"
    assert person.connection("return connection.waits(args[0])", client_id)
    own_server.start()
    retry(person)
    person.wait_for_state("live")
    person.until(lambda: person.driver.execute_script("return window.outcome"))
    assert person.connection(LIST_STORIES) == ["Written while away"]
    assert person.driver.execute_script("return window.catchups") == 1
    assert not person.one(".pill-waiting").is_displayed()


@pytest.fixture
def slow_server(tmp_path: Path) -> Iterator[Server]:
    """A server that takes one message a second of an account, and has none wait for longer."""
    server = Server(
        tmp_path / "data",
        LIMIT_MESSAGES_PER_S="1",
        LIMIT_MESSAGES_BURST="40",
        LIMIT_MESSAGE_DELAY_S="1",
    )
    server.start()
    yield server
    server.stop()


SPEND = """
const { io } = module.modules["lib/io.js"];
const { token } = JSON.parse(sessionStorage.session);
const other = io(new URL("/diary", location.href).href, { auth: { token }, forceNew: true });
await new Promise((resolve) => other.on("connect", resolve));
let spending = true;
window.stopSpending = () => { spending = false; other.disconnect(); };
// It is over its allowance once an answer says so, or comes late.
await new Promise((resolve) => {
  const spend = () => {
    const sent = performance.now();
    other.emit("list_entries", { limit: 1 }, ({ error }) => {
      if (error || performance.now() - sent > 500) resolve();
      if (spending) spend();
    });
  };
  spend();
});
"""
WRITE_SEVERAL = """
window.outcomes = [];
window.early = [];
let until = 0;
const { frames } = module.modules["lib/frames.js"];
frames.addEventListener("frame", ({ detail: { name, direction, payload } }) => {
  if (!name.startsWith("create_story")) return;
  const wait = payload?.error?.retry_after ?? 0;
  if (direction === "out" && performance.now() < until) window.early.push(payload.text);
  if (direction === "in") until = performance.now() + wait * 1000;
});
for (let n = 1; n <= args[0]; n += 1) {
  const story = { text: `story ${n}`, visibility: "PUBLIC" };
  connection.send("/stories", "create_story", story).done.then(
    ({ text }) => window.outcomes.push(text),
    ({ code }) => window.outcomes.push(code),
  );
}
"""


def test_what_is_too_much_waits_for_its_turn(people: list[Person], slow_server: Server) -> None:
    """Refused for now, commands wait as long as the server says; each is done once, in order."""
    person = Person(people[0].driver, slow_server.url, DESKTOP)
    person.sign_up("hasty@example.com")
    # Another connection of the account takes more than its share.
    person.connection(SPEND)
    person.connection(WRITE_SEVERAL, 4)
    person.until(lambda: person.text(".pill-words").startswith("Sending in "))
    assert person.state() == "live"
    assert person.text(".pill-waiting") == "4 waiting"
    assert "too_many_requests" in (person.one(".pill").get_attribute("title") or "")
    assert person.driver.execute_script("return window.outcomes") == []
    person.driver.execute_script("window.stopSpending()")
    expected = [f"story {n}" for n in range(1, 5)]
    person.until(lambda: len(person.driver.execute_script("return window.outcomes")) == 4)
    assert person.driver.execute_script("return window.outcomes") == expected
    assert person.driver.execute_script("return window.early") == []
    person.until(lambda: person.text(".pill-words") == "Live")
    assert not person.one(".pill-waiting").is_displayed()
    # Listing is one command more, which the server may find too much for now.
    stories = person.until(lambda: person.connection(LIST_STORIES))
    assert stories[::-1] == expected


def test_a_form_is_free_while_its_command_waits_for_its_turn(
    people: list[Person], slow_server: Server
) -> None:
    """A story that was too much for now stands in the feed as waiting, and is posted once."""
    person = Person(people[0].driver, slow_server.url, DESKTOP)
    person.sign_up("hasty@example.com")
    person.go("stories")
    person.press(".stories-rings button")
    person.until(lambda: person.one(".stories-composer textarea")).send_keys("In its turn")
    person.connection(SPEND)
    person.press("dialog [type=submit]")
    person.until(lambda: person.one(".stories-unsent").is_displayed())
    assert "In its turn" in person.text(".stories-unsent")
    assert person.all("dialog") == []
    person.driver.execute_script("window.stopSpending()")
    person.until(lambda: person.connection(LIST_STORIES) == ["In its turn"])
    person.until(lambda: "In its turn" not in person.text(".stories-unsent"))


@pytest.mark.parametrize("language", ["en", "vi"])
def test_state_fits_a_phone(phone: Person, language: str) -> None:
    """The longest state, with much unsent, has room beside title, bell and avatar at 320 px."""
    phone.module("lib/i18n.js", "await module.setLanguage(args[0]);", language)
    try:
        for kind in ("reconnecting", "offline", "signed-out", "connecting"):
            state = {"kind": kind, "waiting": 120, "at": time.time() * 1000 + 14_500}
            phone.connection(
                "connection.state = { code: '', detail: '', ...args[0] };"
                "connection.dispatchEvent(new Event('state'));",
                state,
            )
            for size in SIZES:
                resize(phone, size)
                assert outside(phone) == [], (kind, size)
    finally:
        resize(phone, PHONE)
        phone.driver.execute_script("localStorage.clear()")


def test_return_needs_no_press(person: Person, own_server: Server) -> None:
    """The page comes back by itself."""
    own_server.stop()
    person.wait_for_state("reconnecting")
    own_server.start()
    person.wait_for_state("live")


def test_short_absence_is_recovered(person: Person) -> None:
    """What was missed is sent by the server, once, and the screens read nothing anew."""
    person.connection(COUNT_CATCHUPS)
    person.connection(COUNT_RECOVERIES)
    for number in range(1, 4):
        person.connection(CUT)
        # Before it is back or after that: it is heard once.
        person.connection(POST_STORY, f"story {number}")
        person.until(lambda number=number: recoveries(person) == number)
    person.until(lambda: len(person.driver.execute_script("return window.heard")) >= 3)
    assert person.driver.execute_script("return window.heard") == [f"story {n}" for n in (1, 2, 3)]
    assert person.driver.execute_script("return window.catchups") == 0
    assert person.state() == "live"


def test_requests_fail_at_once_while_away(person: Person, own_server: Server) -> None:
    """What is only asked is not kept: the list that asked shows what it has."""
    own_server.stop()
    person.wait_for_state("reconnecting")
    started = time.monotonic()
    refused = person.connection(
        "return connection.request('/stories', 'list_stories', {}).catch((error) => error.code)"
    )
    assert refused == "unreachable"
    assert time.monotonic() - started < 5


def test_offline_is_shown(person: Person) -> None:
    """Without a network the header says so, keeps what is written, and sends it afterwards."""
    person.online(False)
    person.wait_for_state("offline")
    person.connection(CREATE_STORY, "Written offline")
    assert person.text(".pill-words") == "Offline"
    assert person.text(".pill-waiting") == "1 waiting"
    person.online(True)
    person.wait_for_state("live")
    person.until(lambda: person.driver.execute_script("return window.outcome"))
    assert person.connection(LIST_STORIES) == ["Written offline"]


def test_token_is_renewed_before_it_ends(person: Person) -> None:
    """The connection outlives its first token, without a break."""
    person.connection(COUNT_CATCHUPS)
    shorten(person, left_s=12)
    person.connection(
        "window.breaks = 0;"
        "for (const socket of connection.sockets.values())"
        "  socket.on('disconnect', () => { window.breaks += 1; });"
    )
    short = stored(person)["token"]
    person.until(lambda: stored(person)["token"] != short)
    ends = claims(short)["exp"]
    person.until(lambda: time.time() > ends + 1)
    assert person.state() == "live"
    assert person.driver.execute_script("return window.breaks") == 0
    assert person.connection(LIST_STORIES) == []


def test_token_that_ended_in_sleep_is_renewed(person: Person) -> None:
    """A tab that slept past the end of its token finds it out, renews it and goes on."""
    shorten(person, left_s=6)
    # Asleep, the tab's timers do not run.
    person.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    person.module(
        "app.js",
        "const { session } = module.modules['lib/api.js']; session.renewInTime = () => {};",
    )
    short = stored(person)["token"]
    person.until(lambda: time.time() > claims(short)["exp"] + 1)
    person.until(lambda: stored(person)["token"] != short)
    person.wait_for_state("live")
    assert person.connection(LIST_STORIES) == []


def test_ended_session_asks_to_sign_in(person: Person) -> None:
    """When neither token is good any more, the page says so and shows the form."""
    person.driver.execute_script(
        "const session = JSON.parse(sessionStorage.session);"
        "session.token = session.refreshToken = 'bad';"
        "sessionStorage.session = JSON.stringify(session);"
    )
    person.driver.refresh()
    person.wait_for_state("signed-out")
    message = person.until(lambda: person.text(".welcome-note"))
    assert message == "Your session has ended. Sign in again."
    assert person.one("[name=email]").is_displayed()
    assert stored(person) == {}


def test_disabled_account_is_signed_out(person: Person, own_server: Server) -> None:
    """Nothing of a disabled account stays on the screen."""
    own_server.operate("users", "disable", person.email)
    person.wait_for_state("signed-out")
    assert person.until(lambda: person.text(".welcome-note")) == "This account is disabled."
    assert not person.one("#rail").is_displayed()
    assert stored(person) == {}


def test_duplicated_tab_shares_renewals(person: Person) -> None:
    """A copy of a tab has its session: one of them renews, both have the tokens, both end."""
    first = person.driver.current_window_handle
    # A window with an opener begins with a copy of sessionStorage, as a duplicated tab does.
    person.driver.execute_script("window.open(location.href)")
    person.until(lambda: len(person.driver.window_handles) == 2)
    (second,) = set(person.driver.window_handles) - {first}
    try:
        person.driver.switch_to.window(second)
        person.wait_for_state("live")
        old = stored(person)["refreshToken"]
        renew = "const { session } = module.modules['lib/api.js']; await session.renew();"
        person.module("app.js", renew)
        new = stored(person)["refreshToken"]
        assert new != old
        person.driver.switch_to.window(first)
        person.until(lambda: stored(person)["refreshToken"] == new)
        person.module("app.js", renew)
        newest = stored(person)["refreshToken"]
        person.driver.switch_to.window(second)
        person.until(lambda: stored(person)["refreshToken"] == newest)
        assert person.state() == "live"
        person.sign_out()
        person.driver.switch_to.window(first)
        person.wait_for_state("signed-out")
        assert stored(person) == {}
    finally:
        person.driver.switch_to.window(second)
        person.driver.close()
        person.driver.switch_to.window(first)


def test_copies_that_renew_at_once_make_one_request(person: Person) -> None:
    """A copy that waited for the other's renewal takes its tokens and asks for none."""
    first = person.driver.current_window_handle
    person.driver.execute_script("window.open(location.href)")
    person.until(lambda: len(person.driver.window_handles) == 2)
    (second,) = set(person.driver.window_handles) - {first}
    begin = """
      const { session } = module.modules["lib/api.js"];
      setTimeout(() => session.renew(), args[0] - Date.now());
    """
    try:
        together = time.time() * 1000 + 2000
        for window in (first, second):
            person.driver.switch_to.window(window)
            person.wait_for_state("live")
            person.module("app.js", begin, together)
        person.until(lambda: stored(person)["turn"] == 1)
        asked = 0
        for window in (first, second):
            person.driver.switch_to.window(window)
            person.until(lambda: stored(person)["turn"] == 1)
            asked += person.driver.execute_script(
                "return performance.getEntriesByType('resource')"
                ".filter(({ name }) => name.endsWith('/auth/refresh')).length"
            )
        assert asked == 1
    finally:
        person.driver.switch_to.window(second)
        person.driver.close()
        person.driver.switch_to.window(first)


def test_new_tab_is_signed_out(person: Person) -> None:
    """A session belongs to its tab; another one may have another account."""
    first = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    try:
        person.driver.get(person.url)
        person.wait_for_state("signed-out")
    finally:
        person.driver.close()
        person.driver.switch_to.window(first)
    assert person.state() == "live"


@pytest.mark.skipif(
    not (WEB / SOCKETIO_CLIENT_FILE).is_file(), reason="socket.io-client is missing: npm ci in web/"
)
def test_stock_client_stands_in(person: Person, own_server: Server) -> None:
    """With socket.io's own client in place of ours the page is the same, through a restart."""
    person.driver.get(f"{person.url}/?client=stock")
    person.wait_for_state("live")
    assert person.connection("return connection.sockets.get('/chat').io.engine.transport.name") == (
        "websocket"
    )
    own_server.stop()
    person.wait_for_state("reconnecting")
    person.connection(CREATE_STORY, "Written while away")
    own_server.start()
    retry(person)
    person.wait_for_state("live")
    person.until(lambda: person.driver.execute_script("return window.outcome"))
    assert person.connection(LIST_STORIES) == ["Written while away"]

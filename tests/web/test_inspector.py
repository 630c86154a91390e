"""The inspector: frames of all connections, samples that work, code to copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.web.axe import needs_axe, violations
from tests.web.browsers import DESKTOP, PASSWORD, Person, Server, needs_browser
from tests.web.looks import HOSTILE, outside, preferring, resize, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150), needs_browser]

CHOOSE = """
const [id, value] = args;
const select = document.querySelectorAll(".inspector-send select")[id];
select.value = value;
select.dispatchEvent(new Event("change"));
"""

FRAMES = "return module.frames.list();"


def open_inspector(person: Person) -> None:
    """Open it by its key, as from every screen."""
    person.until(lambda: person.one("#main h1, .screen").is_displayed())
    person.one("body").send_keys("`")
    person.until(lambda: person.one(".inspector-send[aria-busy=false]"))


def choose(person: Person, door: str, sample: int) -> None:
    """Choose where to send to and what to start from; wait until its ids are filled."""
    person.ask(CHOOSE, 0, door)
    person.ask(CHOOSE, 1, str(sample))
    person.until(lambda: person.one(".inspector-send[aria-busy=false]"))


def frames(person: Person, connection: str) -> list[dict[str, Any]]:
    """Read the frames of a connection that the inspector knows, the oldest first."""
    known = person.module("lib/frames.js", FRAMES)
    return [frame for frame in known if frame["connection"] == connection]


@pytest.fixture
def example(people: list[Person], tmp_path: Path) -> Iterator[Person]:
    """The example person Test on fresh demo data."""
    own = Server(tmp_path / "data")
    own.start()
    person = Person(people[0].driver, own.url, DESKTOP)
    person.arrive()
    person.press(".demo-person[data-name=Test]")
    person.wait_for_state("live")
    yield person
    own.stop()


ASK_FOR_ANOTHER_REQUEST = """
const { api } = module.modules["lib/api.js"];
const answer = await fetch("/api/v1/auth/signup", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ email: "stranger@example.com", password: args[0], name: "Stranger" }),
});
const { access_token } = await answer.json();
const { id } = module.modules["lib/api.js"].session.user;
const call = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${access_token}` },
    body: JSON.stringify(body),
  }).then((made) => made.json());
const conversation = await call("/api/v1/conversations", { participants: ["test@example.com"] });
await call(`/api/v1/conversations/${conversation.id}/messages`, { content: "Hello?" });
return conversation.id;
"""


def test_all_samples_work_on_example_data(example: Person) -> None:
    """Each is accepted as it stands, but those that show what an error looks like."""
    person = example
    open_inspector(person)
    doors = person.module("screens/inspector/doors.js", "return module.doors;")
    assert {door["kind"] for door in doors} == {"socketio", "raw", "rest"}
    person.press(".inspector-section > summary")
    person.press(".inspector-more > summary")
    for door in doors:
        if door["kind"] == "raw":
            person.driver.execute_script(
                f"document.querySelector('[data-door={door['id']}]').click()"
            )
            person.until(
                lambda door=door: person.one(
                    f"li[data-state=live] [data-door={door['id']}]"
                ).is_displayed()
            )
        for n, sample in enumerate(door["samples"]):
            if sample.get("event") == "decline_conversation":
                # The only request of the example data was accepted by the sample before.
                person.module("app.js", ASK_FOR_ANOTHER_REQUEST, PASSWORD)
            choose(person, door["id"], n)
            person.press(".inspector-send [type=submit]")
            person.until(lambda: person.text(".inspector-note"))
            failed = bool(person.all(".inspector-note.error"))
            if door["kind"] != "raw":
                where = (door["id"], sample["label"], person.text(".inspector-note"))
                assert failed == sample.get("fails", False), where
        if door["kind"] == "raw":
            assert_no_error_but_wanted(person, door)


def assert_no_error_but_wanted(person: Person, door: dict[str, Any]) -> None:
    """Send what is wrong for sure, wait for its error, and count those before it."""
    path = person.text(f"li[data-state=live]:has([data-door={door['id']}]) .mono")
    person.driver.execute_script(
        "document.querySelector('.inspector-send textarea').value = arguments[0]", "{"
    )
    person.press(".inspector-send [type=submit]")

    def errors() -> list[Any]:
        known = [frame for frame in frames(person, path) if frame["direction"] == "in"]
        return [frame["payload"] for frame in known if "error" in str(frame["payload"]).lower()]

    wanted = sum(1 for sample in door["samples"] if sample.get("fails"))
    person.until(lambda: len(errors()) > wanted)
    assert len(errors()) == wanted + 1, errors()


def test_an_error_names_its_fields(desktop: Person) -> None:
    """What is wrong with a payload stands under the form, field by field."""
    open_inspector(desktop)
    choose(desktop, "chat", 0)
    desktop.driver.execute_script(
        "document.querySelector('.inspector-send textarea').value = arguments[0]",
        '{"conversation_id": 7, "surplus": 1}',
    )
    desktop.press(".inspector-send [type=submit]")
    desktop.until(lambda: "invalid:" in desktop.text(".inspector-note.error"))
    named = desktop.until(lambda: [item.text for item in desktop.all(".inspector-faults li")])
    assert {text.partition(":")[0].strip() for text in named} == {"conversation_id", "surplus"}
    choose(desktop, "chat", 0)
    assert not desktop.one(".inspector-faults").is_displayed()
    event = desktop.one(".inspector-send input")
    event.clear()
    event.send_keys("connect")
    desktop.press(".inspector-send [type=submit]")
    desktop.until(lambda: "event of Socket.IO" in desktop.text(".inspector-note.error"))


def test_connections_by_kind(desktop: Person) -> None:
    """Open ones stand first, by kind; closed ones of the older APIs behind one line."""
    open_inspector(desktop)
    desktop.press(".inspector-section > summary")
    lists = desktop.all(".inspector-section > .inspector-doors")
    desktop.until(lambda: len(lists[0].find_elements("css selector", "[data-state=live]")) == 4)
    assert lists[1].find_elements("css selector", "li") == []
    desktop.press(".inspector-more > summary")
    desktop.press("[data-door=channels]")
    desktop.until(lambda: "/api/v1/ws" in lists[1].text)
    desktop.until(lambda: desktop.one("li[data-state=live] [data-door=channels]"))
    # As the test page of the channels' API: a ping with its time, and the channels' numbers.
    choose(desktop, "channels", 2)
    desktop.press(".inspector-send [type=submit]")
    desktop.until(
        lambda: any(frame["name"].endswith(" ms") for frame in frames(desktop, "/api/v1/ws"))
    )
    desktop.until(lambda: "pong after" in lists[1].text)
    desktop.press(".inspector-ask")
    desktop.until(lambda: desktop.text(".inspector-stats dd") == "1")
    desktop.press("[data-door=channels]")
    desktop.until(lambda: lists[1].find_elements("css selector", "li") == [])


OPEN_SENT = """
const sent = [...document.querySelectorAll(".inspector-frame.frame-out > details")];
for (const each of sent) each.open = true;
const shown = document.querySelector(".inspector-frames").textContent.includes("list_stories ack");
return shown && sent.every((each) => each.querySelector(".inspector-copy"));
"""
COPY = """
const copied = [];
navigator.clipboard.writeText = async (text) => copied.push(text);
for (const button of document.querySelectorAll(".inspector-frame.frame-out button")) button.click();
await new Promise((resolve) => setTimeout(resolve));
return copied;
"""


def test_frames_as_code(desktop: Person) -> None:
    """A command is copied as a client's code, a REST call for curl, with no token in either."""
    desktop.go("account")
    desktop.until(lambda: desktop.one(".account-mark"))
    open_inspector(desktop)
    desktop.press(".inspector-send [type=submit]")
    desktop.until(lambda: "ms" in desktop.text(".inspector-note"))
    desktop.until(lambda: desktop.driver.execute_script(OPEN_SENT))
    copied = desktop.ask(COPY)
    assert any('emitWithAck("list_stories", {"limit":5})' in code for code in copied)
    assert any(code.startswith("curl -X GET 'http://") for code in copied)
    token = desktop.module("lib/api.js", "return module.session.token();")
    assert not any(token in code for code in copied)
    # What stands in the form is copied before it is sent.
    desktop.press(".inspector-code > summary")
    desktop.until(lambda: len(desktop.all(".inspector-code button")) == 2)
    logged = str(desktop.module("lib/frames.js", FRAMES))
    assert token not in logged
    assert "access_token" not in logged


@needs_axe
def test_hostile_frames(desktop: Person, phone: Person) -> None:
    """Any content of a frame is shown as text, quickly, and does not move what is next to it."""
    for person in (desktop, phone):
        deep = "[" * 200 + "]" * 200
        huge = "x" * 1_000_000
        add = "for (const text of args) module.frames.add('/chat', 'in', text.slice(0, 300), text);"
        person.module("lib/frames.js", add, *HOSTILE, deep, huge)
        open_inspector(person)
        person.until(lambda person=person: len(person.all(".inspector-frame")) >= len(HOSTILE) + 2)
        person.driver.execute_script(
            "for (const row of document.querySelectorAll('.inspector-frame > *')) row.open = true"
        )
        person.until(
            lambda person=person: len(person.all(".inspector-frame .json")) >= len(HOSTILE) + 2
        )
        shown = person.text(".inspector-frames")
        assert "\\u202e" in shown
        assert "\u202e" not in shown
        assert person.driver.title != "taken"
        assert person.all(".inspector-frame img, .inspector-frame svg[onload]") == []
        assert outside(person) == []
        assert violations(person) == []
        lengths = "[...document.querySelectorAll('.json')].map((each) => each.textContent.length)"
        assert person.driver.execute_script(f"return Math.max(...{lengths})") < 10_000


FLOOD = """
const { frames } = module;
const text = "y".repeat(20000);
for (let n = 0; n < 3000; n += 1) frames.add("/chat", "in", `flood ${n}`, { text });
frames.add("/chat", "in", "huge", { list: Array.from({ length: 300000 }, (_, n) => n) });
frames.add("/chat", "in", "bytes", { file: new Uint8Array([0, 255, 16]) });
const held = frames.list();
return [held.length, held.reduce((sum, { payload }) => sum + JSON.stringify(payload).length, 0)];
"""


def test_frames_are_bounded(desktop: Person) -> None:
    """However much comes, so much is held and drawn, and the page goes on answering."""
    open_inspector(desktop)
    held, characters = desktop.module("lib/frames.js", FLOOD)
    assert held <= 1000
    assert characters < 5_000_000
    desktop.until(lambda: "bytes" in desktop.text(".inspector-frame"))
    assert len(desktop.all(".inspector-frame")) <= 200
    desktop.press(".inspector-frame summary")
    desktop.until(lambda: "3 B: 00 ff 10" in desktop.text(".inspector-frame"))
    desktop.press(".inspector-frame:nth-child(2) summary")
    desktop.until(lambda: "too large" in desktop.text(".inspector-frame:nth-child(2)"))


def test_the_keyboard_alone(desktop: Person) -> None:
    """The key moves the focus into the drawer, frames are one stop, Esc leads back."""
    desktop.until(lambda: desktop.one(".screen-stories .stories-rings"))
    open_inspector(desktop)
    desktop.until(
        lambda: desktop.driver.switch_to.active_element.get_attribute("id") == "inspector"
    )
    desktop.until(lambda: len(desktop.all(".inspector-frame")) > 5)
    desktop.one(".inspector-frame summary").send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    desktop.until(lambda: desktop.one(".inspector-frame:nth-child(2) > details[open]"))
    stops = "#inspector :is(button, input, select, textarea, summary, [tabindex])"
    focusable = [
        stop
        for stop in desktop.all(stops)
        if stop.is_displayed() and stop.get_property("tabIndex") >= 0
    ]
    assert len(focusable) <= 16
    desktop.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    desktop.until(lambda: not desktop.one("#inspector").is_displayed())


REFUSE = """
const { RawConnection } = module;
const words = (await import(new URL("screens/inspector/en.js", entry))).default;
const door = { url: () => "/nowhere" };
return new Promise((resolve) => {
  const connection = new RawConnection(door, {
    session: { token: async () => "none", user: { id: "1" } },
    t: (key) => words[key] ?? key,
    verify: async () => {},
    log() {},
    tell(state, detail) {
      if (!["refused", "reconnecting"].includes(state)) return;
      connection.close();
      resolve(detail);
    },
  });
  connection.open();
});
"""


def test_a_refusal_is_said_in_words(desktop: Person) -> None:
    """A browser cannot read why an upgrade was refused; it says what is known."""
    said = desktop.module("screens/inspector/raw.js", REFUSE)
    assert said.startswith("Refused before it opened: too many connects in a minute")
    assert "1006" not in said


def test_checksum_of_a_book(example: Person) -> None:
    """A book that the market shows is checked with every heartbeat; the inspector says how."""
    example.go("market/1/US 9")
    example.until(lambda: example.one(".market-grid").is_displayed())
    open_inspector(example)
    example.press(".inspector-section > summary")
    example.until(lambda: "Checksum equal" in example.text(".inspector-book"))


@needs_axe
def test_in_vietnamese_and_dark(desktop: Person) -> None:
    """Another language builds the open drawer anew; axe finds nothing in either scheme."""
    open_inspector(desktop)
    desktop.press(".inspector-section > summary")
    desktop.module("lib/i18n.js", "return module.setLanguage('vi');")
    try:
        desktop.until(lambda: "Trình kiểm tra" in desktop.text(".inspector-head"))
        for features in ({"color_scheme": "dark"}, {"forced_colors": "active"}):
            with preferring(desktop, **features):
                assert violations(desktop) == []
        resize(desktop, (320, 640))
        assert outside(desktop) == []
        assert too_small(desktop) == []
    finally:
        resize(desktop, DESKTOP)
        desktop.module("lib/i18n.js", "return module.setLanguage('en');")

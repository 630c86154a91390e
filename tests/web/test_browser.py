"""Two people at two browsers: what one does, the other sees."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web import SOCKETIO_CLIENT_FILE, WEB

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.browsers import (  # noqa: E402  it imports selenium
    CHROMEDRIVER,
    CHROMIUM,
    DESKTOP,
    PHONE,
    Person,
    Server,
    chromium,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(CHROMEDRIVER is None, reason="chromedriver is not installed"),
    pytest.mark.skipif(
        not (WEB / SOCKETIO_CLIENT_FILE).is_file(),
        reason="socket.io-client is not installed: run `npm ci` in web/",
    ),
]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def people(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Two browsers that the tests of this module share; each test signs up anew."""
    first, second = tmp_path_factory.mktemp("desktop"), tmp_path_factory.mktemp("phone")
    with chromium(first) as desktop, chromium(second) as phone:
        yield [Person(desktop, server.url, DESKTOP), Person(phone, server.url, PHONE)]
    for profile in (first, second):
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def author(people: list[Person]) -> Person:
    """Somebody new, at a desktop."""
    people[0].sign_up(f"author{next(_numbers)}@example.com")
    people[0].complaints()
    return people[0]


@pytest.fixture
def reader(people: list[Person]) -> Person:
    """Somebody else, at a phone."""
    people[1].sign_up(f"reader{next(_numbers)}@example.com")
    people[1].complaints()
    return people[1]


def own_id(person: Person) -> str:
    return person.one("#account-id").text.removeprefix("id ")


def test_story_travels_and_reactions_come_back(author: Person, reader: Person) -> None:
    """A story arrives live; its view and reaction reach the author through both doors."""
    card = author.publish("Hello from the desktop")
    story_id = card.get_attribute("data-story")

    received = reader.story("Hello from the desktop")
    assert received.get_attribute("data-story") == story_id
    assert received.get_attribute("data-own") == "false"
    reader.one(f'[data-story="{story_id}"] .view').click()
    reader.one(f'[data-story="{story_id}"] [data-emoji="🔥"]').click()

    viewed = author.frame("stories", "story.viewed")
    assert (viewed["story_id"], viewed["viewer_id"]) == (story_id, own_id(reader))
    reacted = author.frame("stories", "story.reacted")
    assert (reacted["user_id"], reacted["emoji"]) == (own_id(reader), "🔥")
    legacy_viewed = author.frame("ws", "story.viewed")
    assert legacy_viewed["data"]["viewer_id"] == own_id(reader)
    legacy_reacted = author.frame("ws", "story.reacted")
    assert legacy_reacted["data"]["emoji"] == "🔥"

    summary = f'[data-story="{story_id}"] summary'
    author.until(lambda: author.one(summary).text == "1 view · 1 reaction")
    author.one(summary).click()
    person = author.until(lambda: author.one(f'[data-story="{story_id}"] .people li').text)
    assert person.split()[-3:] == ["User", own_id(reader), "🔥"]
    assert author.complaints() == reader.complaints() == []


def test_reaction_is_changed_and_taken_back(author: Person, reader: Person) -> None:
    """One reaction a person: another emoji takes its place, the same one again removes it."""
    story_id = author.publish("React to this").get_attribute("data-story")
    reader.story("React to this")

    def press(emoji: str) -> None:
        reader.one(f'[data-story="{story_id}"] [data-emoji="{emoji}"]').click()

    def pressed() -> list[str | None]:
        buttons = reader.all(f'[data-story="{story_id}"] .emoji[aria-pressed="true"]')
        return [button.get_attribute("data-emoji") for button in buttons]

    press("🔥")
    reader.until(lambda: pressed() == ["🔥"])
    press("👏")
    reader.until(lambda: pressed() == ["👏"])
    author.until(lambda: author.frame("stories", "story.reacted")["emoji"] == "👏")
    press("👏")
    reader.until(lambda: pressed() == [])
    author.one(f'[data-story="{story_id}"] summary').click()
    listed = author.until(lambda: author.one(f'[data-story="{story_id}"] .people li').text)
    assert listed == "Nobody yet."


def test_markup_stays_text(author: Person, reader: Person) -> None:
    """What looks like markup is shown letter by letter and never runs, in feed and log alike."""
    hostile = "<img src=x onerror=\"document.title='taken over'\"><script>alert(1)</script>"
    author.publish(hostile)
    reader.story(hostile)
    assert reader.frame("stories", "story.created")["text"] == hostile
    for person in (author, reader):
        assert person.all("#workbench img, #workbench script") == []
        assert person.driver.title == "Realtime"
        assert person.complaints() == []


def test_private_story_reaches_its_audience_only(author: Person, reader: Person) -> None:
    """A private story is told to those it names and to nobody else."""
    author.publish("For nobody else", "PRIVATE")
    author.publish("For the reader", "PRIVATE", audience=own_id(reader))
    reader.story("For the reader")
    assert "For nobody else" not in reader.story_texts()
    assert "For nobody else" in author.story_texts()


def test_deleted_story_disappears(author: Person, reader: Person) -> None:
    """Deleting asks once, and takes the story out of the other's feed."""
    card = author.publish("Soon gone")
    reader.story("Soon gone")
    button = f'[data-story="{card.get_attribute("data-story")}"] .danger'
    author.one(button).click()
    author.until(lambda: author.one(button).text == "Really delete?")
    assert "Soon gone" in author.story_texts()
    author.one(button).click()
    author.until(lambda: "Soon gone" not in author.story_texts())
    reader.until(lambda: "Soon gone" not in reader.story_texts())


def test_feed_is_read_at_sign_in(author: Person, people: list[Person]) -> None:
    """What was posted before is there for somebody who comes later, page by page."""
    for number in range(21):
        author.publish(f"Early story {number}")
    late = people[1]
    late.sign_up(f"late{next(_numbers)}@example.com")
    late.story("Early story 20")
    assert late.story_texts()[0] == "Early story 20"
    assert "Early story 0" not in late.story_texts()
    late.driver.execute_script("arguments[0].scrollIntoView()", late.one("#feed-more"))
    late.driver.execute_script("arguments[0].click()", late.one("#feed-more"))
    late.story("Early story 0")


def test_frames_are_sent_and_answered(author: Person) -> None:
    """A frame goes out through the chosen door; its answer or ack comes into the log."""
    author.send("ws", "Ping")
    assert author.frame("ws", "ping", "out") == {"type": "ping"}
    assert author.frame("ws", "pong") == {"type": "pong", "data": {"status": "ok"}}
    author.send("stories", "Create a story")
    answer = author.frame("stories", "ack create_story")
    assert answer["data"]["text"] == "Hello from the socket"
    author.story("Hello from the socket")
    author.send("stories", "Unknown command")
    refusal = author.frame("stories", "ack no_such_command")
    assert refusal["error"]["code"] == "unknown_command"
    assert refusal["error"]["message"] in author.one("#send-note").text


def test_doors_of_chat_open_by_hand(author: Person) -> None:
    """What is written through `/chat` comes through both legacy doors, as documented there."""
    for door in ("chat", "channels", "conversations"):
        author.toggle_door(door)
        author.until(lambda door=door: author.door_state(door) == "connected: Connected")
    author.send("channels", "Join a channel")
    assert author.frame("channels", "channel_joined")["user_email"] == author.email
    author.send("conversations", "Heartbeat")
    assert author.frame("conversations", "heartbeat_ack") == {"event": "heartbeat_ack"}
    author.send("chat", "Send a message")
    message = author.frame("chat", "ack send_message")["data"]
    assert author.frame("channels", "new_message")["data"]["id"] == message["id"]
    assert author.frame("conversations", "new_message")["messageId"] == message["id"]


def test_closed_door_cannot_be_sent_through(author: Person) -> None:
    """A door closed by hand says so, stays closed, and takes no frames until it is opened."""
    author.toggle_door("ws")
    author.until(lambda: author.door_state("ws") == "closed: Closed · by you")
    author.one('#send-door [value="ws"]').click()
    assert not author.one("#send-form [type=submit]").is_enabled()
    author.toggle_door("ws")
    author.until(lambda: author.door_state("ws") == "connected: Connected")
    assert author.one("#send-form [type=submit]").is_enabled()


def test_signing_out_closes_the_doors(server: Server, author: Person) -> None:
    """Signing out ends every connection, and leaves nothing of the user in the tab."""
    author.publish("Left behind")
    before = server.raw_connections()
    author.sign_out()
    author.wait_for_doors("closed")
    author.until(lambda: server.raw_connections() == before - 1)
    assert author.one("#account-form").is_displayed()
    assert not author.one("#workbench").is_displayed()
    assert author.all(".story") == []
    author.until(lambda: author.all(".frame") == [])
    assert author.driver.execute_script("return sessionStorage.length") == 0


def test_session_survives_a_reload_and_belongs_to_the_tab(author: Person) -> None:
    """Reloading keeps the user; a new tab starts as nobody."""
    shown = own_id(author)
    author.driver.refresh()
    author.wait_for_doors("connected")
    assert own_id(author) == shown
    first = author.driver.current_window_handle
    author.driver.switch_to.new_window("tab")
    try:
        author.driver.get(author.url)
        author.until(lambda: author.one("#account-form").is_displayed())
        assert not author.one("#account").is_displayed()
    finally:
        author.driver.close()
        author.driver.switch_to.window(first)


def test_stale_token_is_renewed(author: Person) -> None:
    """A token near its end is traded for a new one before the doors open."""
    author.driver.execute_script(
        "const session = JSON.parse(sessionStorage.session);"
        "session.expiresAt = Date.now(); session.token = 'stale';"
        "sessionStorage.session = JSON.stringify(session);"
    )
    author.driver.refresh()
    author.wait_for_doors("connected")
    kept = author.driver.execute_script("return JSON.parse(sessionStorage.session).token")
    assert kept.count(".") == 2


def test_ended_session_asks_to_sign_in(author: Person) -> None:
    """When neither token is good any more, the page says so and shows the form."""
    author.driver.execute_script(
        "const session = JSON.parse(sessionStorage.session);"
        "session.token = session.refreshToken = 'bad';"
        "sessionStorage.session = JSON.stringify(session);"
    )
    author.driver.refresh()
    message = author.until(lambda: author.one("#account-error").text)
    assert message == "Your session has ended. Please sign in again."
    assert author.one("#account-form").is_displayed()
    author.wait_for_doors("closed")


def test_newer_connection_takes_over(author: Person, people: list[Person]) -> None:
    """A second window of the same user replaces the first at `/ws`, which does not fight back."""
    other = people[1]
    other.sign_in(author.email)
    other.wait_for_doors("connected")
    author.until(lambda: author.door_state("ws").startswith("closed: Closed · 4009"))
    assert author.door_state("stories") == "connected: Connected"
    author.send("stories", "List stories")
    author.frame("stories", "ack list_stories")
    assert author.door_state("ws").startswith("closed: Closed · 4009")
    assert other.door_state("ws") == "connected: Connected"


def test_refusal_is_shown_with_its_reason(server: Server, author: Person) -> None:
    """A disabled account is refused at each door, and the page says why and does not insist."""
    for door in ("stories", "ws"):
        author.toggle_door(door)
    author.wait_for_doors("closed")
    server.operate("users", "disable", author.email)
    for door in ("stories", "ws"):
        author.toggle_door(door)
    author.wait_for_doors("refused")
    for door in ("stories", "ws"):
        assert author.door_state(door).startswith("refused: Refused · account_disabled: ")


def test_missing_client_leaves_the_rest_working(author: Person) -> None:
    """Without socket.io-client its door says why it cannot open; everything else goes on."""
    author.driver.execute_cdp_cmd("Network.enable", {})
    block = "Network.setBlockedURLs"
    author.driver.execute_cdp_cmd(block, {"urls": ["*/socket.io.min.js"]})
    try:
        author.driver.refresh()
        author.until(lambda: author.door_state("ws") == "connected: Connected")
    finally:
        author.driver.execute_cdp_cmd(block, {"urls": []})
    assert author.door_state("stories") == "refused: Refused · socket.io-client did not load"
    author.publish("Posted over REST")


def test_wrong_password_is_told(author: Person, people: list[Person]) -> None:
    """A failed sign-in shows the server's words and keeps what was typed."""
    other = people[1]
    other.arrive()
    other.one("#email").send_keys(author.email)
    other.one("#password").send_keys("not the password")
    other.one("#account-form [type=submit]").click()
    assert other.until(lambda: other.one("#account-error").text)
    assert other.one("#email").get_property("value") == author.email
    assert not other.one("#workbench").is_displayed()


def test_invalid_field_is_marked(people: list[Person]) -> None:
    """A short password is marked at its field, with the focus on it."""
    person = people[0]
    person.arrive()
    person.one("[data-mode=signup]").click()
    person.one("#email").send_keys("short@example.com")
    person.one("#password").send_keys("short")
    person.one("#account-form [type=submit]").click()
    assert person.until(lambda: person.one("#password-error").text)
    assert person.one("#password").get_attribute("aria-invalid") == "true"
    assert person.driver.switch_to.active_element.get_attribute("id") == "password"


def test_log_is_bounded(author: Person) -> None:
    """The log keeps the newest thousand frames, newest first, and lays out only what is seen."""
    author.driver.execute_async_script(
        """
        const done = arguments[0];
        import("/web/frames.js").then(({ FrameLog }) => {
          const log = new FrameLog(
            document.getElementById("frame-list"), document.getElementById("frame-count"));
          const door = { id: "ws", address: "/ws" };
          for (let i = 0; i < 1500; i++)
            log.add({ door, direction: "in", name: `n${i}`, payload: { i } });
          requestAnimationFrame(() => requestAnimationFrame(done));
        });
        """
    )
    names = author.driver.execute_script(
        "return [...document.querySelectorAll('.frame')].map((frame) => frame.dataset.name)"
    )
    assert len(names) == 1000
    assert names[:2] == ["n1499", "n1498"]
    assert author.one("#frame-count").text == "1000"


def test_paused_log_shows_frames_later(author: Person) -> None:
    """A paused log stands still and says how much is waiting; nothing is lost."""
    author.one("#frame-pause").click()
    shown = len(author.all(".frame"))
    author.send("ws", "Ping")
    author.until(lambda: author.one("#frame-count").text.endswith("2 waiting"))
    assert len(author.all(".frame")) == shown
    author.one("#frame-pause").click()
    author.frame("ws", "pong")


@pytest.mark.parametrize("view", ["stories", "doors", "frames"])
def test_phone_shows_one_view_without_sideways_scrolling(reader: Person, view: str) -> None:
    """On a phone each view has the screen to itself, and the page is as wide as the screen."""
    reader.publish("A" * 400)
    reader.one(f'.views [data-view="{view}"]').click()
    shown = [
        name for name in ("stories", "doors", "frames") if reader.one(f"#{name}").is_displayed()
    ]
    assert shown == [view]
    widths = "return [document.documentElement.scrollWidth, window.innerWidth]"
    assert reader.driver.execute_script(widths) == [PHONE[0], PHONE[0]]


def test_doors_come_back_after_a_restart(people: list[Person], tmp_path: Path) -> None:
    """While the server is away the doors say so; when it is back they are, and so is the feed."""
    server = Server(tmp_path / "data")
    server.start()
    person = Person(people[0].driver, server.url, DESKTOP)
    try:
        person.sign_up("patient@example.com")
        person.publish("Still here")
        server.stop()
        person.wait_for_doors("reconnecting")
        server.start()
        person.wait_for_doors("connected")
        person.story("Still here")
    finally:
        server.stop()

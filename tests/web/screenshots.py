"""Take pictures of every screen with the example data: `python -m tests.web.screenshots FOLDER`.

They are for looking at, and for the README. Each screen at a desktop in light and dark, and at a
phone; needs Chromium and chromedriver.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.remote.webelement import WebElement

from tests.web.browsers import PHONE, Person, Server, chromium
from tests.web.looks import preferring, resize
from tests.web.states import STATES, open_state

DESKTOP = (1440, 900)
PLACES = (
    "stories",
    "chat",
    "chat/general",
    "market",
    "market/3/US 9",
    "market/orders",
    "diary",
    "notifications",
    "account",
)
OPENED = ("inspector", "own story", "story composer", "market: new product", "chat: new message")
"""Of what opens over a place (`tests.web.states`), that which has most of its own look."""

SETTLED_S = 0.6
"""How long a screen has to stay the same before it counts as drawn."""


def main(folder: Path) -> None:
    """Take all pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _server() as server,
        tempfile.TemporaryDirectory() as profile,
        chromium(Path(profile)) as driver,
    ):
        person = Person(driver, server.url, DESKTOP)
        person.arrive()
        person.until(lambda: _entrance(person))
        _take(person, folder / "welcome.png")
        person.until(lambda: _entrance(person))[0].click()
        person.wait_for_state("live")
        for place in PLACES:
            person.go(place)
            name = place.replace("/", "-").replace(" ", "-")
            _take(person, folder / f"{name}.png")
            with preferring(person, color_scheme="dark"):
                _take(person, folder / f"{name}-dark.png")
            resize(person, PHONE)
            _take(person, folder / f"{name}-phone.png")
            resize(person, DESKTOP)
        for state in OPENED:
            place, steps = STATES[state]
            name = state.replace(": ", "-").replace(" ", "-")
            for size, suffix in ((DESKTOP, ""), (PHONE, "-phone")):
                resize(person, size)
                person.driver.execute_script("sessionStorage.removeItem('inspector')")
                person.driver.get("about:blank")
                person.driver.get(f"{server.url}/#/{place}")
                person.wait_for_state("live")
                open_state(person, steps)
                _take(person, folder / f"{name}{suffix}.png")


@contextmanager
def _server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as data:
        server = Server(Path(data), GRPC_PORT="0")
        server.operate("demo")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _entrance(person: Person) -> list[WebElement]:
    return [button for button in person.all("button") if "Test" in button.text]


def _take(person: Person, path: Path) -> None:
    """Wait until the screen stays as it is, and keep its picture; the pointer is elsewhere."""
    away = {"type": "mouseMoved", "x": 0, "y": 0}
    person.driver.execute_cdp_cmd("Input.dispatchMouseEvent", away)
    _until_still(person.driver.get_screenshot_as_png)
    path.write_bytes(person.driver.get_screenshot_as_png())
    sys.stdout.write(f"{path}\n")


def _until_still(look: Callable[[], bytes], tries: int = 20) -> None:
    before = look()
    for _ in range(tries):
        time.sleep(SETTLED_S)
        now = look()
        if now == before:
            return
        before = now
    raise TimeoutException("the screen does not come to rest")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

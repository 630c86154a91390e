"""A real server in its own process, and people who look at it through headless Chromium."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
PASSWORD = "password123"
WAIT_S = 15
DESKTOP = (1280, 800)
PHONE = (390, 844)

READ_STORIES = """
return [...document.querySelectorAll(".story-text")].map((text) => text.textContent)
"""
FIND_STORY = """
return [...document.querySelectorAll(".story-text")]
  .find((text) => text.textContent === arguments[0])?.closest(".story")
"""

Found = TypeVar("Found")


class Server:
    """`python -m app` with its own port and data; can be stopped and started again."""

    def __init__(self, data_dir: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "PORT": str(self.port),
            "DATA_DIR": str(data_dir),
            "PYTHONUNBUFFERED": "1",
            # The tests make more accounts in a minute than people do.
            "LIMIT_SIGNUPS_PER_MINUTE": "1000",
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            if line.startswith("Ready"):
                break
            said += line
        else:
            raise AssertionError(f"the server did not start:\n{said}")
        # A full pipe would stop the server.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def stop(self) -> None:
        """End it as a platform would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def operate(self, *arguments: str) -> None:
        """Run one of the operators' commands on the same data."""
        subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT,
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=30,
        )

    def raw_connections(self) -> int:
        """Ask how many raw WebSockets are connected."""
        with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
            return int(json.load(answer)["ws_connections"])


class Person:
    """Somebody at a browser window, with what they do and see on the page."""

    def __init__(self, driver: webdriver.Chrome, url: str, size: tuple[int, int]) -> None:
        self.driver = driver
        self.url = url
        self.email = ""
        width, height = size
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def arrive(self) -> None:
        """Open the page as somebody who was never here."""
        self.driver.get(self.url)
        self.driver.execute_script("sessionStorage.clear()")
        self.driver.get(self.url)

    def sign_up(self, email: str) -> None:
        """Create an account and wait for the automatic connections."""
        self.email = email
        self.arrive()
        self.one("[data-mode=signup]").click()
        self.one("#name").send_keys(email.partition("@")[0])
        self._enter_credentials(email)
        self.wait_for_doors("connected")

    def sign_in(self, email: str) -> None:
        """Sign in to an account that exists; what comes of it is for the test to see."""
        self.email = email
        self.arrive()
        self._enter_credentials(email)

    def sign_out(self) -> None:
        """Press the button."""
        self.one("#sign-out").click()

    def publish(self, text: str, visibility: str = "PUBLIC", *, audience: str = "") -> WebElement:
        """Post a story; gives its card in the own feed."""
        self.one("#story-text").send_keys(text)
        Select(self.one("#visibility")).select_by_value(visibility)
        if audience:
            self.one("#audience").send_keys(audience)
        self.one("#story-form [type=submit]").click()
        # The story may arrive live before the form has its answer and is ready for the next one.
        self.until(lambda: self.one("#story-text").get_property("value") == "")
        return self.story(text)

    def story(self, text: str) -> WebElement:
        """Wait for the card of the story with exactly this text."""
        card: WebElement = self.until(lambda: self.driver.execute_script(FIND_STORY, text))
        return card

    def story_texts(self) -> list[str]:
        """Read the feed from top to bottom."""
        texts: list[str] = self.driver.execute_script(READ_STORIES)
        return texts

    def frame(self, door: str, name: str, direction: str = "in") -> Any:
        """Wait for a frame in the log; gives its payload, parsed where it is JSON."""
        selector = (
            f'.frame[data-door="{door}"][data-name="{name}"][data-direction="{direction}"] pre'
        )
        # textContent, since a frame out of sight is not laid out and shows no text.
        payload = self.until(lambda: self.one(selector).get_property("textContent"))
        return json.loads(str(payload))

    def door_state(self, door: str) -> str:
        """Read how a door says it is."""
        element = self.one(f'.door[data-door="{door}"]')
        detail = element.find_element(By.CSS_SELECTOR, ".door-state").get_property("textContent")
        return f"{element.get_attribute('data-state')}: {detail}"

    def wait_for_doors(self, state: str) -> None:
        """Wait until every door that opens by itself is in `state`."""
        doors = ".door[data-auto=true]"
        self.until(
            lambda: {door.get_attribute("data-state") for door in self.all(doors)} == {state}
        )

    def toggle_door(self, door: str) -> None:
        """Press the door's button: connect or disconnect."""
        self.one(f'.door[data-door="{door}"] button').click()

    def send(self, door: str, sample: str) -> None:
        """Send one of a door's samples."""
        Select(self.one("#send-door")).select_by_value(door)
        Select(self.one("#send-sample")).select_by_visible_text(sample)
        self.one("#send-form [type=submit]").click()

    def one(self, selector: str) -> WebElement:
        """Find the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Find all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition: Callable[[], Found | None]) -> Found:
        """Wait until the condition gives something true; elements may come and go meanwhile."""
        ignored = (NoSuchElementException, StaleElementReferenceException)
        waiting = WebDriverWait(self.driver, WAIT_S, 0.05, ignored_exceptions=ignored)
        return waiting.until(lambda _: condition() or False)

    def complaints(self) -> list[str]:
        """Read what the browser complained about since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def _enter_credentials(self, email: str) -> None:
        self.one("#email").send_keys(email)
        self.one("#password").send_keys(PASSWORD, Keys.ENTER)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Run a headless Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # The driver's path is given, so that nothing is looked for or downloaded.
    service = webdriver.ChromeService(executable_path=CHROMEDRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

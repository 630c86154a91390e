"""A real server in its own process, and people who look at it through headless Chromium."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
PASSWORD = "password123"
JWT_SECRET = "a secret of the tests, long enough to be one"
WAIT_S = 30
# With `WEB_CLIENT=stock` the page of every test has socket.io's own client in place of ours.
STOCK_CLIENT = os.environ.get("WEB_CLIENT") == "stock"
DESKTOP = (1280, 800)
PHONE = (390, 844)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None, reason="Chromium or chromedriver is not installed"
)

Found = TypeVar("Found")


class Server:
    """`python -m app` with its own port and data; can be stopped and started again."""

    def __init__(self, data_dir: Path, **changes: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "PORT": str(self.port),
            "DATA_DIR": str(data_dir),
            "PYTHONUNBUFFERED": "1",
            # The tests make more accounts in a minute than people do.
            "LIMIT_SIGNUPS_PER_MINUTE": "1000",
            "JWT_SECRET": JWT_SECRET,
            **changes,
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
        if self._environment.get("ENVIRONMENT") == "production":
            # It says nothing there.
            threading.Thread(target=self._process.stdout.read, daemon=True).start()
            self._until_ready(self._process)
            return
        said = ""
        for line in self._process.stdout:
            if line.startswith("Ready"):
                break
            said += line
        else:
            raise AssertionError(f"the server did not start:\n{said}")
        # A full pipe would stop the server.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def _until_ready(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/ready", timeout=WAIT_S).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise AssertionError("the server did not start")

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
    """A person at a browser window, with what they do and see on the page."""

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
        """Open the page as a first-time visitor."""
        self.driver.get(self.url)
        self.driver.execute_script("sessionStorage.clear()")
        self.driver.get(self.url.rstrip("/") + ("/?client=stock" if STOCK_CLIENT else "/"))

    def sign_up(self, email: str) -> None:
        """Create an account and wait until the page is live."""
        self.email = email
        self.arrive()
        self.press("[data-mode=signUp]")
        self.one("[name=name]").send_keys(email.partition("@")[0])
        self._enter_credentials(email)
        self.wait_for_state("live")

    def sign_in(self, email: str) -> None:
        """Sign in to an account that exists; what comes of it is for the test to see."""
        self.email = email
        self.arrive()
        self._enter_credentials(email)

    def sign_out(self) -> None:
        """Choose it in the account's menu."""
        self.press("#me")
        self.one(".menu [role=menuitem]:last-of-type").click()

    def go(self, place: str) -> None:
        """Go to a hash route: `chat/general`."""
        self.driver.execute_script("location.hash = arguments[0]", f"#/{place}")

    def place(self) -> str:
        """Read where one is."""
        return str(self.driver.execute_script("return location.hash"))

    def state(self) -> str | None:
        """Read the state of the connection that the header shows."""
        return self.one(".pill").get_attribute("data-state")

    def wait_for_state(self, state: str) -> None:
        """Wait until the header shows a state of the connection: `live`, `reconnecting` …."""
        self.until(lambda: self.state() == state)

    def press(self, selector: str) -> None:
        """Wait until there is such an element, and click it."""

        def click() -> bool:
            self.one(selector).click()
            return True

        self.until(click)

    def text(self, selector: str) -> str:
        """Read the text of the first such element."""
        return str(self.one(selector).get_property("textContent"))

    def module(self, name: str, script: str, *arguments: Any) -> Any:
        """Run a function body with a module of the page as `module`: `lib/dom.js`."""
        load = "const entry = document.querySelector('script[type=module]').src;"
        load += f"const module = await import(new URL('{name}', entry));"
        return self.ask(load + script, *arguments)

    def connection(self, script: str, *arguments: Any) -> Any:
        """Run a function body with the page's `connection`."""
        load = "const { connection } = module.modules['app.js'].shell;"
        return self.module("app.js", load + script, *arguments)

    def online(self, online: bool) -> None:
        """Take the network away from the tab, or give it back."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions", {**conditions, "offline": not online}
        )

    def ask(self, script: str, *arguments: Any) -> Any:
        """Run a function body of the page; what it returns or resolves to."""
        code = "const done = arguments[arguments.length - 1]; "
        code += (
            f"(async (...args) => {{ {script} }})(...arguments).then(done, (e) => done(`${{e}}`))"
        )
        return self.driver.execute_async_script(code, *arguments)

    def one(self, selector: str) -> WebElement:
        """Find the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Find all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition: Callable[[], Found | None]) -> Found:
        """Wait until the condition gives something true; elements may come and go meanwhile."""
        ignored = (
            # A toast passes.
            ElementClickInterceptedException,
            NoSuchElementException,
            StaleElementReferenceException,
            ElementNotInteractableException,
        )
        waiting = WebDriverWait(self.driver, WAIT_S, 0.05, ignored_exceptions=ignored)
        return waiting.until(lambda _: condition() or False)

    def complaints(self) -> list[str]:
        """Read what the browser complained about since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def _enter_credentials(self, email: str) -> None:
        self.until(lambda: self.one("[name=email]"))
        self.one("[name=email]").send_keys(email)
        self.one("[name=password]").send_keys(PASSWORD, Keys.ENTER)


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
        # A microphone that beeps, for voice notes.
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
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


@contextmanager
def second_tab(person: Person, place: str) -> Iterator[None]:
    """Be in another tab of the same session, as a duplicated one is; then close it."""
    driver = person.driver
    first = driver.current_window_handle
    session = driver.execute_script("return sessionStorage.session")
    driver.switch_to.new_window("tab")
    second = driver.current_window_handle
    try:
        driver.get(person.url)
        driver.execute_script("sessionStorage.session = arguments[0]", session)
        driver.get(f"{person.url}/#/{place}")
        driver.refresh()
        person.wait_for_state("live")
        yield
    finally:
        driver.switch_to.window(second)
        driver.close()
        driver.switch_to.window(first)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Measure the first minute: `python -m tests.web.first_minute` prints figures as JSON.

From `make run`, on a virtual environment that is prepared and an empty store, to a message that one
person writes and another sees in a second window. The browsers are running before. Also the first
view: its requests, and its bytes as they are on the wire, with all headers.

Needs make, Chromium and chromedriver.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypedDict

from tests.web.browsers import DESKTOP, PHONE, ROOT, Person, chromium, free_port
from tests.web.chat_steps import texts, write
from tests.web.wire import wire

MESSAGE = "Do you see this?"
REQUESTS = """
return ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind)).length;
"""


class Figures(TypedDict):
    """Seconds since `make run`, and what the first view takes."""

    ready_s: float
    usable_s: float
    seen_s: float
    first_view_requests: int
    first_view_bytes: int


def measure(folder: Path) -> Figures:
    """Do what a newcomer does, with browsers and data in `folder`."""
    port = free_port()
    with ExitStack() as stack:
        windows = [stack.enter_context(chromium(folder / name)) for name in ("first", "second")]
        relay = stack.enter_context(wire(port))
        one, other = (
            Person(driver, relay.url, size)
            for driver, size in zip(windows, (DESKTOP, PHONE), strict=True)
        )
        began = time.monotonic()
        stack.enter_context(_running(port, folder / "data"))
        ready_s = time.monotonic() - began
        one.driver.get(relay.url)
        one.until(lambda: one.one(".demo-person").is_displayed())
        usable_s = time.monotonic() - began
        view = int(one.driver.execute_script(REQUESTS)), relay.received
        for person, name in ((one, "Alice"), (other, "Bob")):
            if person is other:
                person.driver.get(relay.url)
            person.press(f".demo-person[data-name={name}]")
            person.wait_for_state("live")
            person.go("chat/general")
        write(one, MESSAGE)
        other.until(lambda: texts(other)[-1:] == [MESSAGE])
        seen_s = time.monotonic() - began
    return {
        "ready_s": round(ready_s, 1),
        "usable_s": round(usable_s, 1),
        "seen_s": round(seen_s, 1),
        "first_view_requests": view[0],
        "first_view_bytes": view[1],
    }


@contextmanager
def _running(port: int, data: Path) -> Iterator[None]:
    """Run `make run` until it says that it is ready; what is installed stays as it is."""
    process = subprocess.Popen(
        ["make", "--assume-old=.venv/.runtime-installed", "run"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), "DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ready"):
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(said))
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.stdout.read()
        process.wait(timeout=20)
        process.stdout.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(json.dumps(measure(Path(place)), indent=2) + "\n")

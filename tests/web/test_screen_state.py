"""The state of screens without a page, on Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.web import WEB

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
]


@pytest.mark.parametrize(
    "name",
    [
        "chat_state.test.mjs",
        "diary_state.test.mjs",
        "market_book.test.mjs",
        "stories_state.test.mjs",
    ],
)
def test_state(name: str) -> None:
    """Whatever the order of events and answers, the state is what a fresh load would show."""
    program = Path(__file__).with_name(name)
    run = subprocess.run(
        [str(NODE), "--test", str(program)],
        env={**os.environ, "WEB": str(WEB)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr

"""From `make run` to a message seen in a second window, as `tests.web.first_minute` measures it."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.browsers import ROOT, needs_browser
from tests.web.first_minute import measure

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    needs_browser,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
    pytest.mark.skipif(not (ROOT / ".venv/bin/python").exists(), reason="there is no .venv"),
]


def test_two_windows_within_a_minute(tmp_path: Path) -> None:
    """A newcomer is two people within a minute, and the first view is small on the wire."""
    figures = measure(tmp_path)
    assert figures["ready_s"] < figures["usable_s"] < figures["seen_s"] < 60
    assert figures["first_view_bytes"] <= 60_000
    assert figures["first_view_requests"] <= 10

"""A disk that is really full: a file system of a few megabytes in memory."""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from app.storage.faults import _MESSAGES, DiskFull

ROOT = Path(__file__).parents[2]
MOUNT = 'mount -t tmpfs -o size=18m tmpfs "$1"'

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


async def run_on_small_disk(folder: Path, *command: str) -> tuple[int, bytes, bytes]:
    """Run a command that sees a disk of 18 MB at `folder`; return its status and outputs."""
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-Urm", "sh", "-c", f'{MOUNT} && shift && exec "$@"', "sh", str(folder)),
        *command,
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out, errors


async def test_full_disk(tmp_path: Path) -> None:
    """Writes are refused and reads go on; with room writes go on; nothing acknowledged is lost."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: only Linux has file systems of one process")
    status, _, errors = await run_on_small_disk(tmp_path, "true")
    if status:
        pytest.skip(f"a file system of one's own is not allowed here: {errors.decode().strip()}")
    program = (sys.executable, "-m", "tests.store.full_disk", str(tmp_path))
    status, out, errors = await run_on_small_disk(tmp_path, *program)
    assert status == 0, errors.decode()
    seen = json.loads(out)
    assert seen.pop("writes") > 100
    assert seen == {
        "full": {"faults": ["DiskFull"], "missing": [], "ping": _MESSAGES[DiskFull]},
        "after": {"ping": "", "missing": [], "problems": []},
        "miscounted": [],
    }
    assert errors.decode().count("its disk is full. [SQLITE_FULL]") == 1
    assert "Traceback" not in errors.decode()

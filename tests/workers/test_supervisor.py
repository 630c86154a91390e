"""The supervisor and processes of its own that serve nothing: starts, ends, signals."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.live import PATIENCE_S
from tests.programs import ROOT, START_S

pytestmark = pytest.mark.fault

PROGRAM = """
import logging, sys
from app.workers.supervisor import Supervisor
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
worker = sys.argv[1]
command = lambda number, link: [sys.executable, "-c", worker, str(number), str(link)]
sys.exit(Supervisor({count}, command, pause_min_s=0.01, kill_s={kill_s}).run())
"""

WORKER = """
import os, signal, socket, sys, time
number, link = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
ready = lambda: link.send(b"r")
"""


class Supervised:
    """A running supervisor."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    async def wrote(self, pattern):
        """Return the groups of the next line in which this is found."""
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), START_S)
            assert line, self.lines
            self.lines.append(line.decode())
            if found := re.search(pattern, self.lines[-1]):
                return found.groups()

    async def ended(self):
        """Return the status, and all that was written."""
        rest, _ = await asyncio.wait_for(self.process.communicate(), START_S)
        return self.process.returncode, "".join(self.lines) + rest.decode()


@pytest.fixture
async def supervise():
    """Start one over workers that run the given program."""
    processes = []

    async def start(worker, *, count=2, kill_s=PATIENCE_S, before=()):
        process = await asyncio.create_subprocess_exec(
            *(*before, sys.executable, "-c", PROGRAM.format(count=count, kill_s=kill_s)),
            WORKER + worker,
            cwd=ROOT,
            stdout=PIPE,
        )
        processes.append(process)
        return Supervised(process)

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_first_worker_that_cannot_start_ends_the_server(supervise):
    """With its status; no other is started."""
    supervised = await supervise("sys.exit(7)")
    status, lines = await supervised.ended()
    assert status == 7
    assert lines.count("starts as process") == 1


async def test_another_worker_that_cannot_start_ends_the_server(supervise):
    """What keeps it from starting is there from the beginning; those that serve are ended."""
    supervised = await supervise(
        "if number == '2': sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('asked', flush=True)))\n"
        "ready(); signal.pause()"
    )
    status, lines = await supervised.ended()
    assert status == 3
    assert lines.count("asked") == 1


async def test_a_worker_that_ends_is_started_again(supervise):
    """At once, then after pauses that grow; the others are left alone."""
    supervised = await supervise("ready(); signal.pause()")
    (one,) = await supervised.wrote(r"worker 1 starts as process (\d+)")
    await supervised.wrote("2 workers serve")
    for pause in ("0", "0.01", "0.02", "0.04"):
        os.kill(int(one), signal.SIGKILL)
        (said,) = await supervised.wrote(r"worker 1 was ended by signal 9; .* in (\S+) s$")
        assert said == pause
        (one,) = await supervised.wrote(r"worker 1 starts as process (\d+)")
    supervised.process.terminate()
    status, lines = await supervised.ended()
    # Ended by the signal that it was sent.
    assert status == 0
    assert lines.count("worker 2 starts") == 1


async def test_workers_that_cannot_start_again_end_the_server(supervise, tmp_path):
    """It does not go on for ever without serving."""
    flag = tmp_path / "broken"
    supervised = await supervise(
        f"if os.path.exists({str(flag)!r}): sys.exit(4)\nready(); signal.pause()"
    )
    pids = [await supervised.wrote(r"worker \d starts as process (\d+)") for _ in range(2)]
    await supervised.wrote("2 workers serve")
    flag.touch()
    for (pid,) in pids:
        os.kill(int(pid), signal.SIGKILL)
    status, lines = await supervised.ended()
    assert status == 1
    assert lines.count("has ended with 4") == 5
    assert "none can start, and the server ends" in lines


async def test_one_that_cannot_start_again_is_tried_while_another_serves(supervise, tmp_path):
    """Clients have the others meanwhile."""
    flag = tmp_path / "broken"
    supervised = await supervise(
        f"if number == '2' and os.path.exists({str(flag)!r}): sys.exit(4)\nready(); signal.pause()"
    )
    await supervised.wrote("2 workers serve")
    flag.touch()
    two = next(line for line in supervised.lines if "worker 2 starts" in line).split()[-1]
    os.kill(int(two), signal.SIGKILL)
    for _ in range(7):
        await supervised.wrote("worker 2 has ended with 4; it starts again")
    flag.unlink()
    supervised.process.terminate()
    assert (await supervised.ended())[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_are_passed_on_and_ends_waited_for(supervise, number):
    """The supervisor ends after the last worker, with the status of one that failed."""
    supervised = await supervise(
        "def end(*_):\n    time.sleep(0.2); print(f'ended {number}\\n', end='', flush=True)\n"
        "    sys.exit(0 if number == '1' else 5)\n"
        "signal.signal(signal.SIGTERM, end); ready()\nwhile True: signal.pause()"
    )
    await supervised.wrote("2 workers serve")
    supervised.process.send_signal(number)
    status, lines = await supervised.ended()
    assert status == 5
    assert "ended 1" in lines
    assert "ended 2" in lines
    assert lines.count("starts as process") == 2


async def test_a_second_signal_is_passed_on_too(supervise):
    """Who tells it twice does not want to wait."""
    supervised = await supervise(
        "got = []\nsignal.signal(signal.SIGTERM, lambda *_: got.append(1)); ready()\n"
        "while not got: time.sleep(0.01)\n"
        "print(f'first {number}\\n', end='', flush=True)\n"
        "while len(got) < 2: time.sleep(0.01)"
    )
    await supervised.wrote("2 workers serve")
    supervised.process.terminate()
    for _ in range(2):
        await supervised.wrote("first")
    supervised.process.terminate()
    assert (await supervised.ended())[0] == 0


async def test_a_worker_that_hangs_is_killed(supervise):
    """It is not waited for for ever."""
    supervised = await supervise(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: signal.pause()",
        kill_s=0.3,
    )
    await supervised.wrote("2 workers serve")
    began = time.monotonic()
    supervised.process.terminate()
    status, lines = await supervised.ended()
    assert status == 128 + signal.SIGKILL
    assert time.monotonic() - began < PATIENCE_S
    assert lines.count("workers that hang are killed") == 1


async def test_a_worker_that_ends_for_good_ends_the_server(supervise):
    """As one that another server keeps from serving."""
    supervised = await supervise(
        "ready()\nif number == '2': link.send(b'g'); sys.exit(1)\nsignal.pause()"
    )
    status, lines = await supervised.ended()
    assert status == 1
    assert lines.count("worker 2 starts") == 1


def only_child(pid):
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def can_unshare():
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not can_unshare(), reason="no PID namespace can be made here")
async def test_as_the_first_process_of_a_container(supervise):
    """It takes signals, and the status of processes that others have left behind."""
    supervised = await supervise(
        # A child whose parent is gone becomes a child of the first process.
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        while os.getppid() != 1: time.sleep(0.01)\n"
        "        print(f'orphan {os.getpid()}\\n', end='', flush=True)\n"
        "    os._exit(0)\n"
        "os.wait(); ready()\n"
        "if number == '1': signal.pause()\n"
        "for _ in range(1000):\n"
        "    left = [each for each in os.listdir('/proc') if each.isdigit()]\n"
        "    if len(left) == 3: break\n"
        "    time.sleep(0.01)\n"
        "print('left', len(left), flush=True); signal.pause()",
        before=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
    )
    await supervised.wrote("orphan")
    # The supervisor and two workers: what was left behind is gone.
    assert await supervised.wrote(r"left (\d+)") == ("3",)
    os.kill(only_child(supervised.process.pid), signal.SIGTERM)
    status, lines = await supervised.ended()
    assert status == 0
    assert lines.count("orphan") == 2

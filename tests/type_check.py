"""What the type check says of a program that is not part of the project."""

import subprocess
import sys
from pathlib import Path

from tests.test_imports import ROOT


def faults_in(source: str, folder: Path) -> tuple[set[int], str]:
    """Return the numbers of the lines in which mypy finds a fault, and all that it printed."""
    program = folder / "program.py"
    program.write_text(source)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    return lines, done.stdout + done.stderr

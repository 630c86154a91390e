"""The supervisor, as `python -m app` becomes it where `WORKERS` is more than one."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from app import logs
from app.settings import Settings, SettingsError
from app.workers.ports import find_ports_free
from app.workers.supervisor import KILL_S, Supervisor


def main() -> int:
    """Supervise until a signal; returns the exit status."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.secrets, form=settings.log_format)
    try:
        find_ports_free(settings.host, (settings.port, *settings.legacy_ports))
    except OSError as error:
        sys.stderr.write(f"The server cannot start: {error}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="realtime-", ignore_cleanup_errors=True) as folder:
        command = worker_command(settings.workers, Path(folder))
        return Supervisor(settings.workers, command, kill_s=settings.drain_s + KILL_S).run()


def worker_command(count: int, folder: Path) -> Callable[[int, int], list[str]]:
    """Return what makes the command line of a worker of its number and the link's descriptor."""

    def command(number: int, link: int) -> list[str]:
        arguments = (str(number), str(count), str(folder), str(link))
        return [sys.executable, "-m", "app.workers.worker", *arguments]

    return command


if __name__ == "__main__":
    sys.exit(main())

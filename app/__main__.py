"""`python -m app`: serve, or look after the server's accounts and data."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from app import __version__, logs
from app.account_commands import add_account_commands
from app.admin.command import add_explain_command
from app.doctor import add_doctor_command
from app.emitting import add_emit_command
from app.event_loop import run
from app.operators import add_parsers
from app.serving import serve_or_say_why
from app.settings import Settings, SettingsError
from app.store_commands import add_store_commands


async def _serve(settings: Settings, _: argparse.Namespace) -> int:
    return await serve_or_say_why(settings)


class _Parser(argparse.ArgumentParser):
    """Does not repeat what it does not understand: platforms keep what commands print."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what was wrong, and exit with 2."""
        super().error(_QUOTED.sub(r"\1", message))


_QUOTED = re.compile(
    r"(unrecognized arguments|ambiguous option|ignored explicit argument|invalid [\w ]+)"
    r":? .*?(?=$| \(choose from)",
    re.DOTALL,
)


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line; what it has parsed says in `run` what to do."""
    made: argparse.ArgumentParser = _Parser(
        prog="python -m app",
        description="A Socket.IO realtime server with namespaces and legacy raw WebSockets.",
        epilog="Settings are environment variables; docs/settings.md lists them.",
    )
    made.add_argument("--version", action="version", version=__version__)
    made.set_defaults(run=_serve)
    subparsers = made.add_subparsers(metavar="COMMAND")
    subparsers.add_parser("serve", help="run the server (the default)").set_defaults(run=_serve)
    add_account_commands(add_parsers(subparsers))
    add_store_commands(subparsers)
    add_doctor_command(subparsers)
    add_explain_command(subparsers)
    add_emit_command(subparsers)
    return made


def main() -> int:
    """Run one command; returns the exit status."""
    args = parser().parse_args()
    # For commands that say themselves what is wrong with the settings.
    if hasattr(args, "without_settings"):
        alone: Callable[[argparse.Namespace], Coroutine[Any, Any, int]] = args.without_settings
        status: int = asyncio.run(alone(args))
        return status
    try:
        settings = Settings.from_env()
        logs.configure(settings.log_level, settings.secrets, form=settings.log_format)
        if args.run is _serve and settings.workers > 1:
            _become_supervisor()
        return run(args.run(settings, args))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _become_supervisor() -> NoReturn:
    """Go on as a process that knows nothing of the server, and so takes half as much memory."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "app.workers"])  # noqa: S606 no shell is wanted


if __name__ == "__main__":
    sys.exit(main())

"""`python -m app`: serve, or look after the server's accounts and data."""

import argparse
import asyncio
import logging
import sys

from app.operators import Command, add_parsers
from app.serving import serve
from app.settings import Settings, SettingsError
from models.errors import DomainError


async def _serve(settings: Settings, _: argparse.Namespace) -> int:
    try:
        await serve(settings)
    except OSError as error:
        sys.stderr.write(f"The server cannot start: {error}\n")
        return 1
    except DomainError as error:
        sys.stderr.write(f"The server cannot start: {error.message}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="A Socket.IO realtime server with namespaces and legacy raw WebSockets.",
        epilog="Settings are environment variables; README.md lists them.",
    )
    parser.set_defaults(run=_serve)
    subparsers = parser.add_subparsers(metavar="COMMAND")
    subparsers.add_parser("serve", help="run the server (the default)").set_defaults(run=_serve)
    add_parsers(subparsers)
    return parser


def _log(level: str) -> None:
    # Platforms and terminals take lines from standard output and add the time themselves.
    logging.basicConfig(
        level=level, stream=sys.stdout, format="%(levelname)s %(name)s: %(message)s"
    )
    # Its "connection closed" says nothing that our own lines do not say with an id.
    logging.getLogger("websockets").setLevel(logging.WARNING)


def main() -> int:
    """Run one command; gives the exit status."""
    args = _parser().parse_args()
    try:
        settings = Settings.from_env()
        _log(settings.log_level)
        return _run(args.run, settings, args)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(command: Command, settings: Settings, args: argparse.Namespace) -> int:
    if sys.platform == "win32":
        return asyncio.run(command(settings, args))
    import uvloop

    return uvloop.run(command(settings, args))


if __name__ == "__main__":
    sys.exit(main())

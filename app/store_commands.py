"""Commands for the store: `backup`, `check` and `import` of the embedded one, `dump` and `load`."""

import argparse
import asyncio
import sys
from pathlib import Path

from app.operators import reported, say
from app.settings import Settings
from app.storage import embedded_path, open_store
from app.storage.dumping import dump, load
from app.storage.embedded import EmbeddedDatabase, check_file, open_embedded
from app.storage.older_files import SUFFIX, OlderFiles, find_older_files
from models.errors import Invalid, NotFound

SIDE_FILES = ("-wal", "-shm", "-turns")
"""The files next to a database file while it is open."""


def add_store_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `store` with its commands."""
    store = subparsers.add_parser(
        "store",
        help="look after the store: backup, check, import; dump and load",
        description="Look after the embedded store, which a server without MONGODB_URI keeps in "
        "DATA_DIR; and write all that is in either store to a file, or read such a file.",
    )
    commands = store.add_subparsers(metavar="COMMAND", required=True)

    backup = commands.add_parser(
        "backup",
        help="write a copy of the database to a new file, while the server runs",
        description="Write the database as it is now to a new file. The server may run meanwhile: "
        "the copy holds all that was acknowledged before the command began. To restore it, stop "
        "the server, put the copy in the place of DATA_DIR/<database>.sqlite3 and delete the files "
        "-wal and -shm beside it.",
    )
    backup.add_argument("path", type=Path, help="the file to write, which must not exist")
    backup.set_defaults(run=reported(back_up))

    check = commands.add_parser(
        "check",
        help="look for damage in the database, or in a backup",
        description="Look through a whole database: SQLite's structures, every document, and "
        "every index entry against its document. Print one line for each fault and end with "
        "status 1 when there is one. Nothing is changed; the server may run meanwhile.",
    )
    check.add_argument("path", type=Path, nargs="?", help="a backup; the server's database if none")
    check.set_defaults(run=reported(check_database))

    bring_in = commands.add_parser(
        "import",
        help="bring in the database of an older release",
        description="Make the database from the files of a release that kept them in folders "
        f"named *{SUFFIX}. Stop that release's server first. The old files stay as they are.",
    )
    bring_in.add_argument("old_data_dir", type=Path, help="the DATA_DIR of the older release")
    bring_in.set_defaults(run=reported(import_older))

    write = commands.add_parser(
        "dump",
        help="write all documents of either store to a new file",
        description="Write all documents, of MongoDB or of the embedded store, to one file that "
        "`store load` reads into either. For one moment's picture stop the servers first; while "
        "they run, what changes meanwhile is written as it was or as it is.",
    )
    write.add_argument("path", type=Path, help="the file to write, which must not exist")
    write.set_defaults(run=reported(dump_database))

    read = commands.add_parser(
        "load",
        help="read a file of `store dump` into an empty database of either store",
        description="Read all documents of a file that `store dump` wrote into the database, "
        "which must be empty. The file is looked through first: one that is damaged changes "
        "nothing. Start the servers afterwards.",
    )
    read.add_argument("path", type=Path, help="the file to read")
    read.set_defaults(run=reported(load_database))


async def dump_database(settings: Settings, args: argparse.Namespace) -> None:
    """Write all documents and say how many."""
    store = await open_store(settings)
    try:
        counts = await dump(store.database, args.path)
    except FileExistsError:
        raise Invalid(f"{args.path} is there already; name another file.") from None
    except OSError as error:
        raise Invalid(f"{args.path} cannot be written: {error.strerror}.") from None
    finally:
        await store.close()
    say(f"{args.path}: {sum(counts.values()):,} documents of {len(counts)} collections written.")


async def load_database(settings: Settings, args: argparse.Namespace) -> None:
    """Read all documents and say how many."""
    store = await open_store(settings)
    try:
        counts = await load(store.database, args.path)
    except OSError as error:
        raise Invalid(f"{args.path} cannot be read: {error.strerror}.") from None
    finally:
        await store.close()
    say(f"{args.path}: {sum(counts.values()):,} documents of {len(counts)} collections read.")


async def back_up(settings: Settings, args: argparse.Namespace) -> None:
    """Write a copy of the database and say how large it is."""
    database = await open_embedded(_existing(settings))
    try:
        await database.backup(args.path)
    except FileExistsError:
        raise Invalid(f"{args.path} is there already; name another file.") from None
    except OSError as error:
        raise Invalid(f"{args.path} cannot be written: {error.strerror}.") from None
    finally:
        await database.close()
    say(f"{args.path}: {args.path.stat().st_size:,} bytes written.")


async def check_database(settings: Settings, args: argparse.Namespace) -> None:
    """Print what is wrong with a database file.

    Raises:
        Invalid: something is.
    """
    path = _file(args.path) if args.path else _existing(settings)
    problems = await asyncio.to_thread(check_file, path)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        raise Invalid(f"{path} is damaged; restore a backup.")
    say(f"{path} is whole.")


async def import_older(settings: Settings, args: argparse.Namespace) -> None:
    """Make the database from an older release's files, whole or not at all."""
    path = _embedded(settings)
    if path.exists():
        raise Invalid(f"{path} is there already; move it away to import another database.")
    older = OlderFiles(_older_folder(args.old_data_dir, settings.mongodb_database))
    draft = path.with_name(f"{path.name}.part")
    _remove(draft)
    try:
        database = await open_embedded(draft)
        try:
            count = await _load(database, older)
            problems = await database.check()
        finally:
            await database.close()
        if problems:
            raise Invalid(f"The import failed: {problems[0]}")
        draft.rename(path)
    finally:
        _remove(draft)
    say(f"{count:,} documents imported to {path}. The old files are no longer needed.")


async def _load(database: EmbeddedDatabase, older: OlderFiles) -> int:
    count = 0
    for name in older.collections:
        loaded = await database.load(name, older.documents(name))
        if loaded:
            say(f"{name}: {loaded:,}")
        count += loaded
    return count


def _embedded(settings: Settings) -> Path:
    if settings.mongodb_uri:
        raise Invalid("MONGODB_URI is set: this command is for the embedded store only.")
    return embedded_path(settings)


def _existing(settings: Settings) -> Path:
    return _file(_embedded(settings))


def _file(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(f"There is no database {path}.")
    return path


def _older_folder(data_dir: Path, name: str) -> Path:
    if data_dir.name.endswith(SUFFIX):
        return data_dir
    found = find_older_files(data_dir)
    for folder in found:
        if folder.name == f"{name}{SUFFIX}":
            return folder
    if len(found) == 1:
        return found[0]
    raise NotFound(f"There is no folder {name}{SUFFIX} in {data_dir}.")


def _remove(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

"""Log lines: where they go, in which form, which libraries may write them, and no secret in any.

The first line of defence is not to log what a client sent: our own lines have identifiers and
numbers, `app.http.runner` answers malformed requests without quoting them, and libraries, whose
debug lines hold frames, commands and documents, log their warnings only. The second is here: what
looks like a secret is taken out of every finished line, tracebacks included.
"""

import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from models.errors import TooManyRequests
from models.limits import TokenBuckets

OURS = ("app", "models", "namespaces", "__main__")
"""The packages that `LOG_LEVEL` is about."""

REDACTED = "[redacted]"

_SECRETS = re.compile(
    r"""
    \beyJ[\w%.+/=-]{8,}                                # a JWT, whole or cut short
    | (?<=://)[^\s/@'"]*:[^\s/@'"]*(?=@)               # user and password in a URL
    | (?<![A-Za-z0-9_-])[A-Za-z0-9_-]{40,}               # of one long word: a token or a key
    """,
    re.VERBOSE,
)

_NAMED = re.compile(
    r"""
    (                                                  # what says that a secret follows
        \b(?:bearer|basic)(?:\s|%20|\+)+
        | (?<![a-z])(?:access_token|refresh_token|id_token|token|password|secret|api_?key|key|sid
            |authorization|cookie|signature|jwt)["']?\s*(?:=|%3d|:)\s*(?:b?["'])?
    )
    ((?:(?!bearer\b|basic\b|\[redacted\])[^\s"'&,;)}\]])+)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Take out of a text what looks like a token, a password or a key."""
    return _NAMED.sub(rf"\1{REDACTED}", _SECRETS.sub(REDACTED, text))


TEXT = "text"
JSON = "json"

SAMPLED_PER_S = 1.0
SAMPLED_BURST = 20
"""Lines of one kind that are written when clients can cause any number of them: enough to see who
it is, too few to fill a disk. The next one that is written says how many were left out."""


def fields(sample: str | None = None, **values: object) -> dict[str, Any]:
    """Return the `extra` of a log call: what its line is about, for programs that read it.

    Values are identifiers and numbers, those that are None left out. Lines with one `sample` are
    written at a bounded rate.
    """
    return {
        "fields": {name: value for name, value in values.items() if value is not None},
        "sample": sample,
    }


def _fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(record, "fields", {})
    left_out: int = getattr(record, "left_out", 0)
    return {**found, "left_out": left_out} if left_out else found


class Sampling(logging.Filter):
    """Lets only so many lines of one kind through; see `fields`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._buckets = TokenBuckets(SAMPLED_PER_S, SAMPLED_BURST, clock)
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        kind: str | None = getattr(record, "sample", None)
        if kind is None:
            return True
        try:
            self._buckets.take(kind)
        except TooManyRequests:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        record.left_out = self._left_out.pop(kind, 0)
        return True


class RedactingFormatter(logging.Formatter):
    """Formats for people, and then redacts: message, arguments, traceback and stack."""

    def __init__(
        self, known: Iterable[str] = (), *, with_time: bool = False, worker: int | None = None
    ) -> None:
        """Take out also what is in `known`, wherever and however it stands in a line.

        Lines of a `worker` have its number.
        """
        time = "%(asctime)s.%(msecs)03d " if with_time else ""
        super().__init__(f"{time}%(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._known = tuple(known)
        self._worker = {} if worker is None else {"worker": worker}

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Return the line without its traceback: the message, and what it is about behind it."""
        line = super().formatMessage(record)
        about = " ".join(
            f"{name}={value}"
            for name, value in {**self._worker, **_fields_of(record)}.items()
            if name in _SHOWN
        )
        return f"{line} ({about})" if about else line

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished lines of a record."""
        return self.redacted(super().format(record))

    def redacted(self, text: str) -> str:
        """Take out of a text what may be a secret, and what is known to be one."""
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        return redact(text)


_SHOWN = frozenset({"worker", "id", "account", "address", "left_out"})
"""Fields that are no part of the message."""


class JsonFormatter(RedactingFormatter):
    """Formats for programs: one JSON object in one line, with the time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.redacted(record.getMessage()),
        }
        for name, value in {**self._worker, **_fields_of(record)}.items():
            plain = isinstance(value, bool | int | float)
            line.setdefault(name, value if plain else self.redacted(str(value)))
        if record.exc_info:
            line["traceback"] = self.redacted(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self.redacted(record.stack_info)
        return json.dumps(line, ensure_ascii=False)


def configure(
    level: str,
    known: Iterable[str] = (),
    stream: TextIO | None = None,
    form: str = TEXT,
    *,
    worker: int | None = None,
) -> None:
    """Send lines of `level` and above to `stream`, of libraries warnings and above.

    `form` is `text` or `json`; text has the time on a terminal, while platforms that take lines
    from standard output, the default, add it themselves. `known` are the secrets of this process,
    which may be the `worker` of this number.
    """
    out = stream or sys.stdout
    handler = logging.StreamHandler(out)
    handler.addFilter(Sampling())
    handler.setFormatter(
        JsonFormatter(known, worker=worker)
        if form == JSON
        else RedactingFormatter(known, with_time=out.isatty(), worker=worker)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # What Python writes to standard error itself passes by the handler.
    logging.captureWarnings(True)
    sys.excepthook = _print_uncaught
    threading.excepthook = lambda args: _print_uncaught(
        args.exc_type, args.exc_value, args.exc_traceback
    )


def _print_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

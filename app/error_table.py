"""The page of error codes: `python -m app.error_table > docs/errors.md` writes it."""

import sys

from models.error_codes import GROUPS

_HEAD = """# Error codes

Generated from `models/error_codes.py` by `python -m app.error_table > docs/errors.md`.

Errors have one of these codes on every transport: `code` in REST's problem documents, `error.code`
in acks of Socket.IO, `data.code` of `connect_error`, `code` of `session.ending`, the code of the
older APIs' error frames where these have one, and `code` in the trailing metadata of gRPC. Codes
are stable; messages are for people and may change.

*HTTP* is the status of a REST answer. *Close code* is that of the older APIs' WebSocket endpoints
that have the user in their path. *Repeat* says whether the same request may succeed when it is sent
again, and whether a connection that ended with this code should be opened again:

- `no`: not before the request, or what it is about, has changed.
- `later`: yes; where the error has a time (`Retry-After`, `retry_after`), not before it.
- `login`: with another token, from a refresh or a login.

All codes with which raw WebSockets are closed, and what a client does then, are in
[close codes](older-apis/README.md#close-codes). A Socket.IO client learns the reason of its end by
`session.ending` ([the rules](api.md#socketio)).
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for group, codes in GROUPS.items():
        parts.append(f"\n## {group}\n\n| code | HTTP | close code | repeat | meaning |")
        parts.append("\n|---|---|---|---|---|\n")
        for code, info in codes.items():
            close = info.close_code or ""
            parts.append(
                f"| `{code}` | {info.status} | {close} | {info.repeat} | {info.meaning} |\n"
            )
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())

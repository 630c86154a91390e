"""The page of limits: `python -m app.limit_table > docs/limits.md` writes it."""

import ast
import inspect
import re
import sys
from dataclasses import fields

from app.settings import DEVELOPMENT_LIMITS, Limits

_HEAD = """# Limits

Generated from `Limits` in `app/settings.py` by `python -m app.limit_table > docs/limits.md`.

What one client, account or address may use, and why. Each is a setting, a whole number above 0:
`LIMIT_MESSAGES_PER_S=20`. `python -m app doctor` names settings that are misspelt.

Units are in the names: `_BYTES`, `_S` (seconds), `_PER_S`, `_PER_MINUTE`, `_HOUR`. A *burst* is
what is accepted at once after a pause.

What happens beyond a limit: a message waits for its turn and is then refused with
`too_many_requests` and the time to wait; a REST request gets 429 with `Retry-After`; a body that is
too large 413; a client that does not read is closed with 1013. The codes are in
[errors.md](errors.md), those of raw WebSockets in [the older APIs](older-apis/README.md).

Rates and numbers of connections hold for [all processes together](operations/deploying.md), the
other limits for each process.

| setting | default | what it is, and why |
|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    reasons = _reasons()
    return _HEAD + "".join(
        f"| `LIMIT_{limit.name.upper()}` | {_default(limit.name, limit.default)} "
        f"| {reasons[limit.name]} |\n"
        for limit in fields(Limits)
    )


def _default(name: str, value: object) -> str:
    if name in DEVELOPMENT_LIMITS:
        return f"{value:,}; {DEVELOPMENT_LIMITS[name]:,} in development"
    return f"{value:,}"


def _reasons() -> dict[str, str]:
    """Return the text below each field of `Limits`, on one line."""
    (node,) = ast.parse(inspect.getsource(Limits)).body
    assert isinstance(node, ast.ClassDef)
    reasons = {}
    for one, following in zip(node.body, node.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(following, ast.Expr):
            assert isinstance(one.target, ast.Name)
            assert isinstance(following.value, ast.Constant)
            reasons[one.target.id] = _linked(" ".join(str(following.value.value).split()))
    return reasons


def _linked(reason: str) -> str:
    """Name other limits as settings, and link documents as the page can."""
    reason = re.sub(r"`(\w+)`", lambda found: f"`LIMIT_{found[1].upper()}`", reason)
    return re.sub(r"docs/(older-apis/([\w-]+)\.md)", r"[\2](\1)", reason)


if __name__ == "__main__":
    sys.stdout.write(page())

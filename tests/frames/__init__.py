"""Golden frames: the contract with clients of the older APIs, in `<dialect>/<type>.json`.

Frames that clients send are in `sent`. docs/older-apis describes all of them; they do not change.
"""

import json
from pathlib import Path

FRAMES = Path(__file__).parent


def golden(dialect: str, name: str) -> str:
    """Return a documented frame in the form that frames are compared in."""
    return spelled((FRAMES / dialect / f"{name}.json").read_text(encoding="utf-8"))


def spelled(text: str) -> str:
    """Write JSON without its spacing: equal when keys, their order, types and values are."""
    return json.dumps(json.loads(text))

"""Golden frames: what the documents print, word for word, in `<dialect>/<type>.json`."""

import json
from pathlib import Path

FRAMES = Path(__file__).parent


def golden(dialect: str, name: str) -> str:
    """Give a documented frame in the form that frames are compared in."""
    return spelled((FRAMES / dialect / f"{name}.json").read_text(encoding="utf-8"))


def spelled(text: str) -> str:
    """Write JSON without its spacing: equal when keys, their order, types and values are."""
    return json.dumps(json.loads(text))

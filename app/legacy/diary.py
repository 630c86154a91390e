"""The dialect of `/api/v1/ws/{user_id}`: the frames of `diary.md`.

A connection hears what its account's diary tells, as far as the document has a frame for it.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from app.legacy.ask import Ask
from app.legacy.dialect import Job, Speaker
from app.realtime.wirejson import dumps
from models.identity import Identity
from namespaces.base import Commands

Data = dict[str, Any]

MOTIVATION = Ask(
    "request_motivation",
    {"current_challenge": "current_challenge", "stress_level": "stress_level"},
)


def _motivation_generated(data: Data) -> Data:
    return {
        "type": "motivation_generated",
        "user_id": data["user_id"],
        "motivation_text": data["motivation_text"],
        "current_challenge": data["current_challenge"],
        "stress_level": data["stress_level"],
    }


FRAMES: dict[tuple[str, str], Callable[[Data], Data]] = {
    ("diary", "motivation_generated"): _motivation_generated,
}
"""Every event that the document has a frame for."""


class DiaryDialect:
    """Motivation, and an echo of everything else."""

    def __init__(self, diary: Commands) -> None:
        self._diary = diary

    def render(self, domain: str, event: str, data: Data) -> str | None:
        """Give the documented frame of an event, if there is one."""
        frame = FRAMES.get((domain, event))
        return None if frame is None else dumps(frame(data))

    def greeting(self, identity: Identity) -> None:
        """Give none: the document has none."""

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Give the error frame of `READING.md`."""
        return _frame("error", identity, message)

    async def receive(self, peer: Speaker, message: Data) -> Job | None:
        """Answer a ping, begin a motivation, echo the rest."""
        kind = message.get("type")
        if not isinstance(kind, str):
            problem = "is not text" if "type" in message else "is missing"
            peer.refuse("no_type", f"The message's type {problem}.")
        elif kind == "ping":
            peer.send(_frame("pong", peer.identity, "Pong!"))
        elif kind == "motivation_requested":
            return partial(self._motivate, peer, message)
        else:
            self._echo(peer, message)
        return None

    async def _motivate(self, peer: Speaker, message: Data) -> None:
        # The answer is the event: all connections of the account get it, this one among them.
        payload = MOTIVATION.payload(message)
        answer = await self._diary.run(peer.caller, MOTIVATION.command, payload)
        if "error" in answer:
            error = answer["error"]
            peer.refuse(error["code"], MOTIVATION.complaint(error))

    def _echo(self, peer: Speaker, message: Data) -> None:
        try:
            text = json.dumps(message, ensure_ascii=False, allow_nan=False)
        except ValueError:
            # 1e999 is JSON, and more than a number can hold.
            peer.refuse("number_too_large", "The message has a number that is too large.")
        except RecursionError:
            peer.refuse("too_deep", "The message is nested too deeply.")
        else:
            peer.send(_frame("echo", peer.identity, f"Received: {text}"))


def _frame(kind: str, identity: Identity, message: str) -> str:
    return dumps({"type": kind, "user_id": identity.account_id, "message": message})

"""What is done with a frame that a client sends: the entries of a dialect's receive table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.legacy.dialect import Dialect, Frame, Job, Speaker
from app.realtime.wirejson import dumps
from models.identity import Identity

MAX_NAMED = 128
"""Characters of what a message named that an error frame repeats: more than any valid name has."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with a frame that needs no command."""

    frame: Callable[[Identity], Frame]
    fields: Mapping[str, str] = field(default_factory=dict)

    async def handle(self, dialect: Dialect, peer: Speaker, message: Frame) -> None:
        """Send the frame."""
        peer.send(dumps(self.frame(peer.identity)))


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command of the dialect's domain."""

    command: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Each field of the command, and its name in the frame."""

    ack: Callable[[Speaker, Frame, Any], Frame | None] | None = None
    """Makes the answer, if there is one, of the message and the command's answer."""

    about: str | None = None
    """The field of the message that error frames repeat."""

    async def handle(self, dialect: Dialect, peer: Speaker, message: Frame) -> Job | None:
        """Run the command, or return it as a job if it is slow."""
        if dialect.commands.is_slow(self.command):
            return partial(self.run, dialect, peer, message)
        await self.run(dialect, peer, message)
        return None

    async def run(self, dialect: Dialect, peer: Speaker, message: Frame) -> None:
        """Run the command and send what it answers."""
        answer = await dialect.commands.run(peer.caller, self.command, self.payload(message))
        if "error" in answer:
            error = answer["error"]
            peer.refuse(error["code"], self.complaint(error), self._named(message))
            return
        frame = self.ack(peer, message, answer["data"]) if self.ack is not None else None
        if frame is not None:
            peer.send(dumps(frame))

    def payload(self, message: Frame) -> Frame:
        """Return the command's payload: the known fields of the message, which it will check."""
        return {name: message[shown] for name, shown in self.fields.items() if shown in message}

    def complaint(self, error: Mapping[str, Any]) -> str:
        """Return what was wrong (`error` as in acks), with the fields as the frame names them."""
        complaints = [
            f"{self.fields[name]}: {' '.join(problems)}"
            for name, problems in error.get("fields", {}).items()
            if name in self.fields and isinstance(problems, list)
        ]
        return " ".join([error["message"], *complaints])

    def _named(self, message: Frame) -> str | None:
        named = message.get(self.about) if self.about is not None else None
        return named if isinstance(named, str) and len(named) <= MAX_NAMED else None

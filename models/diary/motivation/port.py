"""What motivation needs from others: words of a generator, and how far the user has come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that a generator learns about the person who asks, and nothing else on purpose."""

    challenge: str
    """The user's own words on one line, without control characters; may be empty."""

    stress_level: int
    """1 to 10."""

    language: str
    """Primary language tag, one that has a catalogue: "en"."""


class GeneratorFailed(Exception):
    """There is no text to be had; the message says why, without the prompt or the answer."""


class Generator(Protocol):
    """Writes a motivation, or fails within a few seconds; never hangs."""

    async def __call__(self, prompt: Prompt) -> str:
        """Return one line of text.

        Raises:
            GeneratorFailed: for whatever reason.
        """


@dataclass(frozen=True, slots=True)
class Progress:
    """How far someone has come with a goal: 3 of 5 steps of "Run 10 km"."""

    done: int | float
    total: int | float
    unit: str
    """"steps", the user's own word such as "km", or empty."""

    title: str


ProgressOf = Callable[[str], Awaitable[Progress | None]]
"""Returns the progress of an account worth mentioning, if there is any."""

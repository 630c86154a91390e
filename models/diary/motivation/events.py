"""Events of motivation, for the devices of the account that asked."""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MotivationGenerated(Event):
    """A motivation was written and stored; a `MotivationView`.

    It has the fields of docs/older-apis/diary.md and more.
    """

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "motivation_generated"

    id: str
    user_id: str
    motivation_text: str
    current_challenge: str
    stress_level: int
    source: str
    created_at: str

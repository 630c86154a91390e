"""What is told about motivation, to the devices of the one who asked."""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json


@dataclass(frozen=True, slots=True)
class MotivationGenerated(Event):
    """A motivation was written and stored; the fields of `diary.md` and a few more."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "motivation_generated"

    id: str
    user_id: str
    motivation_text: str
    current_challenge: str
    """As it was sent."""

    stress_level: int
    source: str
    """"catalogue" or "llm"."""

    created_at: str
    """UTC text with milliseconds."""

    def data(self) -> dict[str, Json]:
        """Give the fields."""
        return {
            "id": self.id,
            "user_id": self.user_id,
            "motivation_text": self.motivation_text,
            "current_challenge": self.current_challenge,
            "stress_level": self.stress_level,
            "source": self.source,
            "created_at": self.created_at,
        }

"""The shape in which a motivation is shown: answers and its event are made of it."""

from typing import TypedDict


class MotivationView(TypedDict):
    """A motivation as the account sees it that asked for it."""

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

"""Times of the older APIs: UTC with `Z`, in whole seconds (docs/older-apis/README.md)."""

from models.times import now


def whole_seconds(text: str) -> str:
    """Cut the milliseconds of a payload's time: `…T12:00:00.123Z` becomes `…T12:00:00Z`."""
    return f"{text[:19]}Z"


def now_text() -> str:
    """Return the present time."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")

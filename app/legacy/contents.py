"""The content of a message in frames of the older APIs, which have no attachments."""

from typing import Any


def content_of(message: dict[str, Any]) -> str:
    """Return the text; of attachments without one, the path of the first."""
    text: str = message["content"]
    if text or not message["attachments"]:
        return text
    return f"/api/v1/uploads/{message['attachments'][0]['id']}"

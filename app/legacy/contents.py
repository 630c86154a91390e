"""What legacy clients are shown of a message; their documents know of no attachments."""

from typing import Any


def content_of(message: dict[str, Any]) -> str:
    """Give the text; for attachments without one the path where the first of them is."""
    text: str = message["content"]
    if text or not message["attachments"]:
        return text
    return f"/api/v1/uploads/{message['attachments'][0]['id']}"

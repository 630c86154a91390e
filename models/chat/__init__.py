"""Chat: channels and conversations, their messages, and who is there."""

from models.chat.operations import Chat

__all__ = ["Chat"]

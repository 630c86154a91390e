"""Messages of clients that stand for a command of a domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A command, and what the document calls its fields."""

    command: str
    fields: Mapping[str, str]
    """Each field of the command, by which the schema knows it, with the document's name."""

    def payload(self, message: Message) -> Message:
        """Give the command's payload: what the document knows of the message, checked later."""
        return {
            field: message[documented]
            for field, documented in self.fields.items()
            if documented in message
        }

    def complaint(self, error: Mapping[str, Any]) -> str:
        """Say what was wrong (`error` as in acks), with the document's names for the fields."""
        complaints = [
            f"{self.fields[field]}: {' '.join(problems)}"
            for field, problems in error.get("fields", {}).items()
            if field in self.fields and isinstance(problems, list)
        ]
        return " ".join([error["message"], *complaints])

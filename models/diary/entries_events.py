"""What is told about entries, to the owner's own devices only.

An entry is told whole, with its `version`: of two the one with the higher version is the later. A
device that keeps the highest version of each id, deletions among them, has what a fresh listing
shows, in whatever order events come. At `diary.cleared` it forgets everything, lists anew, and
passes over what comes late: events of things whose `updated_at` is not after its `at`.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json

EntryJson = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _EntryTold(Event):
    domain: ClassVar[str] = "diary"

    entry: EntryJson

    def data(self) -> dict[str, Json]:
        """Give the entry as it is now."""
        return {"entry": self.entry}


@dataclass(frozen=True, slots=True)
class EntryCreated(_EntryTold):
    """There is a new entry."""

    name: ClassVar[str] = "entry.created"


@dataclass(frozen=True, slots=True)
class EntryUpdated(_EntryTold):
    """An entry was changed."""

    name: ClassVar[str] = "entry.updated"


@dataclass(frozen=True, slots=True)
class EntryDeleted(Event):
    """An entry is gone."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "entry.deleted"

    id: str
    version: int

    def data(self) -> dict[str, Json]:
        """Give which, and a version higher than all it has had."""
        return {"id": self.id, "version": self.version}


@dataclass(frozen=True, slots=True)
class DiaryCleared(Event):
    """The owner has deleted the whole diary."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "diary.cleared"

    at: str

    def data(self) -> dict[str, Json]:
        """Give since when there is nothing."""
        return {"at": self.at}

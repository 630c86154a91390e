"""Events of entries, for the owner's own devices only.

An entry is sent whole, with its `version`: of two the one with the higher version is the later. A
device that keeps the highest version of each id, deletions among them, has what a fresh listing
shows, in whatever order events come. At `diary.cleared` it forgets everything, lists anew, and
passes over what comes late: events of things whose `updated_at` is not after its `at`.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.diary.views import EntryView
from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _EntryEvent(Event):
    """The payload is the entry as it is now."""

    domain: ClassVar[str] = "diary"

    entry: EntryView


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCreated(_EntryEvent):
    """There is a new entry."""

    name: ClassVar[str] = "entry.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryUpdated(_EntryEvent):
    """An entry was changed."""

    name: ClassVar[str] = "entry.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDeleted(Event):
    """An entry is gone."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "entry.deleted"

    id: str
    version: int
    """Higher than all it has had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryCleared(Event):
    """The owner has deleted the whole diary."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "diary.cleared"

    at: str
    """Since when there is nothing."""

"""`/diary`: what clients may ask about entries, tasks, goals and motivation.

Two devices in step: events carry whole objects with their `version`. A client keeps of each id the
one with the highest version, from listings and events alike and in whatever order they come; an
event of a deletion has a version, too.
"""

import json
from collections.abc import Iterable
from typing import ClassVar

from models.diary.api import ANSWER_BYTES, DIARY
from models.diary.operations import Diary
from models.errors import Conflict
from models.identity import Identity
from models.rooms import user_room
from namespaces.base import Answer, Caller, Commands, error_answer

LONG = {"list_entries", "search_entries", "list_tasks", "list_goals"}
"""What can have longer answers: a page of a hundred long entries. An export minds it itself."""


class DiaryCommands(Commands):
    """The commands of the diary; answers are those of the REST routes."""

    domain: ClassVar[str] = "diary"
    operations = DIARY

    def __init__(self, diary: Diary) -> None:
        self.model = diary

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room."""
        return (user_room(identity.account_id),)

    async def run(self, caller: Caller, name: str, payload: object) -> Answer:
        """Run a command and answer, whatever happens; `answer_too_long` if that is too much."""
        answer = await super().run(caller, name, payload)
        if name in LONG and len(json.dumps(answer, ensure_ascii=False).encode()) > ANSWER_BYTES:
            message = "This is too long for one answer: ask for fewer, or over REST."
            return error_answer(Conflict(message, code="answer_too_long"))
        return answer

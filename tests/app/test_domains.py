"""The table of domains: each row's parts take the model that the row builds."""

from pathlib import Path

import pytest

import app.domains
from tests.type_check import faults_in

SOURCE = Path(app.domains.__file__).read_text()
STORIES = "Row(_stories, StoriesCommands, STORIES_ROUTES)"
DIARY = "Row(_diary, DiaryCommands, DIARY_ROUTES)"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("stories", "diary"),
    [
        (STORIES, DIARY),
        (
            "Row(_stories, DiaryCommands, STORIES_ROUTES)",
            "Row(_diary, StoriesCommands, DIARY_ROUTES)",
        ),
        (
            "Row(_stories, StoriesCommands, DIARY_ROUTES)",
            "Row(_diary, DiaryCommands, STORIES_ROUTES)",
        ),
        (
            "Row(_diary, StoriesCommands, STORIES_ROUTES)",
            "Row(_stories, DiaryCommands, DIARY_ROUTES)",
        ),
    ],
    ids=["as it is", "commands swapped", "routes swapped", "models swapped"],
)
def test_swapped_parts_fail_the_type_check(stories: str, diary: str, tmp_path: Path) -> None:
    """Both rows fail, and nothing else; the table as it is has no fault."""
    assert SOURCE.count(STORIES) == SOURCE.count(DIARY) == 1
    swapped = SOURCE.replace(STORIES, stories).replace(DIARY, diary)
    lines, printed = faults_in(swapped, tmp_path)
    rows = {number for number, line in enumerate(SOURCE.splitlines(), 1) if STORIES in line}
    rows |= {number for number, line in enumerate(SOURCE.splitlines(), 1) if DIARY in line}
    assert lines == (rows if stories != STORIES else set()), printed

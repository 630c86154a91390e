"""What may be sent about tasks and goals."""

from datetime import date, time

import pytest
from marshmallow import ValidationError

from models.diary.goals.schema import AddProgress, ChangeGoal, CreateGoal
from models.diary.tasks.schema import ChangeTask, CreateTask, ListTasks


def test_a_task_as_it_is_sent():
    """Dates and times load as such; what is left out has its default."""
    sent = {"title": "Call", "due_date": "2026-03-01", "due_time": "09:05", "repeat": "daily"}
    assert CreateTask().load(sent) == {
        "title": "Call",
        "notes": "",
        "due_date": date(2026, 3, 1),
        "due_time": time(9, 5),
        "priority": "normal",
        "repeat": "daily",
        "client_id": None,
    }
    assert ChangeTask().load({"due_date": None}) == {"due_date": None}
    assert ListTasks().load({"done": "false", "due_to": "2026-03-01"})["done"] is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("title", wrong) for wrong in ("", "  ", "two\nlines", "x" * 201, "\ud800", None, 5)),
        ("notes", "x" * 5_001),
        ("notes", "\0"),
        *(
            ("due_date", wrong)
            for wrong in ("2026-02-29", "20260301", "2026-W09-7", 1, "0001-01-01")
        ),
        *(
            ("due_time", wrong)
            for wrong in ("24:00", "9:00", "09:00:00", "09:60", 9, "\uff10\uff19:00")
        ),
        ("priority", "urgent"),
        ("repeat", "monthly"),
        *(("client_id", wrong) for wrong in ("", "a b", "x" * 129, "a\n", 7)),
    ],
)
def test_what_a_task_is_not(field, value):
    """What is out of bounds is refused under its field."""
    with pytest.raises(ValidationError) as caught:
        CreateTask().load({"title": "t"} | {field: value})
    assert list(caught.value.messages_dict) == [field]


def test_emoji_in_titles():
    """A family of emoji, and text from right to left, are lines of text."""
    for title in ("👨‍👩‍👧‍👦 dinner", "‏שלום", "🏴󠁧󠁢󠁷󠁬󠁳󠁿"):
        assert CreateTask().load({"title": title})["title"] == title


def test_goals_as_they_are_sent():
    """Steps are titles or objects; a number keeps what is written."""
    steps = CreateGoal().load({"title": "g", "kind": "steps", "steps": ["a", {"title": "b"}]})
    assert steps["steps"] == [{"title": "a"}, {"title": "b"}]
    number = CreateGoal().load({"title": "g", "kind": "number", "target": 10.5, "unit": "km"})
    assert (number["target"], number["unit"], number["steps"]) == (10.5, "km", [])
    assert AddProgress().load({"goal_id": "x", "amount": -0.125})["amount"] == -0.125
    known = {"steps": [{"id": "1", "title": "a"}, {"title": "b"}]}
    assert ChangeGoal().load(known) == known


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"kind": "steps"}, "steps"),
        ({"kind": "steps", "steps": []}, "steps"),
        ({"kind": "steps", "steps": ["a"] * 101}, "steps"),
        ({"kind": "steps", "steps": [{"title": "a", "id": "mine"}]}, "steps"),
        ({"kind": "steps", "steps": [{"title": "a", "done": True}]}, "steps"),
        ({"kind": "steps", "steps": [5]}, "steps"),
        ({"kind": "steps", "steps": ["a"], "target": 5}, "target"),
        ({"kind": "number"}, "target"),
        ({"kind": "number", "target": 5, "steps": ["a"]}, "steps"),
        *(
            ({"kind": "number", "target": wrong}, "target")
            for wrong in (0, -1, True, "5", 0.0001, float("nan"), float("inf"))
        ),
        ({"kind": "other"}, "kind"),
        ({"kind": "steps", "steps": ["a"], "members": ["x"] * 51}, "members"),
    ],
)
def test_what_a_goal_is_not(sent, field):
    """What does not go together or is out of bounds is refused under its field."""
    with pytest.raises(ValidationError) as caught:
        CreateGoal().load({"title": "g"} | sent)
    assert list(caught.value.messages_dict) == [field]

"""What models really send must be what the contract suite has proved."""

import pytest

from tests.recorder import RECORDER, forms


@pytest.mark.last
def test_models_send_only_what_is_proved() -> None:
    """No operation, operator or operand was sent by any test that the contract has not proved."""
    if "delete_one filter $and" not in RECORDER.proved or not RECORDER.sent:
        pytest.skip("needs the contract suite and tests of models in the same run")
    assert sorted(RECORDER.sent - RECORDER.proved) == []


@pytest.mark.parametrize(
    ("operation", "args", "options", "expected"),
    [
        ("find", ({"a.b": {"$gt": 1}},), {}, {"find filter dotted path", "find filter $gt number"}),
        (
            "find_one",
            ({"$or": [{"a": None}]},),
            {},
            {"find_one filter $or", "find_one filter = null"},
        ),
        (
            "update_one",
            ({"_id": "x"}, {"$push": {"list": {"$each": [1]}}}),
            {"upsert": True},
            {
                "update_one filter = str",
                "update_one update $push $each",
                "update_one option upsert",
            },
        ),
        (
            "update_many",
            (),
            {"filter": {"t": {"$in": ["x"]}}, "update": {"$set": {"a.$": True}}},
            {
                "update_many filter $in array of str",
                "update_many update dotted path",
                "update_many update $set bool",
            },
        ),
        (
            "sort",
            ([("a", 1), ("b", -1)],),
            {},
            {"sort 2 keys", "sort direction 1", "sort direction -1"},
        ),
    ],
)
def test_forms(operation: str, args: tuple, options: dict, expected: set[str]) -> None:
    """A call is noted with each operator, operand type and option."""
    assert set(forms(operation, args, options)) == expected | {operation}

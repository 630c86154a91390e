"""What models really send must be what the contract suite has proved."""

import pytest

from tests.recorder import CANARY, Recorder, forms


def test_what_was_sent_and_not_proved_is_named() -> None:
    """Forms that only models sent are told, whichever process noted them."""
    recorder = Recorder()
    recorder.sent = {"find", "find filter $where str"}
    assert recorder.unproved() == []
    recorder.take_in(([], ["find", CANARY]))
    assert recorder.unproved() == ["find filter $where str"]


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

"""What a caller may send about motivation."""

import pytest

from models.diary.motivation.schema import KeyedMotivation, RequestMotivation


@pytest.mark.parametrize(
    ("sent", "loaded"),
    [
        ({}, {"current_challenge": "", "stress_level": 5}),
        (
            {"current_challenge": "Working on a difficult feature", "stress_level": 7},
            {"current_challenge": "Working on a difficult feature", "stress_level": 7},
        ),
        ({"stress_level": 1}, {"current_challenge": "", "stress_level": 1}),
        ({"stress_level": 10.0}, {"current_challenge": "", "stress_level": 10}),
        (
            {"current_challenge": "é" * 500},
            {"current_challenge": "é" * 500, "stress_level": 5},
        ),
        ({"current_challenge": " \n"}, {"current_challenge": " \n", "stress_level": 5}),
    ],
)
def test_accepted(sent, loaded):
    """Both may be left out; the challenge is taken as it is."""
    result = RequestMotivation().load(sent)
    assert result == loaded
    assert isinstance(result["stress_level"], int)


@pytest.mark.parametrize(
    ("sent", "field", "says"),
    [
        ({"stress_level": 0}, "stress_level", "from 1 to 10"),
        ({"stress_level": 11}, "stress_level", "from 1 to 10"),
        ({"stress_level": -1}, "stress_level", "from 1 to 10"),
        ({"stress_level": 2**70}, "stress_level", "from 1 to 10"),
        ({"stress_level": 7.5}, "stress_level", "Not a whole number"),
        ({"stress_level": float("inf")}, "stress_level", "Not a whole number"),
        ({"stress_level": "7"}, "stress_level", "Not a number"),
        ({"stress_level": "high"}, "stress_level", "Not a number"),
        ({"stress_level": True}, "stress_level", "Not a number"),
        ({"stress_level": [7]}, "stress_level", "Not a number"),
        ({"stress_level": None}, "stress_level", "null"),
        ({"current_challenge": "é" * 501}, "current_challenge", "500 characters"),
        ({"current_challenge": 7}, "current_challenge", "string"),
        ({"current_challenge": None}, "current_challenge", "null"),
        ({"current_challenge": "half \ud83d"}, "current_challenge", "Unicode"),
    ],
)
def test_refused(sent, field, says):
    """What is wrong is said of the field where it is wrong."""
    errors = RequestMotivation().validate(sent)
    assert errors.keys() == {field}
    assert says in " ".join(errors[field])


def test_a_key_of_the_client():
    """Commands and routes take a key besides; it may be left out."""
    assert KeyedMotivation().load({})["client_id"] is None
    assert KeyedMotivation().load({"client_id": "a1"})["client_id"] == "a1"
    assert KeyedMotivation().validate({"client_id": "x" * 129}).keys() == {"client_id"}

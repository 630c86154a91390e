"""What a caller may send about motivation."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from models.fields import Input, Scalar, Text, client_id_field

CHALLENGE_MAX = 500
"""Characters: a paragraph about what is difficult."""

CALMEST, MOST_STRESSED = 1, 10
DEFAULT_STRESS = 5
"""What the documents' clients send when nothing is said."""


class _StressLevel(Scalar[int], fields.Integer):
    """A JSON number that is whole; neither "7" nor true is a number, and 7.5 is not whole."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValidationError("Not a number.")
        if isinstance(value, float) and not value.is_integer():
            raise ValidationError("Not a whole number.")
        return super()._validated(value)


class RequestMotivation(Input):
    """What is difficult and how stressful it is.

    `current_challenge`, up to 500 characters, may be left out or empty; `stress_level`, 1 to 10,
    is 5 when left out.
    """

    current_challenge = Text(
        CHALLENGE_MAX,
        blank=True,
        load_default="",
        length_error=f"Must not be longer than {CHALLENGE_MAX} characters.",
    )
    stress_level = _StressLevel(
        load_default=DEFAULT_STRESS,
        validate=validate.Range(
            CALMEST, MOST_STRESSED, error=f"Must be from {CALMEST} to {MOST_STRESSED}."
        ),
    )


class KeyedMotivation(RequestMotivation):
    """The same with a `client_id`, under which it is written once."""

    client_id = client_id_field()

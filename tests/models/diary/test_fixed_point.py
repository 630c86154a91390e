"""Numbers with three decimals that never drift."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diary.fixed_point import MAX_NUMBER, parse, share_of, to_number

THOUSANDTHS = st.integers(-MAX_NUMBER * 1000, MAX_NUMBER * 1000)


@pytest.mark.parametrize(
    ("value", "thousandths"),
    [(0, 0), (5, 5000), (0.1, 100), (2.675, 2675), (-1.5, -1500), (1e3, 1_000_000), (-0.0, 0)],
)
def test_reading(value, thousandths):
    """A number means the decimals that are written."""
    assert parse(value) == thousandths


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, "5", [5], {}),
        *(math.nan, math.inf, -math.inf, float("1e400"), 10**400, -(10**400)),
        *(0.0001, 1.2345, 0.1 + 0.2, 5e-324, MAX_NUMBER + 1, -MAX_NUMBER - 0.5),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refusing(value):
    """What is no number, not finite, too large or has a fourth decimal is refused."""
    with pytest.raises(ValueError, match=r"number|decimals|Must be"):
        parse(value)


@given(THOUSANDTHS)
def test_there_and_back(thousandths):
    """What is written is read as the same thousandths, whole numbers as such."""
    number = to_number(thousandths)
    assert parse(number) == thousandths
    assert isinstance(number, int) == (thousandths % 1000 == 0)


@given(part=THOUSANDTHS, whole=st.integers(1, MAX_NUMBER * 1000))
def test_share(part, whole):
    """A share lies between 0 and 1, has four decimals, and is 1 exactly when all is reached."""
    share = share_of(part, whole)
    assert 0 <= share <= 1
    assert round(share, 4) == share
    assert (share == 1) == (part >= whole)
    if 0 <= part < whole:
        assert 0 <= part / whole - share < 0.0001 + 1e-12


def test_share_is_not_rounded_up():
    """One step before the end is not the end."""
    assert share_of(99_999, 100_000) == 0.9999
    assert share_of(2, 3) == 0.6666

"""Money is read strictly and written exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.market.money import MAX_CENTS, parse, to_decimal, to_price_tag


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        ("220", 22_000),
        ("220.5", 22_050),
        ("220.00", 22_000),
        ("0.01", 1),
        ("0.1", 10),
        (1, 100),
        (220, 22_000),
        (1_000_000, MAX_CENTS),
        ("1000000.00", MAX_CENTS),
    ],
)
def test_prices_that_are_read(value, cents):
    """Text with up to two decimals and whole numbers are dollars."""
    assert parse(value) == cents


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 1_000_001, 10**5000, True, None, [], {}, 220.0, 0.1),
        *("0", "0.00", "-1", "-0.01", "+1", "220.001", "220.", ".5", "1e3", "1e400", "NaN"),
        *("Infinity", "0x10", "1_000", "1,000", "$220", " 220", "220 ", "220\n", "", "007"),
        *("1000000.01", "9" * 400, "\uff12\uff12\uff10", "\u0662\u0662\u0660"),
        *map(json.loads, ("NaN", "1e400", "-Infinity", "1e2")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_prices_that_are_refused(value):
    """What is no price within bounds is refused, and so is every number with a point."""
    with pytest.raises(ValueError, match=r"price|Price"):
        parse(value)


@given(st.integers(1, MAX_CENTS))
def test_prices_survive_the_way_out_and_in(cents):
    """A price that is written is read again as the same cents."""
    assert parse(to_decimal(cents)) == cents


def test_prices_for_people():
    """Whole dollars have no decimals, as the document prints them."""
    assert [to_price_tag(cents) for cents in (22_000, 22_050, 5)] == ["$220", "$220.50", "$0.05"]

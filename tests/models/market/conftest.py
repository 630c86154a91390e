"""A market with one product, on the store that is open."""

import pytest

from tests.market_world import add_shoe, build_market
from tests.stories_world import RecordingPublisher


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def market(database, publisher, clock):
    made = build_market(database, publisher, clock)
    await made.prepare()
    return made


@pytest.fixture
async def shoe(market):
    """The id of the one product."""
    return await add_shoe(market)

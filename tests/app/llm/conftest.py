"""An endpoint that listens."""

import pytest

from tests.app.llm.endpoint import Endpoint


@pytest.fixture
async def endpoint(listening):
    made = Endpoint()
    made.url = await listening.start(made.app())
    yield made
    made.released.set()

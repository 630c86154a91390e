"""What the contract suite asks for counts as proved when the test that asked has passed."""

from collections.abc import Iterator

import pytest

from tests.recorder import RECORDER

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep whether the test itself passed."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def proving(request: pytest.FixtureRequest) -> Iterator[None]:
    """Gather the forms of a contract test apart from those that models send."""
    RECORDER.into = asked = set()
    yield
    RECORDER.into = RECORDER.sent
    if request.node.stash.get(PASSED, False):
        RECORDER.proved |= asked

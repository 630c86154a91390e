"""Servers and browsers that the tests of the page share."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.browsers import (
    DESKTOP,
    PHONE,
    Person,
    Server,
    chromium,
)
from tests.web.chat_steps import channel, join, name_of

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that stays up; tests that stop one start their own."""
    server = Server(tmp_path_factory.mktemp("data"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def people(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Two browsers, a desktop and a phone; each test signs up anew."""
    profiles = [tmp_path_factory.mktemp(name) for name in ("desktop", "phone")]
    with ExitStack() as stack:
        drivers = [stack.enter_context(chromium(profile)) for profile in profiles]
        yield [
            Person(driver, server.url, size)
            for driver, size in zip(drivers, (DESKTOP, PHONE), strict=True)
        ]
    for profile in profiles:
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def desktop(people: list[Person]) -> Person:
    """A new account at a desktop."""
    people[0].sign_up(f"desktop{next(_numbers)}@example.com")
    people[0].complaints()
    return people[0]


@pytest.fixture
def phone(people: list[Person]) -> Person:
    """Another new account, at a phone."""
    people[1].sign_up(f"phone{next(_numbers)}@example.com")
    people[1].complaints()
    return people[1]


@pytest.fixture
def lobby(desktop: Person, phone: Person) -> str:
    """A channel of chat with both people in it, open at both."""
    name = f"lobby-{name_of(desktop)}"
    channel(desktop, name)
    join(phone, name)
    return name


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    server = Server(tmp_path / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def visitors(people: list[Person], own_server: Server) -> Iterator[tuple[Person, Person]]:
    """A desktop and a phone at that server, not signed in; in the end they leave it."""
    one, other = (
        Person(person.driver, own_server.url, size)
        for person, size in zip(people, (DESKTOP, PHONE), strict=True)
    )
    yield one, other
    for person in (one, other):
        person.driver.get("about:blank")


@pytest.fixture
def devices(visitors: tuple[Person, Person]) -> tuple[Person, Person]:
    """One account, at a desktop and at a phone."""
    one, other = visitors
    one.sign_up("holder@example.com")
    other.sign_in("holder@example.com")
    other.wait_for_state("live")
    return visitors

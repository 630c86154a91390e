"""Connections as bytes, and the whole application with its runner."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from app.http.runner import Runner
from app.main import create_app
from app.memory import BUDGET, Budget
from app.settings import Settings
from tests.app.http.raw import Raw
from tests.live import Listening

Connect = Callable[..., Awaitable[Raw]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open connections that are dropped after the test."""
    opened: list[Raw] = []

    async def connect(url: str, **options: Any) -> Raw:
        opened.append(await Raw.open(url, **options))
        return opened[-1]

    yield connect
    for raw in opened:
        raw.drop()


@dataclass
class Whole:
    """The application, listening."""

    url: str
    app: web.Application
    runner: Runner

    @property
    def budget(self) -> Budget:
        return self.app[BUDGET]

    def routes(self) -> list[tuple[str, str]]:
        """Return method and path of every route there is, with a value in each variable place."""
        found = []
        for route in self.app.router.routes():
            assert route.resource is not None
            path = re.sub(r"\{\w+\}", "1", route.resource.canonical)
            methods = ("GET", "POST") if route.method == "*" else (route.method,)
            found += [(method, path) for method in methods]
        return found


@pytest.fixture
async def start_whole(settings: Settings, listening: Listening) -> Callable[..., Awaitable[Whole]]:
    """Start the application; keywords change its limits."""

    async def start(**limits: int) -> Whole:
        chosen = replace(settings, limits=replace(settings.limits, **limits))
        app = await create_app(chosen)
        url = await listening.start(app, chosen.limits)
        return Whole(url, app, listening.runners[-1])

    return start

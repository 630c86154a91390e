"""The documentation names everything that is there."""

from app.main import create_app
from models.events import Event
from namespaces.base import Commands
from tests.test_imports import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PAGES = ("/", "/web/{name}", "/vendor/{name}", "/socket.io/")


def subclasses(kind):
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


async def test_every_route_is_documented(settings):
    """docs/api.md has the method and path of every route."""
    app = await create_app(settings)
    wanted = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource.canonical not in PAGES
    }
    await app.cleanup()
    assert len(wanted) > 50
    assert [route for route in sorted(wanted) if f"`{route}`" not in API] == []


def test_every_command_is_documented():
    """docs/api.md has every command of every namespace."""
    names = {
        name
        for commands in subclasses(Commands)
        if commands.__module__.startswith("namespaces.")
        for name in dir(commands)
        if hasattr(getattr(commands, name), "command_schema")
    }
    assert len(names) > 30
    assert [name for name in sorted(names) if f"`{name}`" not in API] == []


def test_every_event_is_documented():
    """docs/api.md has every event of every domain."""
    names = {
        event.name
        for event in subclasses(Event)
        if event.__module__.startswith("models.") and hasattr(event, "name")
    }
    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}`" not in API] == []

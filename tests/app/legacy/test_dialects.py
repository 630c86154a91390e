"""Completeness: every event, every dialect and every documented message has its golden frame."""

import inspect
import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest
from aiohttp import web

import app.legacy
import models
from app.domains import DOMAINS
from app.legacy.credentials import Access, by_token
from app.legacy.dialect import Dialect, Frames, Receives
from app.legacy.handlers import Reply
from app.legacy.policy import REPLACED
from app.legacy.registry import dialects, undeclared
from app.legacy.routes import LegacyRoutes
from app.main import build_account_limits, create_app
from app.memory import Budget
from app.origins import Origins
from app.realtime.events.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.rest.errors import problems
from app.rest.requests import AUTHENTICATE
from models.events import Event
from models.rooms import user_room
from namespaces.base import Commands
from tests.app.legacy.conftest import token_says_who
from tests.app.legacy.story_events import viewed
from tests.frames import FRAMES
from tests.test_older_apis import PAGES, documented

DIALECTS = dialects()
SPOKEN = {event for dialect in DIALECTS for event in dialect.frames}
"""Events that at least one dialect has a frame for."""

NEVER_SPOKEN = {
    ("stories", "story.created"): "stories-events tells authors of views and reactions only",
    ("stories", "story.deleted"): "stories-events tells authors of views and reactions only",
    ("notifications", "notification.read"): "market-notifications has no inbox to clear",
    ("notifications", "notification.archived"): "market-notifications has no inbox to clear",
    ("chat", "conversation_added"): "both documents of chat are silent on membership",
    ("chat", "conversation_read"): "conversation-chat tells of what others have read",
    ("chat", "contact.accepted"): "conversation-chat knows no requests",
    ("chat", "request.answered"): "conversation-chat knows no requests",
    ("chat", "block.changed"): "neither document of chat knows blocking",
    ("chat", "member_added"): "both documents of chat are silent on membership",
    ("chat", "member_left"): "both documents of chat are silent on membership",
    ("chat", "mentioned"): "the message itself is told as new_message",
    ("chat", "message_reacted"): "channel-chat has reactions among its next steps",
    ("chat", "message_unreacted"): "channel-chat has reactions among its next steps",
    ("chat", "own_status_change"): "conversation-chat answers with status_change_ack",
    ("stories", "story.unreacted"): "stories-events tells authors of views and reactions only",
    ("market", "book"): "market-notifications has notifications only",
    ("market", "sale"): "market-notifications has notifications only",
    ("market", "book_heartbeat"): "market-notifications has notifications only",
    ("market", "offer.closed"): "market-notifications tells of it as match_created",
    ("market", "order.changed"): "market-notifications tells of each step by a notification",
    ("diary", "diary.cleared"): "diary has no diary that a client could show",
    ("diary", "entry.created"): "diary knows of no entries",
    ("diary", "entry.updated"): "diary knows of no entries",
    ("diary", "entry.deleted"): "diary knows of no entries",
    ("diary", "task.created"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "task.updated"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "task.completed"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "task.reopened"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "task.deleted"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "task.due"): "diary calls news of tasks an extension, and prints no frame",
    ("diary", "goal.created"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.updated"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.progress"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.completed"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.deleted"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.invited"): "diary calls news of goals an extension, and prints no frame",
    ("diary", "goal.uninvited"): "diary calls news of goals an extension, and prints no frame",
}
"""Events that no document has a frame for, and why that is right."""


def modules_of(package):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(module.name)


def events():
    """Return every event class; those with an underscore are what others are made of."""
    for module in modules_of(models):
        for name, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Event) and found is not Event and not name.startswith("_"):
                yield found


def test_every_event_has_a_frame_or_a_reason_for_having_none():
    """An event of a domain that is served goes to the legacy clients, or is kept on purpose."""
    served = {row.commands.domain for row in DOMAINS}
    known = {(event.domain, event.name) for event in events() if event.domain in served}
    assert {domain for domain, _ in known} == served
    assert set(NEVER_SPOKEN) & SPOKEN == set()
    assert known == SPOKEN | set(NEVER_SPOKEN)


def test_an_event_name_is_used_once_in_its_domain():
    """Two classes with one wire name would be told apart by nobody."""
    classes = set(events())
    assert len({(event.domain, event.name) for event in classes}) == len(classes)


def defined():
    """Return every dialect that app.legacy defines, whether or not the registry finds it."""
    return {
        found
        for module in modules_of(app.legacy)
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Dialect) and not undeclared(found)
    }


def sent_types(frames):
    """Return the types of client frames in a folder of golden frames."""
    return {path.stem: path for path in [*frames.glob("sent/*.json"), *frames.glob("ping.json")]}


def missing(kinds, served, frames=FRAMES, pages=PAGES):
    """Return what is missing, in words: routes, golden frames and pages of `kinds`."""
    problems = []
    for kind in kinds:
        if ("GET", kind.path) not in served:
            problems.append(f"{kind.__name__} has no route at {kind.path}")
        if not (frames / kind.name).is_dir():
            problems.append(f"{kind.__name__} has no golden frames in tests/frames/{kind.name}")
        else:
            sent = sent_types(frames / kind.name)
            received = {path.stem for path in (frames / kind.name).glob("*.json")}
            wanted = {event for _, event in kind.frames} | {"error"}
            problems += [
                f"{kind.__name__} has no golden frame {kind.name}/{name}.json"
                for name in sorted(wanted - received)
            ]
            problems += [
                f"{kind.__name__} has no golden frame {kind.name}/sent/{name}.json"
                for name in sorted(set(kind.receives) - set(sent))
            ]
        problems += [
            f"{kind.__name__} has no page docs/older-apis/{page}.md"
            for page in kind.pages
            if not (pages / f"{page}.md").is_file()
        ]
        if not kind.pages:
            problems.append(f"{kind.__name__} names no page in docs/older-apis")
    return problems


def routes_of(router):
    return {(route.method, route.resource.canonical) for route in router.routes()}


async def test_every_dialect_has_a_route_golden_frames_and_a_page(settings):
    """Those that app.legacy defines anywhere; a missing part is named."""
    application = await create_app(settings)
    served = routes_of(application.router)
    await application.cleanup()
    assert len(defined()) > 3
    problems = missing(defined(), served)
    assert not problems, "\n".join(problems)


def test_the_registry_has_every_dialect():
    """A dialect outside `app.legacy.dialects` is not served; names and paths are used once."""
    assert set(DIALECTS) == defined()
    for declared in ("name", "path"):
        assert len({getattr(dialect, declared) for dialect in DIALECTS}) == len(DIALECTS)


def test_every_folder_of_golden_frames_and_every_page_has_a_dialect():
    """What no dialect names any more is named here."""
    folders = {path.name for path in FRAMES.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert folders == {dialect.name for dialect in DIALECTS}
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == {page for dialect in DIALECTS for page in dialect.pages}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_page_describes_the_frames_of_its_own_dialect(dialect):
    """With the endpoint, and no golden frame of another dialect."""
    pages = [PAGES / f"{page}.md" for page in dialect.pages]
    text = "".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    assert f"`GET {dialect.path}`" in text
    folders = {
        frame.golden.relative_to(FRAMES).parts[0]
        for frame in documented()
        if frame.page in dialect.pages
    }
    assert folders == {dialect.name}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_handler_reads_the_documented_fields(dialect):
    """All fields of the golden frame and no others, each under the name that it has there."""
    golden = sent_types(FRAMES / dialect.name)
    for kind in dialect.receives.keys() & golden:
        handler = dialect.receives[kind]
        frame = json.loads(golden[kind].read_text(encoding="utf-8"))
        assert [dialect.type_field, *handler.fields.values()] == list(frame), kind


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_runs_commands_that_are_there(dialect):
    """With the fields that their schemas have; a domain that is not served is named."""
    rows = {row.commands.domain: row.commands for row in DOMAINS}
    for kind, handler in dialect.receives.items():
        if isinstance(handler, Reply):
            continue
        schema = rows[dialect.domain].declared()[handler.command].request
        assert set(handler.fields) <= set(schema.fields), kind


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_golden_frames_have_their_types_first(dialect):
    """Each is named for its type, in the dialect's field for types."""
    for path in (FRAMES / dialect.name).rglob("*.json"):
        frame = json.loads(path.read_text(encoding="utf-8"))
        assert next(iter(frame.items())) == (dialect.type_field, path.stem)


class Sixth(Dialect):
    """A dialect as its author has it before there is anything else."""

    name = "sixth"
    pages = ("sixth-api",)
    path = "/sixth"
    access = Access(by_token, one_per_user=True)
    frames: ClassVar[Frames] = {
        ("stories", "story.viewed"): lambda data: {"type": "seen", "id": data["story_id"]}
    }
    receives: ClassVar[Receives] = {"ping": Reply(lambda identity: {"type": "pong"})}

    def error_frame(self, identity, code, message, about):
        return {"type": "error", "code": code}


def test_what_a_new_dialect_lacks_is_named(tmp_path: Path):
    """One thing after the other, up to the last golden frame."""
    assert missing([Sixth], set(), tmp_path, tmp_path) == [
        "Sixth has no route at /sixth",
        "Sixth has no golden frames in tests/frames/sixth",
        f"Sixth has no page docs/older-apis/{Sixth.pages[0]}.md",
    ]
    (tmp_path / "sixth").mkdir()
    (tmp_path / f"{Sixth.pages[0]}.md").touch()
    served = {("GET", "/sixth")}
    assert missing([Sixth], served, tmp_path, tmp_path) == [
        "Sixth has no golden frame sixth/error.json",
        "Sixth has no golden frame sixth/story.viewed.json",
        "Sixth has no golden frame sixth/sent/ping.json",
    ]


def test_a_dialect_that_declares_half_of_itself_is_incomplete():
    """What it does not declare is named."""

    class Half(Dialect):
        name = "half"
        path = "/half"

    assert undeclared(Half) == ["pages", "access", "frames", "receives"]


class Stories(Commands):
    """The domain of the events that `Sixth` has frames for."""

    domain = "stories"

    def rooms_of(self, identity):
        return [user_room(identity.account_id)]


async def test_a_new_dialect_is_served_as_it_declares(settings, listening):
    """Its route, policy, rooms, frames and answers follow from its declarations."""

    async def no_account(path):
        return None

    manager = RoomManager()
    routes = LegacyRoutes(
        [Stories()],
        manager,
        Origins((), development=True),
        settings,
        build_account_limits(settings.limits),
        no_account,
        Budget(1_000_000),
        kinds=[Sixth],
    )
    application = web.Application(middlewares=[problems])
    application[AUTHENTICATE] = token_says_who
    application.add_routes(routes.routes())
    doors = listening.doors(await listening.start(application))
    former = await doors.open_at("/sixth?token=1")
    client = await doors.open_at("/sixth?token=1")
    assert await former.closed() == REPLACED
    assert routes.connections_at("/sixth") == 1
    assert await client.ask({"type": "ping"}) == {"type": "pong"}
    assert await client.ask({"type": "join"}) == {"type": "error", "code": "unknown_type"}
    await RoomPublisher(manager.log).publish(viewed("550e8400"), user_room("1"))
    assert await client.frame() == {"type": "seen", "id": "550e8400"}

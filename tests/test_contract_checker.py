"""The checker of contracts finds what differs from its document, at each door."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiohttp import web

from app.contracts.catalogue import Catalogue
from app.contracts.routes import CATALOGUE, handwritten
from app.legacy.dialects.diary import DiaryDialect
from app.rest.contract import Credential, contract
from app.rest.errors import problems
from app.rest.operations import OperationRoutes
from app.rest.requests import AUTHENTICATE, body
from models.accounts.views import PublicUser
from models.chat.records import StoredUpload
from models.errors import Conflict
from models.events import Event
from models.fields import Input, NoFields
from models.identity import Identity
from models.market.stored import JournalEntry, StoredOrder
from models.operation import Once, Operation, Operations, get
from models.stories.records import StoredStory
from namespaces.base import Caller, Commands
from tests.contract_checker import CHECKER
from tests.record_checker import record_types, unknown_keys

RIGHT = {"id": "7", "public_id": "p7", "name": None}
WRONG: dict[str, dict[str, Any]] = {
    "a typo": {"id": "7", "public_id": "p7", "nam": None},
    "a wrong type": RIGHT | {"name": 7},
    "a field too many": RIGHT | {"email": "a@example.com"},
    "a field too few": {"id": "7", "name": None},
}


class Model:
    """Answers whatever it is given."""

    answer: Any = RIGHT
    code: Any = None

    async def show(self, caller: Identity) -> PublicUser:
        if self.code is not None:
            raise Conflict("No.", code=self.code)
        return self.answer


TABLE: Operations[Model] = (
    Operation(
        name="show",
        summary="Show.",
        call=lambda model: model.show,
        request=NoFields(),
        errors=("sku_taken",),
        routes=(get("/show"),),
    ),
)


class ModelCommands(Commands):
    """Checked as those of the namespaces are."""

    domain: ClassVar[str] = "models"
    operations = TABLE

    def __init__(self, model: Model) -> None:
        self.model = model


class NoConnection:
    def enter(self, room: str) -> None:
        """Do nothing."""

    def leave(self, room: str) -> None:
        """Do nothing."""


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture(params=["rest", "bare rest", "command"])
async def ask(request, model, aiohttp_client) -> Any:
    """Ask by one of the doors; returns the faults that this adds."""

    async def authenticate(token: str) -> Identity:
        return Identity("7", None, "7")

    async def by_rest() -> None:

        app = web.Application(middlewares=[problems])
        app[AUTHENTICATE] = authenticate
        rest = OperationRoutes(TABLE, model)
        app.add_routes(rest.routes())
        served = SimpleNamespace(commands=ModelCommands(model), rest=rest)
        if request.param == "rest":
            # Where a test puts an application together there is no catalogue.
            app[CATALOGUE] = lambda: Catalogue([served])
        client = await aiohttp_client(app)
        async with client.get("/show", headers={"Authorization": "Bearer 7"}) as response:
            await response.read()

    async def by_command() -> None:
        caller = Caller(Identity("7", None, "7"), NoConnection())
        await ModelCommands(model).run(caller, "show", {})

    async def faults() -> list[str]:
        await (by_command() if request.param == "command" else by_rest())
        found = [*CHECKER.faults]
        CHECKER.faults.clear()
        return found

    return faults


async def test_what_is_documented_passes(model, ask):
    """A right answer, and a declared error."""
    assert await ask() == []
    model.code = "sku_taken"
    assert await ask() == []


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_a_wrong_answer_is_found(model, ask, answer):
    model.answer = answer
    assert await ask()


async def test_an_undeclared_error_is_found(model, ask):
    model.code = "channel_taken"
    (fault,) = await ask()
    assert "channel_taken" in fault


class SendThis(Input):
    """What `/handled` takes."""


class SendThat(Input):
    """What it does not take."""


def handled(answer: Any, *, status: int = 200, schema: Any = None) -> Any:
    """A handler that declares a `PublicUser`, and does something."""

    @contract("server", {200: PublicUser}, credential=Credential.NONE, body=SendThis())
    async def handle(request: web.Request) -> web.Response:
        """Return a user."""
        await body(request, schema or SendThis())
        return web.json_response(answer, status=status)

    return handle


@pytest.mark.parametrize(
    ("handler", "wanted"),
    [
        (handled(RIGHT), ""),
        (handled(WRONG["a typo"]), "nam"),
        (handled(RIGHT, status=201), "the status 201 is not declared"),
        (handled(RIGHT, schema=SendThat()), "reads SendThat"),
        (None, "not documented"),
    ],
    ids=["right", "typo", "status", "body", "undocumented"],
)
async def test_a_handler_is_compared_with_what_it_declares(handler, wanted, aiohttp_client):
    """Its answers and their status, what it reads, and that it is in the document at all."""
    app = web.Application(middlewares=[problems])
    # The checker remembers what is documented at a path.
    path = f"/handled/{abs(hash(wanted))}"
    app.router.add_post(path, handler or handled(RIGHT))
    routes = handwritten(app, set()) if handler else []
    app[CATALOGUE] = lambda: Catalogue([], handwritten=routes)
    client = await aiohttp_client(app)
    async with client.post(path, json={}) as response:
        await response.read()
    faults = "\n".join(CHECKER.faults)
    CHECKER.faults.clear()
    assert wanted in faults if wanted else not faults, faults


def test_a_handler_without_a_contract_is_refused():
    """No route of an application is left out of the documents."""

    async def handle(request: web.Request) -> web.Response:
        """Do nothing."""
        return web.Response()

    app = web.Application()
    app.router.add_get("/bare", handle)
    with pytest.raises(AssertionError, match="GET /bare has no contract"):
        handwritten(app, set())


def test_a_wrong_event_is_found():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Shown(Event):
        """A person was shown."""

        domain: ClassVar[str] = "stories"
        name: ClassVar[str] = "person.shown"
        user: PublicUser

    Shown(user={**RIGHT}).data()
    assert CHECKER.faults == []
    for wrong in WRONG.values():
        Shown(user=wrong).data()
        assert CHECKER.faults
        CHECKER.faults.clear()


@pytest.mark.parametrize(
    ("operation", "parts", "wanted"),
    [
        ("find_one", ({"author_id": "7"},), []),
        ("find_one", ({"auhtor_id": "7"},), ["auhtor_id"]),
        ("find", ({"$or": [{"readers": "7"}, {"raeders": "*"}]},), ["raeders"]),
        ("update_one", ({"_id": "1"}, {"$pull": {"raeders": "7"}}), ["raeders"]),
        ("update_one", ({"_id": "1"}, {"$set": {"audience_user_ids.0": "7"}}), []),
        ("create_index", ([("raeders", 1), ("_id", 1)],), ["raeders"]),
        ("insert_one", ({"_id": "1", "txet": "Hello"},), ["txet"]),
    ],
)
def test_keys_of_records_are_compared(operation, parts, wanted):
    """In filters, updates, indexes and new records."""
    assert [*unknown_keys(operation, parts, StoredStory)] == wanted


@pytest.mark.parametrize(
    ("kind", "path", "known"),
    [
        (JournalEntry, "offer.account_id", True),
        (JournalEntry, "offer.acount_id", False),
        (StoredOrder, "history.step", True),
        (StoredOrder, "history.0.stpe", False),
        (StoredUpload, "metadata.attached_to", True),
        (StoredUpload, "metadata.atached_to", False),
        (StoredUpload, "lenght", False),
    ],
)
def test_keys_in_records_of_records_are_compared(kind, path, known):
    """Of a record that is an option, in a list, or given to a generic one."""
    assert [*unknown_keys("find", ({path: None},), kind)] == ([] if known else [path])


async def test_a_wrong_key_is_found_at_the_database(database):
    """Of a collection whose records have a type."""
    assert len(record_types()) > 10
    await database["stories"].find_one({"_id": "1"})
    assert CHECKER.faults == []
    await database["stories"].find_one({"auhtor_id": "7"})
    (fault,) = CHECKER.faults
    CHECKER.faults.clear()
    assert fault == "find_one in stories: StoredStory has no key auhtor_id"


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        ({"type": "pong", "user_id": "7", "message": "Pong!"}, ""),
        ({"type": "pnog", "user_id": "7"}, "pnog at /api/v1/ws/{user_id} is not documented"),
        ({"type": "pong", "user_id": 7}, "7 is not of type"),
        ({"type": "pong", "message": "Pong!", "at": "now"}, "at"),
    ],
    ids=["right", "unknown type", "wrong type", "field too many"],
)
def test_a_frame_is_compared(frame, wanted):
    """Frames of the older APIs have documented types and fields."""
    CHECKER.check_frame(DiaryDialect, frame)
    faults = "\n".join(CHECKER.faults)
    CHECKER.faults.clear()
    assert wanted in faults if wanted else not faults, faults


@pytest.mark.parametrize(
    "changed",
    [
        {"summary": ""},
        {"summary": "No full stop"},
        {"errors": ("no_such_code",)},
        {"routes": (), "command": False},
        {"once": Once.KEYED},
    ],
    ids=["no summary", "no sentence", "unknown code", "no way in", "no client_id"],
)
def test_a_declaration_that_lacks_something_is_refused(changed):
    """An operation is documented, its codes are in the catalogue, and clients can call it."""
    whole: dict[str, Any] = {
        "name": "show",
        "summary": "Show.",
        "call": lambda model: model.show,
        "request": NoFields(),
    }
    Operation(**whole)
    with pytest.raises(ValueError, match="show"):
        Operation(**whole | changed)

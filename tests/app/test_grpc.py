"""The gRPC door: a real server and a real client, which learns the messages by reflection."""

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from app.rpc.descriptors import FILE, SERVICE, Request, Response
from app.rpc.errors import DETAILS_MAX, STATUS
from app.rpc.server import RpcServer, start_rpc
from app.service_token import ServiceToken
from app.settings import SettingsError
from models import errors, finishing
from models.errors import DomainError, Unavailable
from tests.live import PATIENCE_S
from tests.notifications_world import (
    BUYER,
    ENDPOINT,
    KEYS,
    MATCHED,
    NOBODY,
    RecordingPush,
    build,
)
from tests.programs import free_port, run
from tests.stories_world import RecordingPublisher

TOKEN = "a-service-token-of-32-characters"
METHOD = f"/{SERVICE}/SendNotification"
DOCUMENTED = """{
  "user_id": 1,
  "type": "match_created",
  "title": "Test Notification",
  "message": "This is a test!",
  "send_push": true
}"""
"""The body of the document's grpcurl line, as printed."""


class Client:
    """What grpcurl does: asks the server for its messages, and writes JSON as them."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def reflect(self, **asked: str) -> list:
        """Ask server reflection one thing; returns the answers."""
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(**asked)])
        call = stub.ServerReflectionInfo(requests, timeout=PATIENCE_S, metadata=self.metadata)
        return [answer async for answer in call]

    async def send(self, body: str | dict) -> dict:
        """Send a notification written in JSON; returns the answer's fields."""
        (answer,) = await self.reflect(file_containing_symbol=SERVICE)
        pool = descriptor_pool.DescriptorPool()
        for file in answer.file_descriptor_response.file_descriptor_proto:
            pool.AddSerializedFile(file)
        method = pool.FindServiceByName(SERVICE).methods_by_name["SendNotification"]
        request = message_factory.GetMessageClass(method.input_type)()
        response = message_factory.GetMessageClass(method.output_type)
        if isinstance(body, str):
            json_format.Parse(body, request)
        else:
            json_format.ParseDict(body, request)
        answer = await self.raw(request.SerializeToString())
        return json_format.MessageToDict(
            response.FromString(answer), preserving_proto_field_name=True
        )

    async def raw(self, request: bytes, method: str = METHOD) -> bytes:
        """Call with bytes."""
        call = self.channel.unary_unary(method)
        return await call(request, timeout=PATIENCE_S, metadata=self.metadata)


async def answering():
    """Be a database that answers."""


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def notifications(database, publisher, clock):
    made = build(database, publisher, clock)
    await made.prepare()
    return made


@pytest.fixture
async def connect(notifications):
    """Start a server with this service token, and give a client that shows `shown`."""
    opened = []

    async def start(token=None, *, shown=None, development=True, model=notifications):
        guard = ServiceToken(token, development=development)
        server = RpcServer(model, guard, answering, message_bytes=1_048_576)
        opened.append(server.stop)
        port = await server.start("127.0.0.1", 0)
        client = Client(port, shown)
        opened.append(client.channel.close)
        return client

    yield start
    for end in reversed(opened):
        await end()


async def refusal(calling):
    """Return status, details and the stable code of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calling
    metadata = dict(caught.value.trailing_metadata() or ())
    return caught.value.code(), caught.value.details(), metadata.get("code")


async def test_the_documented_call(connect, publisher):
    """What the document prints is stored, told and answered; there are no pushes here."""
    client = await connect()
    assert await client.send(DOCUMENTED) == {
        "id": "1",
        "user_id": "1",
        "created": True,
        "push": "skipped",
        "push_reason": "no_vapid_keys",
    }
    ((told, _),) = publisher.take("notification")
    assert (told["user_id"], told["type"]) == ("1", "match_created")
    assert (told["title"], told["message"]) == ("Test Notification", "This is a test!")


async def test_reflection_names_the_service(connect):
    """A client that knows nothing finds the service."""
    (answer,) = await (await connect()).reflect(list_services="")
    assert SERVICE in [service.name for service in answer.list_services_response.service]


async def test_all_fields(connect, notifications):
    """Link and idempotency key arrive; without send_push none is tried."""
    client = await connect()
    body = {"user_id": 1, **MATCHED, "idempotency_key": "k"}
    sent = {"id": "1", "user_id": "1", "push": "not_requested"}
    assert await client.send(body) == sent | {"created": True}
    assert await client.send(body) == sent
    (item,) = (await notifications.inbox.page(BUYER))["items"]
    assert {name: item[name] for name in MATCHED} == MATCHED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": 0}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"type": "nope"}, "type"),
        ({"type": ""}, "type"),
        ({"title": " "}, "title"),
        ({"title": "x" * 900_000}, "title"),
        ({"message": ""}, "message"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"idempotency_key": "x" * 201}, "idempotency_key"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_values(connect, publisher, changes, field):
    """A wrong value is INVALID_ARGUMENT, naming the field; nobody is told."""
    client = await connect()
    status, details, code = await refusal(client.send({"user_id": 1, **MATCHED, **changes}))
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid")
    assert f" {field}: " in details
    assert len(details) < 500
    assert publisher.take() == []


async def test_an_unknown_user(connect):
    """A user that does not exist is NOT_FOUND."""
    client = await connect()
    status, _, code = await refusal(client.send({"user_id": int(NOBODY), **MATCHED}))
    assert (status, code) == (grpc.StatusCode.NOT_FOUND, "account_not_found")


async def test_a_reused_key(connect):
    """Another content under one key is ALREADY_EXISTS."""
    client = await connect()
    body = {"user_id": 1, **MATCHED, "idempotency_key": "k"}
    await client.send(body)
    status, _, code = await refusal(client.send(body | {"title": "Other"}))
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "key_reused")


async def test_an_oversized_message(connect):
    """More than the limit is RESOURCE_EXHAUSTED before it is read."""
    client = await connect()
    status, _, _ = await refusal(client.send({"user_id": 1, **MATCHED, "title": "x" * 1_100_000}))
    assert status == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message(connect, notifications):
    """Garbage is INVALID_ARGUMENT, and the server goes on."""
    client = await connect()
    status, _, code = await refusal(client.raw(b"\xff\xff\xff"))
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "unreadable")
    assert (await client.send(DOCUMENTED))["id"] == "1"


async def test_an_unknown_method(connect):
    """What is not served is UNIMPLEMENTED."""
    client = await connect()
    status, _, _ = await refusal(client.raw(b"", f"/{SERVICE}/DeleteEverything"))
    assert status == grpc.StatusCode.UNIMPLEMENTED


class Failing:
    """Notifications that fail."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def send(self, **wanted):
        raise self.error


async def test_a_database_that_is_away(connect):
    """An outage is UNAVAILABLE: the caller may try again."""
    client = await connect(model=Failing(Unavailable("The database is away; try again.")))
    status, details, code = await refusal(client.send(DOCUMENTED))
    assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "unavailable")
    assert details == "The database is away; try again."


async def test_an_error_nobody_expected(connect, caplog):
    """It is logged with its traceback and tells the caller nothing of itself."""
    client = await connect(model=Failing(RuntimeError("a secret detail")))
    status, details, _ = await refusal(client.send(DOCUMENTED))
    assert (status, details) == (grpc.StatusCode.INTERNAL, "Something went wrong here.")
    assert "a secret detail" in caplog.text


def test_every_kind_of_error_has_a_status():
    """The table is complete."""
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, DomainError) and kind is not DomainError
    }
    assert set(STATUS) == kinds


@pytest.mark.parametrize("shown", [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
@pytest.mark.parametrize("development", [True, False])
async def test_a_service_token_is_asked_for(connect, publisher, shown, development):
    """With a token set, neither calls nor reflection are for those who do not show it."""
    client = await connect(TOKEN, shown=shown, development=development)
    for calling in (client.raw(b""), client.reflect(list_services="")):
        status, _, code = await refusal(calling)
        assert (status, code) == (grpc.StatusCode.UNAUTHENTICATED, "service_token_invalid")
    assert publisher.take() == []


async def test_the_service_token_opens(connect):
    """Who shows the token is served as in development."""
    client = await connect(TOKEN, shown=TOKEN, development=False)
    assert (await client.send(DOCUMENTED))["id"] == "1"


async def test_production_without_a_token_lets_nobody_in(connect):
    """Even if it were started, a production server without a token would refuse everyone."""
    client = await connect(None, shown="None", development=False)
    status, _, _ = await refusal(client.raw(b""))
    assert status == grpc.StatusCode.UNAUTHENTICATED


async def test_production_without_a_token_does_not_start(settings, notifications, caplog):
    """It says so in the log, once, and the rest of the server goes on."""
    caplog.set_level("INFO")
    chosen = replace(settings, environment="production", service_token=None, grpc_port=free_port())
    guard = ServiceToken(None, development=False)
    assert await start_rpc(chosen, notifications, guard, answering) is None
    assert "gRPC is off: SERVICE_TOKEN is not set" in caplog.messages


async def test_port_0_is_no_server(settings, notifications):
    """GRPC_PORT=0 switches it off."""
    guard = ServiceToken(None, development=True)
    assert await start_rpc(replace(settings, grpc_port=0), notifications, guard, answering) is None


@pytest.mark.parametrize("chosen", [True, False])
async def test_a_busy_port(settings, notifications, caplog, chosen):
    """A port that was chosen and is taken ends the start in one sentence; the default only warns.

    Two servers never share a port in silence.
    """
    guard = ServiceToken(None, development=True)
    asked = replace(settings, grpc_port=free_port(), grpc_port_chosen=chosen)
    first = await start_rpc(asked, notifications, guard, answering)
    assert first is not None
    if chosen:
        with pytest.raises(SettingsError, match=f"gRPC cannot listen on .*{asked.grpc_port}"):
            await start_rpc(asked, notifications, guard, answering)
    else:
        assert await start_rpc(asked, notifications, guard, answering) is None
        assert f"gRPC is off: gRPC cannot listen on 127.0.0.1:{asked.grpc_port}" in caplog.text
    await first.stop()


async def test_without_a_token_only_this_machine_is_let_in(settings, notifications, caplog):
    """A development server that listens everywhere keeps its open gRPC door to itself."""
    caplog.set_level("INFO")
    for token, host in ((None, "127.0.0.1"), (TOKEN, "0.0.0.0")):
        asked = replace(settings, host="0.0.0.0", grpc_port=free_port(), service_token=token)
        guard = ServiceToken(token, development=True)
        server = await start_rpc(asked, notifications, guard, answering)
        assert f"gRPC serves on {host} port {asked.grpc_port}" in caplog.messages
        await server.stop()


async def test_no_browser_speaks_to_the_port(settings, notifications):
    """A request as browsers write it over plain TCP, HTTP/1.1, gets no answer of HTTP."""
    server = RpcServer(
        notifications, ServiceToken(None, development=True), answering, message_bytes=1_000
    )
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /notification.NotificationService/SendNotification HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n"
        b"\x00\x00\x00\x00\x00"
    )
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    assert not answer.startswith(b"HTTP/")
    writer.close()
    await server.stop()


async def test_a_call_under_way_is_finished(notifications, publisher):
    """A stopping server answers what it has begun and takes nothing new."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        async def send(self, **wanted):
            begun.set()
            await go_on.wait()
            return await notifications.send(**wanted)

    server = RpcServer(
        Slow(), ServiceToken(None, development=True), answering, message_bytes=1_048_576
    )
    client = Client(await server.start("127.0.0.1", 0))
    calling = asyncio.create_task(client.send(DOCUMENTED))
    await asyncio.wait_for(begun.wait(), PATIENCE_S)
    stopping = asyncio.create_task(server.stop())
    go_on.set()
    assert (await calling)["id"] == "1"
    await stopping
    status, _, _ = await refusal(client.raw(b""))
    assert status == grpc.StatusCode.UNAVAILABLE
    await client.channel.close()


def test_the_proto_file_says_what_is_served():
    """`notification.proto` and the descriptors built in code are the same."""
    path = Path(__file__).parents[2] / "app" / "rpc" / "notification.proto"
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    file = FileDescriptorProto.FromString(FILE.serialized_pb)
    types = {
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_BOOL: "bool",
    }
    words = [f'syntax = "{file.syntax}"; package {file.package};']
    for service in file.service:
        words.append(f"service {service.name} {{")
        for method in service.method:
            asked, given = (
                name.removeprefix(f".{file.package}.")
                for name in (method.input_type, method.output_type)
            )
            words.append(f"rpc {method.name}({asked}) returns ({given}); }}")
    for message in file.message_type:
        words.append(f"message {message.name} {{")
        words += [f"{types[field.type]} {field.name} = {field.number};" for field in message.field]
        words.append("}")
    assert text.split() == " ".join(words).split()


async def test_the_program_serves_the_document(start_server):
    """`python -m app` listens on GRPC_PORT, delivers to /ws, and stops with calls still open."""
    port = free_port()
    program = await start_server(GRPC_PORT=str(port))
    _, answer = await program.doors.call(
        None, "POST", "/signup", {"email": "ann@example.com", "password": "password123"}
    )
    raw = await program.doors.raw(answer["token"])
    client = Client(port)
    sent = await client.send(DOCUMENTED.replace("1", answer["user"]["id"], 1))
    frame = await raw.frame()
    assert frame["type"] == "notification"
    assert (frame["data"]["id"], frame["data"]["title"]) == (int(sent["id"]), "Test Notification")
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    open_call = stub.ServerReflectionInfo()
    await open_call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    assert (await open_call.read()).list_services_response.service
    began = time.monotonic()
    assert await program.stop() == 0
    assert time.monotonic() - began < 5
    assert not [line for line in program.lines if "Traceback" in line or "ERROR" in line]
    await client.channel.close()


async def test_the_program_and_a_busy_port(start_server, environment):
    """A GRPC_PORT that is taken ends the start with one sentence and nothing beside it."""
    port = str(free_port())
    await start_server(GRPC_PORT=port)
    variables = environment | {"GRPC_PORT": port, "PORT": str(free_port()), "LOG_LEVEL": "WARNING"}
    status, output, errors_printed = await run(environment=variables)
    assert status != 0
    assert output == []
    assert errors_printed == [
        f"gRPC cannot listen on 127.0.0.1:{port}: another server may do so;"
        " choose another GRPC_PORT, or 0 for none."
    ]


@pytest.mark.parametrize("coding", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_calls(connect, publisher, coding):
    """A compressed message is refused before it is inflated, whatever its length."""
    client = await connect()
    call = client.channel.unary_unary(METHOD)
    for size in (100, 10_000_000):
        calling = call(bytes(size), timeout=PATIENCE_S, compression=coding)
        assert (await refusal(calling))[0] is grpc.StatusCode.UNIMPLEMENTED
    assert (await client.send(DOCUMENTED))["user_id"] == "1"


@pytest.mark.parametrize("fill", ["x", "🎉", "e\u0301"])
async def test_details_are_short(connect, fill):
    """However long the fields are, the details are no longer than clients read."""
    client = await connect()
    long = fill * (900_000 // len(fill.encode()) // 4)
    fields = ("title", "message", "link", "idempotency_key")
    code, details, _ = await refusal(
        client.send(MATCHED | {"user_id": 1} | dict.fromkeys(fields, long))
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(details) <= DETAILS_MAX
    assert all(f"{name}: " in details for name in fields)


async def test_details_of_any_script_arrive(connect):
    """The longest message, in characters of four bytes, still fits into the trailers."""

    class Refusing:
        async def send(self, **wanted):
            raise Unavailable("🎉" * 10_000, fields={"🎉" * 10_000: ["🎉" * 10_000]})

    client = await connect(model=Refusing())
    code, details, _ = await refusal(client.send(MATCHED | {"user_id": 1}))
    assert (code, details[:9]) == (grpc.StatusCode.UNAVAILABLE, "🎉" * 9)


async def test_a_call_that_is_cancelled_is_told_and_pushed(connect, database, publisher, clock):
    """Whenever a call is cancelled or too late, what it wrote was told and pushed once."""
    push = RecordingPush()
    model = build(database, publisher, clock, push)
    await model.prepare()
    await model.subscriptions.add(BUYER, endpoint=ENDPOINT, keys=KEYS)
    client = await connect(model=model)
    assert (await client.send(MATCHED | {"user_id": 1, "send_push": True}))["push"] == "queued"
    call = client.channel.unary_unary(METHOD)
    repeated = 0
    for number in range(30):
        request = Request(user_id=1, send_push=True, idempotency_key=f"key-{number}", **MATCHED)
        calling = call(request.SerializeToString(), timeout=PATIENCE_S)
        await asyncio.sleep(number / 2_000)
        calling.cancel()
        answer = Response.FromString(await client.raw(request.SerializeToString()))
        repeated += not answer.created
    await finishing.drain(PATIENCE_S)
    assert repeated, "no call was cancelled after its write"
    told = [data["id"] for data, _ in publisher.take("notification")]
    assert told == [*range(1, 32)]
    assert len(push.sent) == 31

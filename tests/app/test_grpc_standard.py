"""The standard services of the gRPC port: health, reflection in both versions, TLS."""

from dataclasses import replace

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from app.rpc import standard
from app.rpc.descriptors import SERVICE
from app.rpc.server import RpcServer, start_rpc
from app.service_token import ServiceToken
from app.settings import Settings, SettingsError
from app.storage import open_store
from app.storage import store as store_module
from tests.hanging_database import hanging_database
from tests.live import PATIENCE_S
from tests.notifications_world import build
from tests.programs import free_port

TOKEN = "a-service-token-of-32-characters"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REFLECTIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


@pytest.fixture
async def notifications(database, clock):
    made = build(database, None, clock)
    await made.prepare()
    return made


@pytest.fixture
async def channel(notifications, store):
    """A channel to a server that asks for the service token."""
    guard = ServiceToken(TOKEN, development=False)
    server = RpcServer(notifications, guard, store.ping, message_bytes=1_048_576)
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop()


def check(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)


async def test_health_is_checked_without_a_token(channel):
    """The server and our service serve, another one is not known, and watching wants the token."""
    for service in ("", SERVICE):
        assert (await check(channel, service)).status == SERVING
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await check(channel, "other.Service")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    watching = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(), timeout=PATIENCE_S
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await watching.read()
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_health_follows_the_database(settings, notifications, monkeypatch):
    """While the store does not answer nothing serves, which watchers hear, and then again."""
    monkeypatch.setattr(standard, "PING_INTERVAL_S", 0.05)
    monkeypatch.setattr(store_module, "PING_TIMEOUT_S", 2.0)
    async with hanging_database(answers=True) as database:
        away = await open_store(replace(settings, mongodb_uri=database.uri))
        guard = ServiceToken(TOKEN, development=False)
        server = RpcServer(notifications, guard, away.ping, message_bytes=1_048_576)
        port = await server.start("127.0.0.1", 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            watching = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=SERVICE),
                timeout=PATIENCE_S,
                metadata=(("authorization", f"Bearer {TOKEN}"),),
            )
            for answers in (True, False, True):
                database.answers = answers
                while (await watching.read()).status != (SERVING if answers else NOT_SERVING):
                    pass
            assert (await check(channel)).status == SERVING
        await server.stop()
        await away.close()


@pytest.mark.parametrize("name", REFLECTIONS)
async def test_reflection_in_both_versions(channel, name):
    """Each lists all services and describes each of them, itself included."""

    async def ask(**asked):
        call = channel.stream_stream(
            f"/{name}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        request = reflection_pb2.ServerReflectionRequest(**asked)
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        return await call(iter([request]), timeout=PATIENCE_S, metadata=metadata).read()

    listed = (await ask(list_services="")).list_services_response.service
    services = {service.name for service in listed}
    assert services == {SERVICE, "grpc.health.v1.Health", *REFLECTIONS}
    for service in services:
        described = await ask(file_containing_symbol=service)
        (file,) = described.file_descriptor_response.file_descriptor_proto
        assert service.rpartition(".")[2].encode() in file


async def test_tls_when_there_is_a_certificate(notifications, settings, store, certificate):
    """The port then speaks TLS with that certificate, and nothing else."""
    cert, key = certificate
    port = free_port()
    chosen = replace(
        settings, grpc_port=port, grpc_port_chosen=True, grpc_tls_cert=cert, grpc_tls_key=key
    )
    guard = ServiceToken(None, development=True)
    server = await start_rpc(chosen, notifications, guard, store.ping)
    trusted = grpc.ssl_channel_credentials(cert.read_bytes())
    options = (("grpc.ssl_target_name_override", "localhost"),)
    try:
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", trusted, options) as channel:
            assert (await check(channel)).status == SERVING
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await check(channel)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await server.stop()
    unreadable = replace(chosen, grpc_port_chosen=False, grpc_tls_cert=cert.parent / "none.pem")
    with pytest.raises(SettingsError, match="GRPC_TLS_CERT"):
        await start_rpc(unreadable, notifications, guard, store.ping)


def test_certificate_and_key_want_each_other(settings, monkeypatch):
    """One of the two alone is refused."""
    monkeypatch.setenv("GRPC_TLS_CERT", "cert.pem")
    with pytest.raises(SettingsError, match="GRPC_TLS"):
        Settings.from_env()

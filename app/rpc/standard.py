"""The standard services besides our own: health (`grpc.health.v1`), reflection in both versions.

`grpc.reflection.v1` has the messages of `v1alpha` under another name, so one servicer serves both;
what describes it is made from the description of the older one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from app.rpc.descriptors import SERVICE
from models.errors import Unavailable

logger = logging.getLogger(__name__)

Ping = Callable[[], Awaitable[None]]
"""Asks the database for a sign of life; raises `Unavailable` when there is none in time."""

PING_INTERVAL_S = 2.0
"""Between two looks at the database, for as long as it takes to answer besides: a load balancer
that asks every few seconds learns of it the next time."""

REFLECTION = "grpc.reflection.v1.ServerReflection"
CHECK = f"/{health.SERVICE_NAME}/Check"
"""Open to everyone: load balancers have no token. `Watch`, which holds a call open, is not."""


def _describe_reflection() -> None:
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    older = file.package
    file.package = "grpc.reflection.v1"
    file.name = "grpc/reflection/v1/reflection.proto"

    def renamed(name: str) -> str:
        return name.replace(f".{older}.", f".{file.package}.")

    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = renamed(field.type_name)
    for method in file.service[0].method:
        method.input_type = renamed(method.input_type)
        method.output_type = renamed(method.output_type)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


_describe_reflection()


class StandardServices:
    """Health and reflection of one server."""

    def __init__(self, server: Any, ping: Ping) -> None:
        self._ping = ping
        self._watching: asyncio.Task[None] | None = None
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, REFLECTION, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        servicer = reflection.aio.ReflectionServicer(names)
        info = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(REFLECTION, {"ServerReflectionInfo": info}),)
        )

    async def start(self) -> None:
        """Report whether our service serves, and go on asking the database for it."""
        await self._look()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Report from now on that nothing serves, so that callers go to another process."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._health.enter_graceful_shutdown()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            await self._look()

    async def _look(self) -> None:
        status = health_pb2.HealthCheckResponse.SERVING
        try:
            await self._ping()
        except Unavailable as error:
            logger.warning("gRPC health: %s", error.message)
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            await self._health.set(name, status)

"""The gRPC server: `notification.NotificationService` with reflection, in this process's loop."""

import logging
from collections.abc import Awaitable, Callable
from socket import AF_INET, AF_INET6, create_server
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection
from marshmallow import ValidationError

from app.rpc import errors
from app.rpc.descriptors import SERVICE, Request, Response
from app.service_token import ServiceToken
from app.settings import Settings, SettingsError
from models.errors import DomainError, Invalid, Unreadable
from models.notifications.operations import Notifications
from models.notifications.schema import SendNotification

logger = logging.getLogger(__name__)

STOP_S = 0.5
"""How long a stopping server lets calls that have begun come to their end."""

CALLS_MAX = 200
"""Calls at once; more are answered RESOURCE_EXHAUSTED and may be tried again."""

_SEND = SendNotification()


class RpcServer:
    """One listening gRPC server."""

    def __init__(
        self, notifications: Notifications, service_token: ServiceToken, *, message_bytes: int
    ) -> None:
        self._notifications = notifications
        self._server = grpc.aio.server(
            interceptors=(_Guard(service_token),),
            options=(
                # Two servers on one port would share its callers without a word.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", message_bytes),
            ),
            maximum_concurrent_rpcs=CALLS_MAX,
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), self._server)

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port, which the system chooses for 0.

        Raises:
            SettingsError: the port is taken, or not for us.
        """
        family, address = AF_INET, f"{host}:{port}"
        if ":" in host:
            family, address = AF_INET6, f"[{host}]:{port}"
        try:
            # Asked first, because the library prints what it thinks of a port that is taken.
            create_server((host, port), family=family).close()
            bound = self._server.add_insecure_port(address)
        except (OSError, RuntimeError):
            raise SettingsError(
                f"gRPC cannot listen on {address}: another server may do so;"
                " choose another GRPC_PORT, or 0 for none."
            ) from None
        await self._server.start()
        logger.info("gRPC serves on %s port %d", host, bound)
        return int(bound)

    async def stop(self) -> None:
        """Take no more calls, and let those that have begun end."""
        await self._server.stop(STOP_S)

    def _handlers(self) -> grpc.GenericRpcHandler:
        # Read in the call itself: what the library cannot read it would log and answer UNKNOWN.
        send = grpc.unary_unary_rpc_method_handler(
            self._send, response_serializer=Response.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"SendNotification": send})

    async def _send(self, request: bytes, context: Any) -> Any:
        async def call() -> Any:
            sent = await self._notifications.send(**_loaded(request))
            known = {name: value for name, value in sent.items() if value is not None}
            return Response(**known | {"user_id": int(str(known["user_id"]))})

        return await errors.answer(context, call)


class _Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets in calls with the service token, reflection included."""

    def __init__(self, service_token: ServiceToken) -> None:
        self._service_token = service_token

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """Give the handler of a call, or one that refuses it."""
        metadata = dict(handler_call_details.invocation_metadata)
        try:
            self._service_token.check(metadata.get("authorization"))
        except DomainError as error:
            return _refusing(error)
        return await continuation(handler_call_details)


def _refusing(error: DomainError) -> Any:
    async def refuse(request: Any, context: Any) -> None:
        await errors.refuse(context, error)

    return grpc.unary_unary_rpc_method_handler(refuse)


def _loaded(written: bytes) -> dict[str, Any]:
    """Read a request as every door does; an empty text is one that was left out."""
    try:
        request = Request.FromString(written)
    except DecodeError:
        raise Unreadable("The bytes are no SendNotificationRequest.") from None
    fields = {field.name: getattr(request, field.name) for field in request.DESCRIPTOR.fields}
    given = {name: value for name, value in fields.items() if value != ""}
    try:
        loaded: dict[str, Any] = _SEND.load(given)
    except ValidationError as error:
        raise Invalid("Some fields are not valid.", fields=dict(error.messages_dict)) from None
    return loaded


async def start_rpc(
    settings: Settings, notifications: Notifications, service_token: ServiceToken
) -> RpcServer | None:
    """Start the gRPC server that the settings ask for, if they do.

    Raises:
        SettingsError: it cannot listen on the GRPC_PORT that was chosen. The default port, which
            nobody chose, may be taken by another server of this machine: that one serves then.
    """
    if not settings.grpc_port:
        return None
    if not settings.development and not settings.service_token:
        logger.info("gRPC is off: SERVICE_TOKEN is not set")
        return None
    # Without a token only this machine is let in.
    host = settings.host if service_token.asked_for else "127.0.0.1"
    server = RpcServer(notifications, service_token, message_bytes=settings.limits.request_bytes)
    try:
        await server.start(host, settings.grpc_port)
    except SettingsError as error:
        await server.stop()
        if settings.grpc_port_chosen:
            raise
        logger.warning("gRPC is off: %s", error)
        return None
    return server

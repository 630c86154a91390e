"""The gRPC server, in this process's loop: our `NotificationService`, health and reflection."""

import logging
from collections.abc import Awaitable, Callable
from socket import AF_INET, AF_INET6, create_server
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from app.rpc import errors
from app.rpc.descriptors import SERVICE, Request, Response
from app.rpc.standard import CHECK, Ping, StandardServices
from app.service_token import ServiceToken
from app.settings import Settings, SettingsError
from models.errors import DomainError, TooManyRequests, Unreadable
from models.fields import load
from models.finishing import finish
from models.notifications.operations import Notifications
from models.notifications.schema import SendNotification
from models.notifications.views import SentView

logger = logging.getLogger(__name__)

STOP_S = 0.5
"""How long a stopping server lets calls that have begun come to their end."""

CALLS_MAX = 200
"""Calls at once; more are answered RESOURCE_EXHAUSTED and may be tried again."""

STREAMS_MAX = 50
"""Calls at once on one connection."""

METADATA_BYTES = 8_192
"""The headers of a call: a service token is far below."""

_SEND = SendNotification()


class RpcServer:
    """One listening gRPC server."""

    def __init__(
        self,
        notifications: Notifications,
        service_token: ServiceToken,
        ping: Ping,
        *,
        message_bytes: int,
    ) -> None:
        self._notifications = notifications
        self._sending = 0
        self._server = grpc.aio.server(
            interceptors=(_Guard(service_token),),
            options=(
                # Two servers on one port would share its callers without a word.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", message_bytes),
                # No caller compresses: identity, the first bit, is all that is read.
                ("grpc.compression_enabled_algorithms_bitset", 1),
                # More wait at the caller, and not here with their messages.
                ("grpc.max_concurrent_streams", STREAMS_MAX),
                ("grpc.max_metadata_size", METADATA_BYTES),
            ),
            maximum_concurrent_rpcs=CALLS_MAX,
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self._standard = StandardServices(self._server, ping)

    async def start(
        self, host: str, port: int, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Listen, with TLS if there are `credentials`; return the port, chosen by the system for 0.

        Raises:
            SettingsError: the port is taken, or not for us.
        """
        family, address = AF_INET, f"{host}:{port}"
        if ":" in host:
            family, address = AF_INET6, f"[{host}]:{port}"
        try:
            # Asked first, because the library prints what it thinks of a port that is taken.
            create_server((host, port), family=family).close()
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except (OSError, RuntimeError):
            raise SettingsError(
                f"gRPC cannot listen on {address}: another server may do so;"
                " choose another GRPC_PORT, or 0 for none."
            ) from None
        await self._server.start()
        await self._standard.start()
        logger.info("gRPC serves on %s port %d", host, bound)
        return int(bound)

    async def stop(self) -> None:
        """Refuse further calls, and let those that have begun end."""
        await self._standard.stop()
        await self._server.stop(STOP_S)

    def _handlers(self) -> grpc.GenericRpcHandler:
        # Read in the call itself: what the library cannot read it would log and answer UNKNOWN.
        send = grpc.unary_unary_rpc_method_handler(
            self._send, response_serializer=Response.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"SendNotification": send})

    async def _send(self, request: bytes, context: Any) -> Any:
        async def call() -> Any:
            # Callers that cancel or whose deadline passes do not end it: the notification would be
            # stored, and neither its event nor its push ever sent.
            sent = await finish(self._send_counted(_loaded(request)))
            known = {name: value for name, value in sent.items() if value is not None}
            return Response(**known | {"user_id": int(str(known["user_id"]))})

        return await errors.answer(context, call)

    async def _send_counted(self, values: dict[str, Any]) -> SentView:
        # Cancelled calls count no longer among `maximum_concurrent_rpcs`.
        if self._sending >= CALLS_MAX:
            raise TooManyRequests("Too many calls are being carried out.")
        self._sending += 1
        try:
            return await self._notifications.send(**values)
        finally:
            self._sending -= 1


class _Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets in calls with the service token, reflection included, and checks of health."""

    def __init__(self, service_token: ServiceToken) -> None:
        self._service_token = service_token

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """Return the handler of a call, or one that refuses it."""
        if handler_call_details.method == CHECK:
            return await continuation(handler_call_details)
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
    """Read a request as every transport does; an empty text is one that was left out."""
    try:
        request = Request.FromString(written)
    except DecodeError:
        raise Unreadable("The bytes are no SendNotificationRequest.") from None
    fields = {field.name: getattr(request, field.name) for field in request.DESCRIPTOR.fields}
    given = {name: value for name, value in fields.items() if value != ""}
    return load(_SEND, given)


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Read the certificate that the settings name; None for a server without TLS."""
    if settings.grpc_tls_cert is None or settings.grpc_tls_key is None:
        return None
    try:
        key, chain = settings.grpc_tls_key.read_bytes(), settings.grpc_tls_cert.read_bytes()
    except OSError as error:
        raise SettingsError(f"GRPC_TLS_CERT and GRPC_TLS_KEY cannot be read: {error}") from None
    return grpc.ssl_server_credentials([(key, chain)])


async def start_rpc(
    settings: Settings, notifications: Notifications, service_token: ServiceToken, ping: Ping
) -> RpcServer | None:
    """Start the gRPC server that the settings ask for, if they do; `ping` asks the database.

    Raises:
        SettingsError: it cannot listen on the GRPC_PORT that was chosen. The default port, which
            no one chose, may be taken by another server of this machine: that one serves then.
    """
    if not settings.grpc_port:
        return None
    if not settings.development and not settings.service_token:
        logger.info("gRPC is off: SERVICE_TOKEN is not set")
        return None
    # Without a token only this machine is let in.
    host = settings.host if service_token.asked_for else "127.0.0.1"
    credentials = _credentials(settings)
    message_bytes = settings.limits.request_bytes
    server = RpcServer(notifications, service_token, ping, message_bytes=message_bytes)
    try:
        await server.start(host, settings.grpc_port, credentials)
    except SettingsError as error:
        await server.stop()
        if settings.grpc_port_chosen:
            raise
        logger.warning("gRPC is off: %s", error)
        return None
    return server

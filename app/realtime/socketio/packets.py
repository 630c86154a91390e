"""Socket.IO packets of clients, protocol version 5: nothing that the document does not allow."""

import re
from typing import Any

import socketio
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT

from app.realtime import wirejson
from app.realtime.wirejson import Undecodable

MAX_ATTACHMENTS = 16
"""Binary parts of one packet; more are held back by a client that wants to fill memory."""

NAMESPACE_MAX = 128
"""Characters of a namespace: an answer repeats it, even one that refuses."""

RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Event names that only the library may use. The Node server closes the connection of a client that
emits one; here that is so unless the client waits for an ack, which then says what is wrong."""


class StrictPacket(socketio.packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet whose parts have the types that protocol version 5 gives them.

    Type, namespace and ack id are read before the payload. If that is of the right kind but cannot
    be read, `data` is `Undecodable`, so that the packet can still be answered.
    """

    json = wirejson

    def decode(self, encoded_packet: str) -> int:
        """Decode and check; returns the number of attachments to come.

        Raises:
            ValueError: the packet is malformed.
        """
        if not encoded_packet[:1].isascii():
            # Other scripts' digits are no packet types.
            raise ValueError("unknown packet type")
        attachments: int = super().decode(encoded_packet)
        data = self.data
        if self.packet_type in (EVENT, BINARY_EVENT):
            answerable = self.packet_type == EVENT and self.id is not None
            valid = (
                isinstance(data, list)
                and bool(data)
                and (_is_event_name(data[0]) or (answerable and is_reserved(data[0])))
            ) or _is_undecodable(data, list)
        elif self.packet_type in (ACK, BINARY_ACK):
            valid = self.id is not None and (isinstance(data, list) or _is_undecodable(data, list))
        elif self.packet_type == CONNECT:
            valid = data is None or isinstance(data, dict) or _is_undecodable(data, dict)
        else:
            valid = self.packet_type == DISCONNECT and data is None
        valid = valid and len(self.namespace or "") <= NAMESPACE_MAX
        binary = self.packet_type in (BINARY_EVENT, BINARY_ACK)
        if not valid or binary != (attachments > 0) or attachments > MAX_ATTACHMENTS:
            raise ValueError("malformed Socket.IO packet")
        return attachments

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """Put attachments in the place of their placeholders.

        Raises:
            ValueError: a placeholder names an attachment that is not there.
        """
        try:
            return _put_in(data, attachments)
        except RecursionError:
            raise ValueError("nested too deeply") from None


_PLAIN_EVENT = re.compile(rf"{EVENT}(?:(/[A-Za-z0-9_-]*),)?([0-9]{{1,15}})?(?=\[)")


def plain_event(text: str) -> tuple[str, int | None, list[Any]] | None:
    """Take an event apart that is written as stock clients do, and without a packet's object.

    Returns:
        Namespace, ack id and arguments; None for all that needs a closer look (`StrictPacket`).
    """
    head = _PLAIN_EVENT.match(text)
    if head is None or head.end() > NAMESPACE_MAX:
        return None
    namespace, ack_id = head.groups()
    arguments = wirejson.loads(text[head.end() :])
    if type(arguments) is not list or not arguments or type(arguments[0]) is not str:
        return None
    if arguments[0] in RESERVED:
        return None
    return namespace or "/", int(ack_id) if ack_id is not None else None, arguments


def connect_text(namespace: str, known: dict[str, str]) -> str:
    """Write the answer to a CONNECT that is accepted."""
    of_namespace = "" if namespace == "/" else f"{namespace},"
    return f"{CONNECT}{of_namespace}{wirejson.dumps(known)}"


def ack_text(namespace: str, ack_id: int, arguments: list[Any]) -> str:
    """Write an ack.

    Raises:
        TypeError: the arguments are not JSON; there may be bytes in them.
    """
    of_namespace = "" if namespace == "/" else f"{namespace},"
    return f"{ACK}{of_namespace}{ack_id}{wirejson.dumps(arguments)}"


def _put_in(data: Any, attachments: list[bytes]) -> Any:
    if isinstance(data, list):
        return [_put_in(item, attachments) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        return {key: _put_in(value, attachments) for key, value in data.items()}
    number = data.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise ValueError("no such attachment")
    return attachments[number]


def _is_undecodable(data: object, kind: type) -> bool:
    return isinstance(data, Undecodable) and data.kind is kind


def is_reserved(name: object) -> bool:
    """Whether an event has a name that only the library may use."""
    return isinstance(name, str) and name in RESERVED


def _is_event_name(name: object) -> bool:
    return type(name) is int or (isinstance(name, str) and name not in RESERVED)

"""Socket.IO packets of clients, protocol version 5: nothing that the document does not allow."""

from typing import Any

import socketio
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT

from app.realtime import wirejson

MAX_ATTACHMENTS = 16
"""Binary parts of one packet; more are held back by a client that wants to fill memory."""

RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Event names that only the library may use; the Node server refuses them as well."""


class StrictPacket(socketio.packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet whose parts have the types that protocol version 5 gives them."""

    json = wirejson

    def decode(self, encoded_packet: str) -> int:
        """Decode and check; gives the number of attachments to come.

        Raises:
            ValueError: the packet is malformed.
        """
        if not encoded_packet[:1].isascii():
            # Other scripts' digits are no packet types.
            raise ValueError("unknown packet type")
        attachments: int = super().decode(encoded_packet)
        data = self.data
        if self.packet_type in (EVENT, BINARY_EVENT):
            valid = isinstance(data, list) and bool(data) and _is_event_name(data[0])
        elif self.packet_type in (ACK, BINARY_ACK):
            valid = isinstance(data, list) and self.id is not None
        elif self.packet_type == CONNECT:
            valid = data is None or isinstance(data, dict)
        else:
            valid = self.packet_type == DISCONNECT and data is None
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


def _is_event_name(name: object) -> bool:
    return type(name) is int or (isinstance(name, str) and name not in RESERVED)

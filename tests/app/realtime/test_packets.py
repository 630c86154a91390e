"""Engine.IO packets as the protocol document, version 4, writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.realtime.packets import (
    MAX_PACKETS,
    MESSAGE,
    MalformedPacketError,
    Packet,
    decode,
    decode_payload,
)  # fmt: skip


def test_text_is_encoded_for_both_transports() -> None:
    """A message is type 4; over WebSocket it is one text frame."""
    packet = Packet(MESSAGE, "hello")
    assert packet.text == "4hello"
    assert packet.frame == b"\x81\x064hello"


def test_binary_is_encoded_for_both_transports() -> None:
    """Binary is `b` and base64 in a payload, and a bare binary frame; the document's example."""
    packet = Packet(MESSAGE, b"\x01\x02\x03\x04")
    assert packet.text == "bAQIDBA=="
    assert packet.frame == b"\x82\x04\x01\x02\x03\x04"


def test_a_packet_is_encoded_once() -> None:
    """Everybody gets the same bytes."""
    packet = Packet(MESSAGE, "hello")
    assert packet.frame is packet.frame
    assert packet.text is packet.text


def test_the_documents_payloads_are_read() -> None:
    """Packets are joined by U+001E and may be text and binary by turns."""
    assert decode_payload(b"4hello\x1e2\x1e4world") == [("4", "hello"), ("2", ""), ("4", "world")]
    assert decode_payload(b"4hello\x1ebAQIDBA==") == [("4", "hello"), ("4", b"\x01\x02\x03\x04")]
    assert decode_payload("4€".encode()) == [("4", "€")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        b"7",
        b"-1",
        b"4ok\x1e",
        b"\x1e4ok",
        b"4\xff",
        b"b#",
        b"bAQI",
        b"b===",
        b"bAQ==\n",
    ],
)
def test_a_bad_payload_is_refused_whole(body: bytes) -> None:
    """One bad packet spoils the payload."""
    with pytest.raises(MalformedPacketError):
        decode_payload(body)


def test_a_payload_of_half_a_million_packets_is_refused() -> None:
    """The limit is on packets as well as on bytes."""
    assert len(decode_payload(b"\x1e".join([b"4"] * MAX_PACKETS))) == MAX_PACKETS
    with pytest.raises(MalformedPacketError):
        decode_payload(b"\x1e".join([b"4"] * (MAX_PACKETS + 1)))


@given(st.text())
def test_any_text_is_a_packet_or_malformed(text: str) -> None:
    """`decode` gives the first character and the rest, or the one error."""
    try:
        kind, data = decode(text)
    except MalformedPacketError:
        assert text[:1] not in set("0123456")
    else:
        assert kind + data == text


@given(st.binary() | st.text(alphabet="0123456789b\x1eABab=é").map(str.encode))
def test_any_bytes_are_a_payload_or_malformed(body: bytes) -> None:
    """No body makes another error, and none is read by halves."""
    try:
        packets = decode_payload(body)
    except MalformedPacketError:
        return
    assert len(packets) == body.count(b"\x1e") + 1
    assert all(kind in set("0123456") for kind, _ in packets)


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_characters="\x1e", codec="utf-8")) | st.binary(),
        min_size=1,
    )
)
def test_what_is_encoded_is_read_again(messages: list[str | bytes]) -> None:
    """A payload of our packets decodes to their data."""
    body = "\x1e".join(Packet(MESSAGE, message).text for message in messages).encode()
    assert decode_payload(body) == [(MESSAGE, message) for message in messages]

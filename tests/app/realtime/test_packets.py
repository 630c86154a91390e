"""Engine.IO packets as the protocol document, version 4, writes them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.realtime.engineio.packets import (
    MESSAGE,
    MalformedPacketError,
    Packet,
    Payload,
    decode,
)


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


def test_binary_is_text_for_a_client_that_asked_for_it() -> None:
    """It gets `b` and base64 in a text frame; text is the same for all."""
    packet = Packet(MESSAGE, "51-[]", b"\x01\x02\x03\x04")
    assert packet.base64_frame == b"\x81\x06451-[]\x81\x09bAQIDBA=="
    text = Packet(MESSAGE, "hello")
    assert text.base64_frame is text.frame


def test_a_packet_is_encoded_once() -> None:
    """Everybody gets the same bytes."""
    packet = Packet(MESSAGE, "hello")
    assert packet.frame is packet.frame
    assert packet.text is packet.text


def test_the_documents_payloads_are_read() -> None:
    """Packets are joined by U+001E and may be text and binary by turns."""
    assert list(Payload(b"4hello\x1e2\x1e4world")) == [("4", "hello"), ("2", ""), ("4", "world")]
    assert list(Payload(b"4hello\x1ebAQIDBA==")) == [("4", "hello"), ("4", b"\x01\x02\x03\x04")]
    assert list(Payload("4€".encode())) == [("4", "€")]


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
        b"bA",
        b"b===",
        b"bAQ==AQ==",
        "bé".encode(),
    ],
)
def test_a_bad_packet_is_refused(body: bytes) -> None:
    """It has the one error, wherever it stands."""
    with pytest.raises(MalformedPacketError):
        list(Payload(body))


BYTES = bytes(range(48, 88)) + b"\xfb\xff\xfe\xff"
PADDED = base64.b64encode(BYTES).decode()


@pytest.mark.parametrize(
    "text",
    [
        PADDED.rstrip("="),
        PADDED + "\n",
        PADDED[:19] + "\r\n" + PADDED[19:] + "\r\n",
        base64.urlsafe_b64encode(BYTES).decode(),
        base64.urlsafe_b64encode(BYTES).decode().rstrip("="),
        " ".join(PADDED),
        PADDED[:-1],
    ],
)
def test_base64_is_read_as_clients_write_it(text: str) -> None:
    """Without padding, in lines, URL-safe or with spaces, in payloads and over WebSocket."""
    assert list(Payload(f"4before\x1eb{text}\x1e4after".encode())) == [
        ("4", "before"),
        ("4", BYTES),
        ("4", "after"),
    ]
    assert decode("b" + text) == ("4", BYTES)


def test_half_a_million_packets_are_read_one_by_one() -> None:
    """What has been read does not count any more."""
    payload = Payload(b"\x1e".join([b"4"] * 500_000))
    assert next(payload) == ("4", "")
    assert payload.rest_bytes == 999_997
    assert sum(1 for _ in payload) == 499_999
    assert payload.rest_bytes == 0


@given(st.text())
def test_any_text_is_a_packet_or_malformed(text: str) -> None:
    """`decode` gives the first character and the rest, or the one error."""
    try:
        kind, data = decode(text)
    except MalformedPacketError:
        assert text[:1] not in set("0123456")
    else:
        assert isinstance(data, bytes) if text[0] == "b" else kind + str(data) == text


@given(st.binary() | st.text(alphabet="0123456789b\x1eABab=é").map(str.encode))
def test_any_bytes_are_a_payload_or_malformed(body: bytes) -> None:
    """No body makes another error."""
    try:
        packets = list(Payload(body))
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
    assert list(Payload(body)) == [(MESSAGE, message) for message in messages]

"""Socket.IO packets of clients against the protocol document, version 5."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import ACK

from app.realtime.socketio.packets import (
    MAX_ATTACHMENTS,
    NAMESPACE_MAX,
    RESERVED,
    StrictPacket,
    ack_text,
    plain_event,
)
from app.realtime.wirejson import Undecodable


@pytest.mark.parametrize(
    ("encoded", "parts"),
    [
        ("0", (0, None, None, None)),
        ("0/admin,", (0, "/admin", None, None)),
        ('0/admin,{"token":"123"}', (0, "/admin", None, {"token": "123"})),
        ("1/admin,", (1, "/admin", None, None)),
        ('2["foo"]', (2, None, None, ["foo"])),
        ('2/admin,["bar"]', (2, "/admin", None, ["bar"])),
        ('212["foo","a-b"]', (2, None, 12, ["foo", "a-b"])),
        ("3/admin,13[]", (3, "/admin", 13, [])),
        ('2[5,"numbers are names too"]', (2, None, None, [5, "numbers are names too"])),
    ],
)
def test_the_documents_packets_are_read(encoded: str, parts: tuple) -> None:
    """Type, namespace, ack id and payload, each where it is given."""
    packet = StrictPacket(encoded_packet=encoded)
    assert (packet.packet_type, packet.namespace, packet.id, packet.data) == parts


def test_attachments_take_their_places() -> None:
    """The document's binary event: two placeholders, two attachments, in any order."""
    packet = StrictPacket(
        encoded_packet='52-["baz",{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]}]'
    )
    assert packet.attachment_count == 2
    assert packet.add_attachment(b"zero") is False
    assert packet.add_attachment(b"one") is True
    assert packet.data == ["baz", b"one", {"a": [b"zero"]}]


PLACEHOLDER = '51-["x",{"_placeholder":true,"num":%s}]'


@pytest.mark.parametrize(
    "number", ["1", "-1", '"0"', "0.0", "true", "null", "[]", "{}", "1e999", str(2**70)]
)
def test_a_placeholder_of_no_attachment_is_malformed(number: str) -> None:
    """A placeholder's number counts the attachments from 0."""
    with pytest.raises(ValueError):  # noqa: PT011
        StrictPacket(encoded_packet=PLACEHOLDER % number).add_attachment(b"x")


def test_only_a_true_placeholder_is_one() -> None:
    """An object that only looks like a placeholder is data."""
    packet = StrictPacket(encoded_packet='51-["x",{"_placeholder":1,"num":0}]')
    packet.add_attachment(b"x")
    assert packet.data == ["x", {"_placeholder": 1, "num": 0}]


@pytest.mark.parametrize(
    "encoded",
    [
        f'2/{"n" * NAMESPACE_MAX},["x"]', f'0/{"n" * NAMESPACE_MAX},',
        "7", "9", "x", "٣[]", "-1", '2{"not":"a list"}', "2[]", "2", "2[true]", "2[null]",
        '2[{"a":1}]', "2[[]]", '2{"a":NaN}', "2abc[NaN]", '2 ["x",NaN]', "3[NaN]", "0[NaN]",
        '1{"a":NaN}', '4{"a":NaN}', '21-["x",NaN]', "3[]", "31{}", "31",
        "0[]", '0""', "0true", "1[]", '1{"a":1}', "4",
        '51["x"]', '50-["x"]', '5-["x"]', '21-["x"]', "61-[]", "61-[",
        f'5{MAX_ATTACHMENTS + 1}-["x"]', '599999999999-["x"]', '5-1-["x"]',
        "2" + "1" * 101 + '["x"]', "2" + "1" * 101 + '["x",NaN]',
        *(f'2["{name}"]' for name in sorted(RESERVED)),
        *(f'51-["{name}",{{"_placeholder":true,"num":0}}]' for name in sorted(RESERVED)),
    ],
)  # fmt: skip
def test_what_the_document_does_not_allow_is_malformed(encoded: str) -> None:
    """There is one error for all of it, whatever the client made up."""
    with pytest.raises(ValueError):  # noqa: PT011
        StrictPacket(encoded_packet=encoded)


UNREADABLE = [
    '["x"', '["x"]]', '["x",NaN]', '["x",Infinity]', '["x",-Infinity]', '["\\ud800"]',
    '["x","\\udf55\\ud83c"]', '["x",{"\\ud83c":1}]', "[" * 100_000,
    '["x",' + "[" * 100_000 + "]" * 100_000 + "]", '["x",' + "9" * 5000 + "]", "[\n",
]  # fmt: skip


@pytest.mark.parametrize("payload", UNREADABLE, ids=lambda payload: payload[:30])
@pytest.mark.parametrize(
    ("head", "parts"),
    [
        ("2", (2, None, None, 0)),
        ("2/admin,17", (2, "/admin", 17, 0)),
        ("3/admin,17", (3, "/admin", 17, 0)),
        ("52-/admin,17", (5, "/admin", 17, 2)),
        ("61-17", (6, None, 17, 1)),
    ],
)
def test_a_payload_that_cannot_be_read_leaves_the_rest_readable(
    head: str, parts: tuple, payload: str
) -> None:
    """Type, namespace, ack id and number of attachments are known, so it can be answered."""
    packet = StrictPacket(encoded_packet=head + payload)
    assert (packet.packet_type, packet.namespace, packet.id, packet.attachment_count) == parts
    assert isinstance(packet.data, Undecodable)


def test_auth_that_cannot_be_read_leaves_the_namespace_readable() -> None:
    """CONNECT has an object."""
    packet = StrictPacket(encoded_packet='0/admin,{"token":"\\ud83c"}')
    assert packet.namespace == "/admin"
    assert isinstance(packet.data, Undecodable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NEAR = st.tuples(
    st.sampled_from("0123456789"),
    st.sampled_from(["", "1-", "2-", "17-", "-"]),
    st.sampled_from(["", "/", "/a,", "/a?b,", ","]),
    st.sampled_from(["", "0", "7", "²", "9" * 120]),
    JSON.map(json.dumps) | st.just("") | st.just('[1,{"_placeholder":true,"num":0}]'),
).map("".join)


@given(st.text() | NEAR, st.lists(st.binary(), max_size=3))
def test_any_text_is_a_packet_or_malformed(encoded: str, attachments: list[bytes]) -> None:
    """Nothing but ValueError comes of any text and any attachments behind it."""
    try:
        packet = StrictPacket(encoded_packet=encoded)
        for attachment in attachments:
            packet.add_attachment(attachment)
    except ValueError:
        return
    assert 0 <= packet.attachment_count <= MAX_ATTACHMENTS


PLAIN = st.tuples(
    st.sampled_from(["2", "2/chat,", "2/a-b,", "2/,", "2/a?b,", "2" + "/" + "n" * 130 + ","]),
    st.sampled_from(["", "0", "7", "012", "9" * 15, "9" * 16, "²", "1-"]),
    st.lists(JSON).map(json.dumps)
    | st.sampled_from(['["connect"]', '["x",NaN]', "[5]", '["x"] ', '["x"]]', " []", "{}", ""]),
).map("".join)


@given(PLAIN | NEAR)
def test_the_short_way_reads_what_the_long_one_reads(encoded: str) -> None:
    """An event that is read without a packet's object is read as the packet has it."""
    event = plain_event(encoded)
    if event is not None:
        packet = StrictPacket(encoded_packet=encoded)
        assert packet.packet_type == 2
        assert event == (packet.namespace or "/", packet.id, packet.data)


@pytest.mark.parametrize(
    ("encoded", "event"),
    [
        ('2["foo"]', ("/", None, ["foo"])),
        ('2/chat,12["foo",{"a":"b-c"}]', ("/chat", 12, ["foo", {"a": "b-c"}])),
        ('2["connect"]', None),
        ('2/chat,12["foo",NaN]', None),
        ('51-["foo"]', None),
        ("3/chat,12[]", None),
        ("2[1]", None),
    ],
)
def test_stock_clients_events_take_the_short_way(
    encoded: str, event: tuple[str, int | None, list[object]] | None
) -> None:
    """Events as stock clients write them do, and nothing that needs a closer look."""
    assert plain_event(encoded) == event


@given(st.sampled_from(["/", "/chat"]), st.integers(0, 2**60), st.lists(JSON))
def test_an_ack_is_written_as_the_library_writes_it(
    namespace: str, ack_id: int, arguments: list[object]
) -> None:
    """Without a packet's object, but the same text."""
    packet = StrictPacket(ACK, namespace=namespace, id=ack_id, data=arguments)
    assert ack_text(namespace, ack_id, arguments) == packet.encode()


def test_an_ack_with_bytes_is_no_text() -> None:
    """It is the library's packet that has attachments."""
    with pytest.raises(TypeError):
        ack_text("/", 1, [b"bytes"])

"""The server's side of MQTT 3.1.1: strict, bounded, and never surprised."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.frontends.mqtt.codec import (
    MAX_PACKET,
    Connect,
    ConnectCode,
    Decoder,
    Disconnect,
    OtherProtocol,
    Packet,
    PingReq,
    ProtocolViolation,
    PubAck,
    Publish,
    Subscribe,
    Unsubscribe,
    connack,
    puback,
    publish,
    suback,
    unsuback,
)

CONNECT = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03dev"


def decode(data: bytes) -> list[Packet]:
    """Read all packets there are."""
    return list(packets(data))


def packets(*parts: bytes) -> Iterator[Packet]:
    """Read packets from bytes that come in parts."""
    decoder = Decoder()
    for part in parts:
        decoder.feed(part)
        while (packet := decoder.next_packet()) is not None:
            yield packet


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        (CONNECT, Connect(client_id="dev", keep_alive=60, clean_session=True)),
        (
            b"\x10\x16\x00\x04MQTT\x04\xc0\x00\x00\x00\x01d\x00\x03s/r\x00\x02pw",
            Connect(
                client_id="d", keep_alive=0, clean_session=False, user_name="s/r", password=b"pw"
            ),
        ),
        (
            b"\x10\x1c\x00\x04MQTT\x04\xce\x00\x00\x00\x01d\x00\x01w\x00\x01m\x00\x03s/r\x00\x02pw",
            Connect(
                client_id="d", keep_alive=0, clean_session=True, user_name="s/r", password=b"pw"
            ),
        ),
        (b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01d", OtherProtocol(3)),
        (b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01d", OtherProtocol(5)),
        (b"\x30\x05\x00\x01txy", Publish(topic="t", payload=b"xy")),
        (b"\x32\x05\x00\x01t\x00\x07", Publish(topic="t", payload=b"", packet_id=7)),
        (
            b"\x3a\x06\x00\x01t\x00\x07x",
            Publish(topic="t", payload=b"x", packet_id=7, duplicate=True),
        ),
        (b"\x40\x02\x00\x07", PubAck(7)),
        (b"\x82\x0a\x00\x01\x00\x01a\x01\x00\x01b\x02", Subscribe(1, (("a", 1), ("b", 2)))),
        (b"\xa2\x05\x00\x02\x00\x01a", Unsubscribe(2, ("a",))),
        (b"\xc0\x00", PingReq()),
        (b"\xe0\x00", Disconnect()),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, bytes) else "",
)
def test_each_packet_is_read(data: bytes, packet: Packet) -> None:
    """Every packet a client of DPS may send is understood, whole or byte by byte."""
    one_by_one = (data[i : i + 1] for i in range(len(data)))

    assert decode(data) == [packet]
    assert list(packets(*one_by_one)) == [packet]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="http"),
        pytest.param(b"\x00", id="type 0"),
        pytest.param(b"\xf0\x00", id="type 15, of mqtt 5"),
        pytest.param(b"\x50\x02\x00\x01", id="pubrec: no qos 2 here"),
        pytest.param(b"\x20\x02\x00\x00", id="connack: the server's own"),
        pytest.param(b"\x11\x00", id="connect with flags in its header"),
        pytest.param(b"\x80\x06\x00\x01\x00\x01a\x01", id="subscribe without its flag"),
        pytest.param(b"\xc0\x01\x00", id="ping with a body"),
        pytest.param(b"\x30\xff\xff\xff\x7f", id="256 MB announced"),
        pytest.param(b"\xc0\x80\x80\x80\x80\x00", id="length of five digits"),
        pytest.param(b"\x10\x06\x00\x04MQTT", id="connect cut short"),
        pytest.param(b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x3c\x00\x00", id="other protocol"),
        pytest.param(b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", id="reserved flag"),
        pytest.param(b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x3c\x00\x00", id="password only"),
        pytest.param(b"\x10\x0c\x00\x04MQTT\x04\x0a\x00\x3c\x00\x00", id="will qos, no will"),
        pytest.param(
            b"\x10\x12\x00\x04MQTT\x04\x1e\x00\x3c\x00\x00\x00\x01w\x00\x01m", id="will qos 3"
        ),
        pytest.param(CONNECT[:1] + b"\x10" + CONNECT[2:] + b"x", id="bytes after the client id"),
        pytest.param(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\xff", id="not utf-8"),
        pytest.param(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\x00", id="null character"),
        pytest.param(b"\x34\x05\x00\x01t\x00\x07", id="publish at qos 2"),
        pytest.param(b"\x36\x05\x00\x01t\x00\x07", id="publish at qos 3"),
        pytest.param(b"\x38\x03\x00\x01t", id="duplicate at qos 0"),
        pytest.param(b"\x32\x05\x00\x01t\x00\x00", id="packet id 0"),
        pytest.param(b"\x30\x03\x00\x01#", id="publish to a filter"),
        pytest.param(b"\x30\x02\x00\x00", id="publish to nothing"),
        pytest.param(b"\x82\x02\x00\x01", id="no filter"),
        pytest.param(b"\x82\x06\x00\x01\x00\x01a\x03", id="subscribe at qos 3"),
        pytest.param(b"\x82\x05\x00\x01\x00\x00\x01", id="empty filter"),
        pytest.param(b"\xa2\x02\x00\x01", id="unsubscribe from nothing"),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes) -> None:
    """Each of these ends the connection, as soon as it can be known."""
    with pytest.raises(ProtocolViolation):
        decode(data)


def test_the_length_is_bounded() -> None:
    """The largest packet is taken, one byte more is refused before it is held."""
    length = MAX_PACKET
    digits = bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
    head = b"\x30" + digits + b"\x00\x01t"
    largest = head + bytes(length - 3)
    too_large = b"\x30" + bytes((digits[0] + 1, *digits[1:]))

    assert decode(largest) == [Publish(topic="t", payload=bytes(length - 3))]
    with pytest.raises(ProtocolViolation, match="over"):
        decode(too_large)


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_give_packets_or_a_violation(parts: list[bytes]) -> None:
    """No bytes make the decoder fail in any other way."""
    try:
        assert all(packets(*parts))
    except ProtocolViolation:
        return


@given(st.data())
def test_any_bytes_that_differ_little_from_packets_give_packets_or_a_violation(
    data: st.DataObject,
) -> None:
    """Nor do real packets with a few bytes changed."""
    raw = bytearray(CONNECT + b"\x82\x06\x00\x01\x00\x01a\x01\x32\x06\x00\x01t\x00\x07x\xe0\x00")
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[at] = data.draw(st.integers(0, 255))

    try:
        decode(bytes(raw))
    except ProtocolViolation:
        return


@given(st.binary(max_size=40), st.integers(1, 0xFFFF), st.data())
def test_how_the_bytes_are_cut_does_not_matter(
    payload: bytes, packet_id: int, data: st.DataObject
) -> None:
    """The same packets come out, whatever the sizes of the parts."""
    raw = CONNECT + publish("t", payload, packet_id=packet_id) + b"\xc0\x00"
    cut = data.draw(st.integers(0, len(raw)))

    assert list(packets(raw[:cut], raw[cut:])) == decode(raw)


@pytest.mark.parametrize(
    ("packet", "data"),
    [
        (connack(ConnectCode.ACCEPTED), b"\x20\x02\x00\x00"),
        (connack(ConnectCode.NOT_AUTHORIZED), b"\x20\x02\x00\x05"),
        (puback(258), b"\x40\x02\x01\x02"),
        (suback(1, (1, 0x80)), b"\x90\x04\x00\x01\x01\x80"),
        (unsuback(1), b"\xb0\x02\x00\x01"),
        (publish("t", b"x", packet_id=None), b"\x30\x04\x00\x01tx"),
        (publish("t", b"x", packet_id=9), b"\x32\x06\x00\x01t\x00\x09x"),
        (publish("t", bytes(125), packet_id=None)[:3], b"\x30\x80\x01"),
        (publish("t", bytes(16381), packet_id=None)[:4], b"\x30\x80\x80\x01"),
    ],
)
def test_answers_are_written_as_the_standard_says(packet: bytes, data: bytes) -> None:
    """Byte by byte."""
    assert packet == data

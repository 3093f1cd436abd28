"""MQTT packets read from bytes: framing, limits, and what no server may send."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.mqtt_bytes import CONNACK, packet, text

from aiodps.errors import ConnectionLostError, ProtocolError, ResponseTooLargeError
from aiodps.protocol.limits import MAX_PACKET, MAX_TOPIC_BYTES
from aiodps.protocol.mqtt_packets import (
    DISCONNECT,
    Connack,
    Connect,
    Disconnect,
    Inbound,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    connect_packet,
    puback_packet,
    publish_packet,
    read_packet,
    subscribe_packet,
)


def greeted() -> Inbound:
    """Give an `Inbound` that has seen its CONNACK."""
    inbound = Inbound()
    assert list(inbound.packets(CONNACK)) == [CONNACK]
    return inbound


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (
            packet(0x10, b"\0\4MQTT\4\x82\0\x3c" + text("dev1") + text("s/registrations/dev1/")),
            Connect("dev1", "s/registrations/dev1/", False, 60, True),
        ),
        (packet(0x10, b"\0\4MQTT\4\x40\0\0" + text("")), Connect("", None, True, 0, False)),
        (CONNACK, Connack(False, 0)),
        (bytes.fromhex("20020105"), Connack(True, 5)),
        (packet(0x30, text("a/b") + b"hi"), Publish("a/b", b"hi", 0, False, False, 0)),
        (packet(0x3B, text("a") + b"\1\2"), Publish("a", b"", 1, True, True, 258)),
        (bytes.fromhex("40020007"), Puback(7)),
        (packet(0x82, b"\0\1" + text("a/#") + b"\1"), Subscribe(1, "a/#", 1)),
        (bytes.fromhex("9003000180"), Suback(1, 0x80)),
        (bytes.fromhex("c000"), Pingreq()),
        (bytes.fromhex("d000"), Pingresp()),
        (bytes.fromhex("e000"), Disconnect()),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, bytes) else "",
)
def test_packets(data: bytes, content: Packet) -> None:
    """Each packet of a session is read."""
    assert read_packet(data) == content


def test_payload_is_not_in_repr() -> None:
    """What a message says is not shown by accident."""
    assert "secret" not in repr(read_packet(packet(0x30, text("a") + b"secret")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(packet(0x36, text("a") + b"\0\1"), "publish", id="M21-qos-3"),
        pytest.param(packet(0x34, text("a") + b"\0\1"), "publish", id="qos-2"),
        pytest.param(packet(0x32, text("a") + b"\0\0"), "publish", id="packet-id-0"),
        pytest.param(packet(0x32, text("a") + b"\1"), "publish", id="packet-id-cut"),
        pytest.param(packet(0x30, text("")), "publish", id="M21-empty-topic"),
        pytest.param(packet(0x30, text("a/+")), "publish", id="M21-wildcard"),
        pytest.param(packet(0x30, text("a/#")), "publish", id="M21-wildcard-hash"),
        pytest.param(packet(0x30, b"\0\5abc"), "topic", id="M19"),
        pytest.param(packet(0x30, b"\0"), "topic", id="M19-no-length"),
        pytest.param(packet(0x30, text(b"a\xff")), "topic", id="M20"),
        pytest.param(packet(0x30, text("a\0b")), "topic", id="nul"),
        pytest.param(bytes.fromhex("20020200"), "connack", id="M10-flags"),
    ],
)
def test_broken_packets(data: bytes, reason: str) -> None:
    """A packet that breaks the standard is refused by name."""
    with pytest.raises(ProtocolError) as caught:
        read_packet(data)

    assert caught.value.reason == reason


def test_topic_limit() -> None:
    """M36: a topic up to the limit is read, one byte more is not."""
    assert isinstance(read_packet(packet(0x30, text("a" * MAX_TOPIC_BYTES))), Publish)

    with pytest.raises(ResponseTooLargeError) as caught:
        read_packet(packet(0x30, text("a" * (MAX_TOPIC_BYTES + 1))))

    assert caught.value.reason == "topic"


@given(st.data())
def test_any_cut(data: st.DataObject) -> None:
    """However the bytes are cut, the packets are the same."""
    packets = [CONNACK, packet(0x30, text("a") + b"x" * 300), bytes.fromhex("d000")]
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    inbound = Inbound()
    seen: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen += inbound.packets(stream[start:end])
        complete = sum(end >= size for size in itertools.accumulate(map(len, packets)))
        assert len(seen) == complete

    assert seen == packets


def test_the_end() -> None:
    """The end is told, and whether it is in the middle of a packet."""
    whole, cut = greeted(), greeted()
    assert not list(cut.packets(b"\x30"))
    for inbound, where in ((whole, ""), (cut, " in the middle of a packet")):
        with pytest.raises(ConnectionLostError) as caught:
            list(inbound.packets(b""))

        assert caught.value.message == f"the service closed the connection{where}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("90", "connack", id="M10-first-is-suback"),
        pytest.param("48", "connack", id="M10-first-is-http"),
        pytest.param("21", "connack", id="M10-flags"),
        pytest.param("2003", "connack", id="M10-length"),
        pytest.param("20020000 20", "connack", id="M11"),
        pytest.param("20020000 308080808001", "length", id="M14"),
        pytest.param("20020000 3080808080", "length", id="M14-not-a-byte-more"),
        pytest.param("20020000 e000", "direction", id="M37-disconnect"),
        pytest.param("20020000 c000", "direction", id="M37-pingreq"),
        pytest.param("20020000 82", "direction", id="subscribe"),
        pytest.param("20020000 10", "direction", id="connect"),
        pytest.param("20020000 00", "packet", id="type-0"),
        pytest.param("20020000 f0", "packet", id="type-15"),
        pytest.param("20020000 5002", "packet", id="pubrec"),
        pytest.param("20020000 41", "packet", id="puback-flags"),
        pytest.param("20020000 4003", "puback", id="puback-length"),
        pytest.param("20020000 9004", "suback", id="two-codes-for-one-filter"),
        pytest.param("20020000 d001", "pingresp", id="pingresp-length"),
    ],
)
def test_forbidden_bytes(data: str, reason: str) -> None:
    """What no server may send is refused at its first bytes, before it is complete."""
    with pytest.raises(ProtocolError) as caught:
        list(Inbound().packets(bytes.fromhex(data)))

    assert caught.value.reason == reason


def test_largest_packet() -> None:
    """A packet of the limit passes, header and all."""
    whole = packet(0x30, text("a") + bytes(MAX_PACKET - 4 - 3))

    assert len(whole) == MAX_PACKET
    assert list(greeted().packets(whole)) == [whole]


def test_too_large_packet() -> None:
    """M18: a packet over the limit is refused by its header; none of it is held."""
    with pytest.raises(ResponseTooLargeError) as caught:
        list(greeted().packets(packet(0x30, bytes(MAX_PACKET))[:5]))

    assert caught.value.reason == "packet"


@given(st.binary(min_size=1, max_size=600), st.booleans())
def test_reader_is_total(data: bytes, after_connack: bool) -> None:
    """Whatever a server sends is read or refused by name."""
    inbound = greeted() if after_connack else Inbound()
    try:
        for whole in inbound.packets(data):
            assert isinstance(read_packet(whole), Connack | Publish | Puback | Suback | Pingresp)
    except ProtocolError as error:
        assert error.reason  # noqa: PT017 (the rule is about all of them)


@given(
    topic=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0#+"), min_size=1),
    payload=st.binary(max_size=500),
    packet_id=st.integers(0, 65535),
)
def test_publish_round_trip(topic: str, payload: bytes, packet_id: int) -> None:
    """What is written is read again."""
    qos = 1 if packet_id else 0
    number = packet_id.to_bytes(2, "big") if qos else b""
    whole = packet(0x30 | qos << 1, text(topic) + number + payload)

    assert read_packet(whole) == Publish(topic, payload, qos, False, False, packet_id)


@pytest.mark.parametrize("password", [None, "SAS"])
def test_connect_is_written(password: str | None) -> None:
    """With a password or without, for a clean session."""
    whole = connect_packet(client_id="d", user_name="u", password=password, keep_alive=258)

    assert read_packet(whole) == Connect("d", "u", password is not None, 258, True)
    assert whole[2:9] == b"\0\4MQTT\4"
    assert whole.endswith(text(password or "u"))


def test_small_packets_are_written() -> None:
    """What is written is read again."""
    assert read_packet(subscribe_packet(258, "a/#")) == Subscribe(258, "a/#", 1)
    assert puback_packet(258) == bytes.fromhex("40020102")
    assert bytes.fromhex("e000") == DISCONNECT


@pytest.mark.parametrize("size", [0, 120, 121, 122, 16_377, 16_378, 2_100_000])
def test_publish_is_written(size: int) -> None:
    """Whatever its size, whose length takes one to four bytes."""
    assert publish_packet(1, "a/b", bytes(size)) == packet(
        0x32, text("a/b") + b"\0\1" + bytes(size)
    )

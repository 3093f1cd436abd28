"""What is said in a session of MQTT, without a socket; the same, whoever writes the packets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP, puback, publish, suback

from aiodps.errors import ConnectionLostError, ProtocolError
from aiodps.observe import Reporter, Step, StepKind
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES
from aiodps.protocol.messages import QueryStatus, Register, Response
from aiodps.protocol.mqtt_packets import Connack, Connect, Publish, Subscribe, read_packet
from aiodps.transports.conversation import Conversation
from aiodps.transports.native_writer import NativeWriter

RES = "$dps/registrations/res/"


def conversation(steps: list[Step] | None = None) -> Conversation:
    """Begin a conversation, in packets of our own."""
    writer = NativeWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
    report = Reporter("dev1", "mqtt", None if steps is None else steps.append)
    return Conversation(writer, registration_id="dev1", report=report)


def said(talk: Conversation) -> list[Any]:
    """Take out what is to be sent."""
    packets, talk.outgoing = talk.outgoing, []
    return [read_packet(packet) for packet in packets]


def answer(talk: Conversation) -> object:
    """Return what has been answered."""
    return talk.answer


def in_pieces(data: st.DataObject, stream: bytes) -> list[bytes]:
    """Cut bytes anywhere."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@settings(max_examples=25)
@given(st.data())
def test_a_conversation_however_its_bytes_are_cut(data: st.DataObject) -> None:
    """Its answers are the same, and nothing of the next one is taken for the last one's."""
    talk = conversation()
    talk.connect()
    (connect,) = said(talk)
    assert isinstance(connect, Connect)
    for piece in in_pieces(data, CONNACK):
        assert answer(talk) is None
        talk.receive(piece)

    assert answer(talk) == Connack(session_present=False, code=0)
    talk.subscribe()
    (subscribe,) = said(talk)
    assert isinstance(subscribe, Subscribe)
    talk.receive(suback(subscribe.packet_id.to_bytes(2, "big")))
    assert answer(talk) is not None

    talk.request(Register())
    (register,) = said(talk)
    assert isinstance(register, Publish)
    rid = register.topic.partition("$rid=")[2]
    response = publish(f"{RES}202/?$rid={rid}&retry-after=3", b"{}")
    for piece in in_pieces(data, puback(register.packet_id.to_bytes(2, "big")) + response):
        assert answer(talk) is None
        talk.receive(piece)

    assert answer(talk) == Response(status_code=202, body=b"{}", retry_after=3.0)


def test_an_acknowledgement_goes_with_the_next_request() -> None:
    """It is one write, and one record."""
    talk = conversation()
    talk.receive(CONNACK + publish("x"))
    talk.request(Register())

    assert [type(packet).__name__ for packet in said(talk)] == ["Puback", "Publish"]


def test_the_same_response_once_more() -> None:
    """It is acknowledged, and not taken for the answer to what is asked next."""
    steps: list[Step] = []
    talk = conversation(steps)
    talk.receive(CONNACK)
    talk.request(Register())
    rid = said(talk)[0].topic.partition("$rid=")[2]
    response = publish(f"{RES}202/?$rid={rid}")
    talk.receive(response)
    talk.request(QueryStatus("op"))
    talk.receive(response)

    assert answer(talk) is None
    assert [step.kind for step in steps].count(StepKind.IGNORED) == 1
    assert [type(packet).__name__ for packet in said(talk)] == ["Puback", "Publish", "Puback"]


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        pytest.param(publish("x"), "not a response topic", id="topic"),
        pytest.param(publish(f"{RES}200/?$rid=x", flags=1), "retained", id="retained"),
        pytest.param(publish(f"{RES}200/?$rid=x"), "no such request", id="rid"),
        pytest.param(puback(b"\0\1"), "PUBACK without a message", id="puback"),
        pytest.param(PINGRESP, "PINGRESP without a ping", id="pingresp"),
    ],
)
def test_what_nobody_asked_for(packet: bytes, why: str) -> None:
    """It is ignored and reported, until it is too much."""
    steps: list[Step] = []
    talk = conversation(steps)
    talk.receive(CONNACK + packet * MAX_IGNORED_MESSAGES)
    with pytest.raises(ConnectionLostError, match="unrelated packets"):
        talk.receive(packet)

    assert {step.kind for step in steps} == {StepKind.RECEIVED, StepKind.IGNORED}
    assert why in steps[-1].text


def test_a_second_suback() -> None:
    """Only the acknowledgement of an open subscription is an answer."""
    talk = conversation()
    talk.receive(CONNACK)
    talk.subscribe()
    acknowledgement = suback(said(talk)[0].packet_id.to_bytes(2, "big"))
    with pytest.raises(ProtocolError, match="without a subscription"):
        talk.receive(acknowledgement * 2)

"""What parent and worker say to each other arrives as it was said, and is nothing but data."""

from __future__ import annotations

import os
import pickle
from http import HTTPStatus

import pytest
from aiodps.emulator.workers.frames import (
    Answer,
    AskDevice,
    AskManagement,
    AskMeeting,
    AskRefusal,
    Decoder,
    End,
    Enter,
    Frame,
    Leave,
    Met,
    Noted,
    Ready,
    Setup,
    encode,
)
from tests.emulated import device

from aiodps.emulator.faults.effects import Point
from aiodps.emulator.messages import (
    Delivery,
    Drip,
    Ending,
    Identity,
    ManagementRequest,
    ManagementResponse,
    Operation,
    Request,
    Response,
)
from aiodps.emulator.request_log import Exchange
from aiodps.emulator.strict_rules import StrictRule

CHAIN = (device().certificate, *device().intermediates)
REQUEST = Request(
    operation=Operation.REGISTER,
    id_scope="s",
    registration_id="device-1",
    api_version=None,
    body=b"{}",
    deviations=(StrictRule.TOPIC,),
)
DELIVERY = Delivery(ending=Ending.RESET, drip=Drip(size=1, every=0.5), headers={"A": "b"})
FRAMES: list[Frame] = [
    Setup(
        host="h",
        https_port=1,
        mqtt_port=2,
        certificate_pem=b"c",
        private_key_pem=b"k",
        log_level=20,
    ),
    Ready(),
    AskDevice(number=1, request=REQUEST, identity=Identity(CHAIN, "SAS"), transport="mqtt"),
    AskManagement(
        number=2, request=ManagementRequest(method="GET", path="/", query={}, headers={"a": "b"})
    ),
    AskMeeting(
        number=3,
        point=Point.CONNECT,
        registration_id="device-1",
        transport="mqtt",
        certificates=CHAIN,
    ),
    AskRefusal(
        number=4, status_code=404, reason="r", what="w", transport="https", certificates=CHAIN
    ),
    Answer(number=1, answer=Response(status_code=202, body={"a": 1}, delivery=DELIVERY)),
    Answer(number=2, answer=ManagementResponse(status_code=200, body=[{"a": None}])),
    Answer(number=3, answer=Met(DELIVERY)),
    Answer(number=4, answer=None),
    Enter(session=5, client="s/device-1"),
    Leave(session=5),
    End(session=5),
    Noted(exchange=Exchange(transport="mqtt", what="handshake", status_code=0, took=0.0)),
]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_frames_arrive_as_they_were_sent(size: int) -> None:
    """In order, however they are cut."""
    data = b"".join(map(encode, FRAMES))
    decoder = Decoder()
    arrived = [
        frame
        for begin in range(0, len(data), size)
        for frame in decoder.feed(data[begin : begin + size])
    ]

    assert arrived == FRAMES


def test_a_number_with_a_name_arrives_as_the_number() -> None:
    """Status codes are written as both by those who answer."""
    frame = Answer(number=1, answer=Response(status_code=HTTPStatus.NOT_FOUND, body={}))
    (arrived,) = Decoder().feed(encode(frame))

    assert isinstance(arrived, Answer)
    assert isinstance(arrived.answer, Response)
    assert type(arrived.answer.status_code) is int


def test_the_key_is_in_no_text() -> None:
    """Of the frame that carries it."""
    assert "private_key_pem" not in repr(FRAMES[0])


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(os.system),
        pickle.dumps(eval),
        pickle.dumps(pickle.loads),
        b"\x80\x04caiodps.emulator.workers.frames\nencode\n.",
        b"\x80\x04caiodps.emulator.workers.frames\nlogging.FileHandler\n.",
        b"\x80\x04caiodps.emulator.workers.frames\nCredential\n.",
        b"\x80\x04caiodps.emulator.state.sqlite\nSqliteStore\n.",
        b"\x80\x04cbuiltins\neval\n.",
        b"\x80\x04caiodps.emulator.workers.frames\nCredential.from_pem\n.",
    ],
)
def test_a_frame_calls_nothing(data: bytes) -> None:
    """Whatever it names; only types of frames are made from it."""
    with pytest.raises(pickle.UnpicklingError, match="no part of a frame"):
        list(Decoder().feed(len(data).to_bytes(4) + data))

"""MQTT over WebSocket: what real clients do works, and what nobody should do ends with a reason."""

from __future__ import annotations

import json
from itertools import chain, repeat

import anyio
import pytest
from tests.emulated import device, running
from tests.emulator.in_memory import Emulated
from tests.protocol.mqtt_bytes import packet, text
from tests.scripted_client import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    HEADERS,
    PING,
    PONG,
    REGISTER,
    TEXT,
    WEBSOCKET_PATH,
    HttpClient,
    WebSocketClient,
    client_context,
    connect,
    frame,
    http,
    mqtt,
    mqtt_connect,
    mqtt_over,
    mqtt_publish,
    mqtt_subscribe,
    opened,
    opening,
    without,
)
from tests.virtual_time import virtual_time

from aiodps.emulator.frontends.http.websocket import MAX_FRAMES, MAX_MESSAGE
from aiodps.emulator.frontends.mqtt import session as mqtt_frontend
from aiodps.emulator.request_log.log import Exchange

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
CONNACK = b"\x20\x02\0\0"
PINGREQ, PINGRESP = b"\xc0\0", b"\xd0\0"
FORGET = packet(0xA2, b"\0\1" + text("t" * 16_000))
"""An UNSUBSCRIBE, so long that a message holds only a few."""
FORGOTTEN = b"\xb0\x02\0\1"


@pytest.mark.parametrize(
    "path",
    [WEBSOCKET_PATH, "/", "/%24iothub/websocket", f"{WEBSOCKET_PATH}?iothub-no-client-cert=true"],
)
@pytest.mark.parametrize("subprotocol", ["mqtt", "MQTT"])
async def test_it_opens_where_the_sdks_ask_for_it(path: str, subprotocol: str) -> None:
    """The subprotocol comes back as it was spelled, and nothing is compressed."""
    offer = (
        f"Sec-WebSocket-Protocol: AMQPWSB10, {subprotocol}",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    )
    async with running() as dps, await connect(dps.https_port, client_context(dps)) as stream:
        await stream.send(opening(path, without("sec-websocket-protocol", plus=offer)))
        status, *lines = (await WebSocketClient(stream).head()).split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ") for line in lines)}

        assert status.startswith("HTTP/1.1 101 ")
        assert headers["sec-websocket-accept"] == ACCEPT
        assert headers["sec-websocket-protocol"] == subprotocol
        assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param(
            WEBSOCKET_PATH,
            without("sec-websocket-protocol", plus=["Sec-WebSocket-Protocol: AMQPWSB10"]),
            400,
            id="amqp",
        ),
        pytest.param(WEBSOCKET_PATH, without("sec-websocket-protocol"), 400, id="no subprotocol"),
        pytest.param("/websocket", HEADERS, 404, id="another path"),
        pytest.param(WEBSOCKET_PATH, without("sec-websocket-key"), 400, id="no key"),
        pytest.param(WEBSOCKET_PATH, without("sec-websocket-version"), 400, id="no version"),
        pytest.param(WEBSOCKET_PATH, without("connection"), 400, id="no connection header"),
        pytest.param(
            WEBSOCKET_PATH, without("host", plus=["Host: \xe9\xff"]), 400, id="a strange host"
        ),
        pytest.param(
            WEBSOCKET_PATH, (*HEADERS, "Sec-WebSocket-Extensions: \xe9"), 400, id="no ascii"
        ),
    ],
)
async def test_what_is_not_opened_is_an_http_error(
    path: str, headers: tuple[str, ...], status: int
) -> None:
    """AMQP clients wait for minutes after a yes; everybody understands a no."""
    async with running() as dps, await connect(dps.https_port, client_context(dps)) as stream:
        await stream.send(opening(path, headers))
        answer = await HttpClient(stream).answer()

        assert answer.status == status
        assert answer.body["message"]
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_another_upgrade_is_plain_http() -> None:
    """Nor is a POST a beginning of a WebSocket."""
    async with running() as dps, http(dps) as client:
        first = await client.ask("GET", "/x", headers=["Connection: Upgrade", "Upgrade: h2c"])
        second = await client.ask("POST", WEBSOCKET_PATH, headers=HEADERS[1:])

        assert [first.status, second.status] == [404, 404]


def _whole(packet: bytes) -> bytes:
    return frame(BINARY, packet)


def _a_message_a_byte(packet: bytes) -> bytes:
    """As Node does, or worse."""
    return b"".join(frame(BINARY, packet[at : at + 1]) for at in range(len(packet)))


def _a_frame_a_byte(packet: bytes) -> bytes:
    """One message, with pings in between."""
    middle = b"".join(
        frame(CONTINUATION, packet[at : at + 1], end=False) + frame(PONG)
        for at in range(1, len(packet))
    )
    return frame(BINARY, packet[:1], end=False) + middle + frame(CONTINUATION)


@pytest.mark.parametrize("cut", [_whole, _a_message_a_byte, _a_frame_a_byte])
async def test_a_device_is_provisioned_however_packets_are_cut(cut: object) -> None:
    """Payloads are one stream of bytes."""
    assert callable(cut)
    async with running() as dps, opened(dps, device()) as client:
        session = mqtt_over(client)
        for sent in (mqtt_connect(), mqtt_subscribe(), mqtt_publish(REGISTER)):
            await client.stream.send(cut(sent))

        kinds = [(await session.take())[0] for _ in range(3)]
        topic, accepted = await session.message()
        assert kinds == [0x20, 0x90, 0x40]
        assert topic.startswith("$dps/registrations/res/202/?$rid=1")

        ask = f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={accepted['operationId']}"
        await client.stream.send(cut(mqtt_publish(ask, b" ")))
        await session.take()
        _, final = await session.message()
        assert final["registrationState"]["assignedHub"] == dps.hub


async def test_many_packets_in_a_frame_that_comes_with_the_opening() -> None:
    """A client need not wait for the 101."""
    early = frame(BINARY, mqtt_connect() + PINGREQ + PINGREQ)
    async with running() as dps, opened(dps, early=early) as client:
        assert [await client.receive() for _ in range(3)] == [CONNACK, PINGRESP, PINGRESP]


async def test_a_ping_is_answered_and_a_close_too() -> None:
    """With the ping's payload, and then nothing more is said."""
    async with running() as dps, opened(dps) as client:
        await client.stream.send(frame(PING, b"here?") + frame(PONG, b"unasked"))
        assert await client.frame() == (PONG, b"here?")

        await client.stream.send(frame(CLOSE, (1000).to_bytes(2)))
        assert await client.frame() == (CLOSE, (1000).to_bytes(2))
        assert await client.ended()


async def test_a_goodbye_of_mqtt_is_one_of_websocket() -> None:
    """The server closes after DISCONNECT, and after a refused CONNECT."""
    async with running() as dps:
        for sent, answers in (
            ((mqtt_connect(), b"\xe0\0"), [CONNACK]),
            ((mqtt_connect(client_id="other"),), [b"\x20\x02\0\x05"]),
            ((PINGREQ,), []),
        ):
            async with opened(dps, early=frame(BINARY, b"".join(sent))) as client:
                assert [await client.receive() for _ in answers] == answers
                assert await client.frame() == (CLOSE, (1000).to_bytes(2))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(TEXT, b"hello"), 1003, id="text"),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="text that is none"),
        pytest.param(frame(BINARY, b"x", masked=False), 1002, id="unmasked"),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="continued from nothing"),
        pytest.param(frame(BINARY, PINGREQ, end=False) + frame(BINARY), 1002, id="two at once"),
        pytest.param(frame(0x40 | BINARY, b"x"), 1002, id="compressed"),
        pytest.param(frame(3), 1002, id="an opcode that is none"),
        pytest.param(frame(PING, b"x", end=False), 1002, id="a split ping"),
        pytest.param(frame(PING, bytes(126)), 1002, id="a long ping"),
        pytest.param(b"\x82\xff\x80" + bytes(7), 1002, id="a length over 63 bits"),
        pytest.param(
            frame(BINARY, end=False) + frame(CONTINUATION, end=False) * MAX_FRAMES,
            1009,
            id="frames without end",
        ),
        pytest.param(
            frame(BINARY, FORGET * (MAX_MESSAGE // len(FORGET)), end=False)
            + frame(CONTINUATION, FORGET),
            1009,
            id="a long message",
        ),
    ],
)
async def test_broken_frames_are_told_why(sent: bytes, code: int) -> None:
    """With a close frame and its code; the journal has the reason."""
    seen: list[Exchange] = []
    async with running(on_exchange=seen.append) as dps, opened(dps) as client:
        await client.stream.send(frame(BINARY, mqtt_connect()))
        assert await client.receive() == CONNACK

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.stream.send, sent)
            while (answer := await client.frame())[0] == BINARY:
                assert answer[1] in {PINGRESP, FORGOTTEN}

        assert (answer[0], int.from_bytes(answer[1][:2])) == (CLOSE, code)
        assert await client.ended()
        assert (seen[-1].transport, seen[-1].status_code, seen[-1].message) == (
            "mqtt-ws",
            400,
            answer[1][2:].decode(),
        )


@virtual_time
async def test_empty_frames_are_no_sign_of_life() -> None:
    """Nor are pings: it is packets of MQTT that count."""
    began = anyio.current_time()
    pieces = chain([opening()], repeat(frame(BINARY) + frame(PONG)))
    slow = await Emulated().meet("http", pieces, every=1)

    assert [answer[:13] for answer in slow.sent] == [b"HTTP/1.1 101 "]
    assert anyio.current_time() - began == pytest.approx(1 + mqtt_frontend.CONNECT_SECONDS, abs=3)


async def test_tcp_and_websocket_have_one_table_of_sessions() -> None:
    """A client that comes back on another way takes its own place."""
    async with running() as dps, mqtt(dps, device(), mqtt_connect()) as first:
        await first.take()
        async with opened(dps, device()) as second:
            await second.send(mqtt_connect())
            assert await second.receive() == CONNACK
            assert await first.ended()

            async with mqtt(dps, device(), mqtt_connect()) as third:
                await third.take()
                assert await second.ended()


async def test_the_journal_names_the_way() -> None:
    """And counts the register as any other."""
    seen: list[Exchange] = []
    async with running(on_exchange=seen.append) as dps, opened(dps, device()) as client:
        await client.send(mqtt_connect() + mqtt_publish(REGISTER, json.dumps({}).encode()))
        await client.receive()
        await client.receive()

        assert (seen[0].transport, seen[0].status_code) == ("mqtt-ws", 202)
        assert dps.counts.register_requests["device-1"] == 1

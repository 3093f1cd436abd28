"""What the MQTT transport leaves behind, however it ends: nothing."""

from __future__ import annotations

import threading

import anyio
import pytest
from tests.protocol.mqtt_bytes import publish
from tests.scripted.mqtt import Line, MqttServer, assigning, narrow, open_to, reset
from tests.scripted.server import LIMIT, steps
from tests.transports.conformance import EACH_SESSION
from tests.transports.traces import traces

from aiodps.errors import (
    ConnectionLostError,
    MalformedResponseError,
)
from aiodps.observe import Step
from aiodps.protocol.messages import Register
from aiodps.transports.mqtt import MqttTransport

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.usefixtures("session"),
    EACH_SESSION,
]


async def test_close_at_any_time() -> None:
    """Closing is polite, may come twice, before connecting, and while somebody waits."""
    asked = anyio.Event()

    def observe(step: Step) -> None:
        if step.text.startswith("PUBACK"):
            asked.set()

    def script(line: Line) -> None:
        line.accept()
        line.request()
        assert line.rest()[-1] == 0xE0

    with MqttServer(script) as peer:
        async with open_to(peer, observe) as transport:
            transport.close()
            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

            await transport.connect()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close_when, asked, transport)
                with pytest.raises(ConnectionLostError):
                    await transport.exchange(Register())

            transport.close()


async def close_when(asked: anyio.Event, transport: MqttTransport) -> None:
    """Close the transport while another task waits in it."""
    await asked.wait()
    transport.close()


async def test_cancelled_in_the_middle_of_a_packet() -> None:
    """A request that the peer does not read can be cancelled like any other."""
    done = threading.Event()
    before = traces()
    with MqttServer(steps(Line.accept, lambda _: done.wait(LIMIT))) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            narrow(transport)
            with anyio.move_on_after(0.1) as limit:
                while True:
                    await transport.exchange(Register({"x": "y" * 1_000_000}))

        done.set()

    assert limit.cancelled_caught
    assert traces() == before


unreadable = steps(
    Line.accept, Line.request, publish("$dps/registrations/res/200/?$rid"), Line.drain
)
"""Answer on a topic that cannot be read."""


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What paho and aiomqtt have to say reaches nobody's log, at any level."""
    caplog.set_level(0)
    with MqttServer(reset, unreadable, assigning) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(ConnectionLostError):
                await transport.connect()

            await transport.connect()
            with pytest.raises(MalformedResponseError):
                await transport.exchange(Register())

            await transport.connect()

    assert {record.name for record in caplog.records} <= {"asyncio", "aiodps.registration"}

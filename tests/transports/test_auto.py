"""The race of `auto`: who wins, who may speak, and that nothing of the others is left."""

from __future__ import annotations

import dataclasses

import anyio
import pytest
from tests.scripted import mqtt
from tests.scripted.server import Line, silent, steps, target
from tests.software_tpms import software_tpm
from tests.transports.conformance import NOBODY
from tests.transports.ways import (
    ANSWERS,
    CLOSES,
    REST_ANSWERS,
    Ways,
    wall,
)

from aiodps.attestation.credentials import Credentials
from aiodps.attestation.tpm import Tpm
from aiodps.errors import (
    ConfigurationError,
    ConnectionLostError,
)
from aiodps.observe import StepKind
from aiodps.protocol.messages import Register
from aiodps.transports import race
from aiodps.transports.auto import Auto, AutoTransport
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST, RestTransport

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
def anyio_backend() -> str:
    """The session of aiomqtt runs on asyncio only."""
    return "asyncio"


async def test_an_open_network() -> None:
    """The first wins, and nothing else is connected to."""
    with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        async with ways.racing() as transport:
            await transport.connect()
            assert (await transport.exchange(Register())).status_code == 202

        assert ways.reached == ["mqtt"]

    chosen = ways.told(StepKind.TRANSPORT_CHOSEN)
    assert [(step.text, step.transport) for step in chosen] == [("mqtt", "mqtt")]
    assert {step.transport for step in ways.steps} == {"mqtt"}


async def test_a_wall_costs_the_stagger(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is swallowed is overtaken by the next, and closed."""
    monkeypatch.setattr(race, "HEAD_START", 0.02)
    with Ways(mqtt=wall, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        async with ways.racing(stagger=0.02) as transport:
            await transport.connect()
            await transport.exchange(Register())
            assert ways.mqtt.lines[0].ended.wait(10)


async def test_a_failure_is_followed_at_once() -> None:
    """Nobody waits for the stagger then; what failed is told with the winner."""
    with Ways(mqtt=CLOSES, ws=silent, rest=REST_ANSWERS).open() as ways:
        settings = dataclasses.replace(
            ways.settings(),
            transports=(
                MQTT(port=ways.mqtt.port),
                MQTT(port=NOBODY, websocket=True),
                REST(port=ways.rest.port),
            ),
        )
        transport = settings.open(ways.target())
        await transport.connect()
        transport.close()

    (chosen,) = ways.told(StepKind.TRANSPORT_CHOSEN)
    winner, first, second = chosen.text.split("; ")
    assert winner == "rest"
    assert first.startswith("mqtt: the service closed the connection")
    assert second.startswith("mqtt-ws: cannot connect to")


async def test_the_winner_is_remembered() -> None:
    """It is the first to connect the next time, with a longer head start; also after `close`."""
    with Ways(mqtt=CLOSES, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        settings = ways.settings()
        for _ in range(2):
            transport = settings.open(ways.target())
            for _ in range(2):
                await transport.connect()
                transport.close()

        assert settings.winner(ways.target()) == "mqtt-ws"
        assert settings.winner(ways.target(endpoint="localhost")) is None

    assert len(ways.mqtt.lines) == 1
    assert len(ways.ws.lines) == 4
    assert not ways.rest.lines


async def test_a_winner_that_fails_is_forgotten() -> None:
    """The next call races anew, in the usual order."""
    once = steps(mqtt.Line.accept, Line.end, Line.drain)
    with Ways(mqtt=once, ws=silent, rest=REST_ANSWERS).open() as ways:
        ways.mqtt._scripts = (once, CLOSES)
        settings = dataclasses.replace(
            ways.settings(), transports=(MQTT(port=ways.mqtt.port), REST(port=ways.rest.port))
        )
        transport = settings.open(to := ways.target())
        await transport.connect()
        assert to.report.transport == "mqtt"
        with pytest.raises(ConnectionLostError):
            await transport.exchange(Register())

        with pytest.raises(ConnectionLostError):
            await transport.connect()

        assert settings.winner(to) is None
        await transport.connect()
        await transport.exchange(Register())
        transport.close()

    assert (to.report.transport, settings.winner(to)) == ("rest", "rest")


async def test_what_mqtt_cannot_do() -> None:
    """A look-up and a TPM are for rest alone, which is then nobody's competitor."""
    settings = Auto()
    for to in (
        dataclasses.replace(target(transport="auto"), look_up=True),
        dataclasses.replace(
            target(transport="auto"),
            attestation=Credentials(Tpm(software_tpm(), registration_id="dev1")),
        ),
    ):
        assert isinstance(settings.open(to), RestTransport)
        assert to.report.transport == "rest"

    assert isinstance(settings.open(target(transport="auto")), AutoTransport)
    with pytest.raises(ConfigurationError):
        Auto(transports=(MQTT(),)).open(dataclasses.replace(target(), look_up=True))


def test_on_trio() -> None:
    """There is a race on trio, too, unless it is one for the session of aiomqtt."""

    async def main() -> None:
        to = target(transport="auto")
        assert isinstance(Auto().open(to), AutoTransport)
        asked = Auto(transports=(MQTT(session="aiomqtt"), REST()))
        assert isinstance(asked.open(to), RestTransport)

    anyio.run(main, backend="trio")


@pytest.mark.parametrize("transports", [(), (REST(), REST(port=1))])
def test_impossible_settings(transports: tuple[REST, ...]) -> None:
    """A race of nobody, or of one with itself."""
    with pytest.raises(ConfigurationError) as caught:
        Auto(transports=transports)

    assert caught.value.setting == "transport"

"""What the writer leans on in aiomqtt and paho: the same bytes as our own, and what if they stumble."""

from __future__ import annotations

import gc
import inspect
import logging
from importlib.metadata import version
from typing import Any, NoReturn

import aiomqtt
import pytest
from paho.mqtt import client as paho

from aiodps.errors import ProtocolError
from aiodps.transports.conversation import PacketWriter
from aiodps.transports.native_writer import NativeWriter
from aiodps.transports.paho_writer import PahoWriter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Aiomqtt runs on asyncio only."""
    return "asyncio"


def test_versions() -> None:
    """The private names below were read in these versions; look again before raising the pins."""
    assert version("aiomqtt").startswith("2.")
    assert version("paho-mqtt").startswith("2.")


async def test_private_names() -> None:
    """The two private names exist, and are what the writer takes them for."""
    assert isinstance(aiomqtt.Client("localhost")._client, paho.Client)
    assert list(inspect.signature(paho.Client._create_socket).parameters) == ["self"]


def written(writer: PacketWriter) -> list[object]:
    """Have a session written."""
    said: list[object] = [writer.connect(), writer.subscribe("a/#")]
    for size in range(0, 3000, 300):
        said.append(asked := writer.publish("a", b"x" * size))
        writer.acknowledged(asked[0])

    return said


@pytest.mark.parametrize("password", [None, "secret"])
@pytest.mark.parametrize("keep_alive", [0, 60])
async def test_the_same_bytes(
    password: str | None, keep_alive: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Both writers write the same, and paho logs nothing."""
    caplog.set_level(logging.DEBUG)
    settings: dict[str, Any] = {
        "client_id": "dev1",
        "user_name": "u" * 200,
        "password": password,
        "keep_alive": keep_alive,
    }

    assert written(PahoWriter(**settings)) == written(NativeWriter(**settings))
    assert caplog.records == []


@pytest.mark.parametrize("stumble", [KeyError("mid"), ValueError("what"), AttributeError("x")])
async def test_library_stumbles(stumble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever paho raises is an error of ours."""

    def fail(*_: object) -> NoReturn:
        raise stumble

    monkeypatch.setattr(paho.Client, "loop_read", fail)
    writer = PahoWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
    with pytest.raises(ProtocolError) as caught:
        written(writer)

    assert caught.value.__cause__ is stumble


async def test_a_packet_that_paho_does_not_accept() -> None:
    """Its code is an error of ours."""
    writer = PahoWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
    writer._memory.inbound = b"\xf0\0"
    with pytest.raises(ProtocolError, match="could not process"):
        written(writer)


async def test_what_is_acknowledged_is_forgotten() -> None:
    """A device that polls for an hour keeps a few messages of it, and not one after eight."""
    writer = PahoWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
    for _ in range(4):
        written(writer)

    assert not writer._paho._out_messages


async def test_nothing_is_left_to_the_collector() -> None:
    """A session's objects go with their last user."""
    gc.collect()
    gc.disable()
    try:
        writer = PahoWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
        written(writer)
        del writer

        assert gc.collect() == 0
    finally:
        gc.enable()

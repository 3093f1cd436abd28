"""What the session leans on in aiomqtt and paho, and what it does when they stumble."""

from __future__ import annotations

import gc
import inspect
import logging
import socket
import threading
import traceback
from importlib.metadata import version
from typing import NoReturn

import aiomqtt
import anyio.lowlevel
import pytest
from paho.mqtt import client as paho
from tests.scripted.mqtt import Line, MqttServer, takes_connect
from tests.scripted.server import LIMIT, silent, steps

from aiodps.errors import ConnectionLostError, ProtocolError, TlsProtocolError, UnauthorizedError
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.protocol.messages import Register
from aiodps.transports import paho_session
from aiodps.transports.paho_session import Session

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
def anyio_backend() -> str:
    """The session of aiomqtt runs on asyncio only."""
    return "asyncio"


waiting = steps(Line.accept, Line.request, silent)
"""Take the session and the first request, answer nothing."""


async def settled() -> None:
    """Let all other tasks go as far as they can."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


async def session_with(peer: MqttServer, *, keep_alive: int = 60) -> Session:
    """Open a session with the peer."""
    target = peer.target()
    connection = await dial(target.at_port(peer.port))
    session = Session(
        connection, target=target, user_name="u", password=None, keep_alive=keep_alive
    )
    await session.open()
    await session.subscribe_to_responses()
    return session


def test_versions() -> None:
    """The private names below were read in these versions; look again before raising the pins."""
    assert version("aiomqtt").startswith("2.")
    assert version("paho-mqtt").startswith("2.")


@pytest.mark.parametrize(
    "name",
    [
        "_client_connect",
        "_on_connect",
        "_on_message",
        "_on_disconnect",
        "_on_socket_open",
        "_on_socket_close",
        "_on_socket_register_write",
        "_on_socket_unregister_write",
    ],
)
def test_private_methods_of_aiomqtt(name: str) -> None:
    """The methods that the session calls or replaces exist and are called as it expects."""
    method = getattr(aiomqtt.Client, name)

    assert inspect.isfunction(method)
    assert not inspect.iscoroutinefunction(method)
    if name in vars(Session):
        assert len(inspect.signature(method).parameters) >= 4


async def test_private_attributes_of_aiomqtt() -> None:
    """The attributes that the session uses exist and are what it takes them for."""
    client = aiomqtt.Client("localhost")

    assert isinstance(client._client, paho.Client)
    assert not client._connected.done()
    assert client._pending_subscribes == {}
    assert client._loop.is_running()
    assert client._client.on_message == client._on_message
    assert client._client.on_socket_register_write == client._on_socket_register_write


async def test_no_name_is_taken() -> None:
    """Nothing of aiomqtt is replaced but what is replaced on purpose."""
    client = aiomqtt.Client("localhost")
    with MqttServer(waiting) as peer:
        session = await session_with(peer)
        session.close()

    ours = {name for name in vars(Session) if not name.startswith("__")}
    added = vars(session).keys() - vars(client).keys()

    assert {name for name in ours if hasattr(aiomqtt.Client, name)} == {
        "_on_message",
        "_on_disconnect",
        "_on_socket_open",
        "_on_socket_close",
        "_on_socket_register_write",
        "_on_socket_unregister_write",
    }
    assert added == {
        "phase",
        "fault",
        "_target",
        "_keep_alive",
        "_keep_alive_timer",
        "_socket",
        "_watches_writing",
        "_exchange",
        "_unacknowledged",
        "_unanswered_pings",
        "_ignored",
    }


@pytest.mark.parametrize("name", ["_create_socket", "_sock_close", "loop_read", "loop_write"])
def test_methods_of_paho(name: str) -> None:
    """The methods of paho that the session calls or replaces take no argument they need."""
    parameters = inspect.signature(getattr(paho.Client, name)).parameters.values()

    assert not [p for p in parameters if p.name != "self" and p.default is p.empty]


async def test_errors_pass_through_paho(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours out of the socket comes out of paho as it went in, its locks released."""
    with MqttServer(waiting) as peer:
        session = await session_with(peer)
        error = ConnectionLostError("gone")

        def fail(*_: object) -> NoReturn:
            raise error

        monkeypatch.setattr(session._socket, "recv", fail)
        with pytest.raises(ConnectionLostError) as caught:
            session._client.loop_read()

        session.close()

    assert caught.value is error


@pytest.mark.parametrize("stumble", [KeyError("mid"), ValueError("what"), AttributeError("x")])
async def test_library_stumbles(stumble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever paho raises, whoever waits is told, and the connection is closed."""

    def fail(*_: object) -> NoReturn:
        raise stumble

    with MqttServer(waiting) as peer:
        session = await session_with(peer)
        async with anyio.create_task_group() as tasks:

            async def register() -> None:
                with pytest.raises(ProtocolError) as caught:
                    await session.exchange(Register())

                assert caught.value.__cause__ is stumble
                assert caught.value.phase is Phase.REGISTER

            tasks.start_soon(register)
            await settled()
            monkeypatch.setattr(session._client, "loop_read", fail)
            session._read()

        assert not session.is_alive()


async def test_last_words_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails, what the peer said before it closed is the error, not the pipe."""
    refused = threading.Event()
    refuse = steps(takes_connect, bytes.fromhex("20020005"), lambda _: refused.set(), silent)

    def fail(_: object) -> NoReturn:
        raise ConnectionLostError("broken pipe")

    with MqttServer(refuse) as peer:
        target = peer.target()
        connection = await dial(target.at_port(peer.port))
        session = Session(connection, target=target, user_name="u", password=None, keep_alive=60)
        session._client_connect()
        session._write()
        # The loop stands still meanwhile, so that nothing is read before something is written.
        assert refused.wait(LIMIT)
        monkeypatch.setattr(session._socket, "send", fail)
        session._client.subscribe("x", 1)
        session._write()

        with pytest.raises(UnauthorizedError):
            await session._connected


async def test_never_opened(caplog: pytest.LogCaptureFixture) -> None:
    """A session that was never opened can be closed, and nobody complains about it."""
    with MqttServer() as peer:
        target = peer.target()
        connection = await dial(target.at_port(peer.port))
        session = Session(connection, target=target, user_name="u", password=None, keep_alive=0)
        session.close()
        session.close()
        connection.close()
        looks_alive = session.is_alive()
        del session
        gc.collect()

    assert not looks_alive
    assert caplog.records == []


async def test_no_keep_alive() -> None:
    """Without keep-alive there is no timer."""
    with MqttServer(waiting) as peer:
        session = await session_with(peer, keep_alive=0)
        timer = session._keep_alive_timer
        session.close()

    assert timer is None


def test_logger_is_nobodys() -> None:
    """The logger for paho and aiomqtt is in no tree and takes nothing."""
    logger = paho_session._NO_LOGGING

    assert logger.name not in logging.root.manager.loggerDict
    assert not logger.isEnabledFor(logging.CRITICAL)
    assert logger.handlers == []


async def test_a_password_that_cannot_be_sent_is_not_shown() -> None:
    """Not even by a traceback with locals, of the error or of its cause."""
    with MqttServer(silent) as peer:
        target = peer.target()
        connection = await dial(target.at_port(peer.port))
        socket.socket.shutdown(connection.socket, socket.SHUT_WR)
        session = Session(
            connection, target=target, user_name="u", password="-".join("secret"), keep_alive=0
        )
        # Sending fails first; whether that or the server's alert is told, depends on the server.
        with pytest.raises((ConnectionLostError, TlsProtocolError)) as caught:
            await session.open()

        session.close()

    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert isinstance(caught.value.__cause__, OSError)
    assert "s-e-c-r-e-t" not in "".join(whole.format())

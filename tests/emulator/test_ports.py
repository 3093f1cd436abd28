"""Both ports or none."""

from __future__ import annotations

import socket

import pytest

from aiodps.emulator.ports import Ports
from aiodps.errors import ConfigurationError

pytestmark = pytest.mark.sockets


def test_if_one_port_is_taken_the_other_is_given_back() -> None:
    """And the error names the one."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
        free.close()
        with pytest.raises(ConfigurationError, match="is in use") as caught:
            Ports.bind("127.0.0.1", https_port=number, mqtt_port=taken.getsockname()[1])

        socket.create_server(("127.0.0.1", number)).close()

    assert caught.value.setting == "mqtt_port"


def test_their_numbers_are_the_real_ones() -> None:
    """Not the zeros that asked for any."""
    ports = Ports.bind("127.0.0.1", https_port=0, mqtt_port=0)
    ports.close()

    assert all(ports.numbers)
    assert len(set(ports.numbers)) == 2

"""Transports, which speak DPS over a connection, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from aiodps.network.event_loop import watches_sockets
from aiodps.transports.auto import AUTO as AUTO
from aiodps.transports.auto import Auto
from aiodps.transports.base import TransportFactory
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST

TRANSPORTS: Final[Mapping[str, Callable[..., REST | MQTT]]] = MappingProxyType(
    {"rest": REST, "mqtt": MQTT, "mqtt-ws": partial(MQTT, websocket=True)}
)
"""What makes the settings of each transport, by name: the registry for settings, CLI, fleets."""
_HTTPS: Final = 443


def transport_by_name(
    name: str, *, port: int | None = None, needs_rest: bool = False
) -> TransportFactory:
    """Return the settings of a transport, with their defaults.

    Args:
        name: A name in `TRANSPORTS`, or `AUTO`: connections of all transports race. That is rest
            alone on event loops on which mqtt does not run, and for what mqtt does not have.
        port: TCP port of the service; None for the transport's own. Transports that listen on
            different ports cannot race at one: `AUTO` is rest at 443 then, and mqtt elsewhere.
        needs_rest: Whether it is for what only rest has: the challenge of a TPM, or a look-up.
    """
    if name == AUTO:
        if needs_rest or port == _HTTPS or not watches_sockets():
            name = "rest"
        elif port is None:
            return Auto()
        else:
            name = "mqtt"

    make = TRANSPORTS[name]
    return make() if port is None else make(port=port)

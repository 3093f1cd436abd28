"""Transports, which exchange requests with DPS over a connection, and their registry.

The module of a transport, and with it its library, is imported when the transport is made: MQTT
does not import httpx, and `import aiodps` imports neither.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aiodps.transports.base import AUTO as AUTO
from aiodps.transports.base import SessionName, TransportFactory

if TYPE_CHECKING:
    from aiodps.transports.auto import Auto
    from aiodps.transports.mqtt import MQTT
    from aiodps.transports.rest import REST


def _rest(**settings: Any) -> REST:
    from aiodps.transports.rest import REST  # noqa: PLC0415 (see above)

    return REST(**settings)


def _mqtt(**settings: Any) -> MQTT:
    from aiodps.transports.mqtt import MQTT  # noqa: PLC0415 (see above)

    return MQTT(**settings)


def _auto(session: SessionName | None) -> Auto:
    from aiodps.transports.auto import Auto  # noqa: PLC0415 (see above)

    each = (_mqtt(session=session), _mqtt(websocket=True, session=session), _rest())
    return Auto(transports=each)


TRANSPORTS: Final[Mapping[str, Callable[..., REST | MQTT]]] = MappingProxyType(
    {"rest": _rest, "mqtt": _mqtt, "mqtt-ws": functools.partial(_mqtt, websocket=True)}
)
"""Makers of the settings of each transport, by name: the registry for settings, CLI, fleets."""
_HTTPS: Final = 443


def transport_by_name(
    name: str,
    *,
    port: int | None = None,
    needs_rest: bool = False,
    session: SessionName | None = None,
) -> TransportFactory:
    """Return the settings of a transport, with their defaults.

    Args:
        name: A name in `TRANSPORTS`, or `AUTO`: connections of all transports race. That is rest
            alone for what mqtt does not have.
        port: TCP port of the service; None for the transport's own. Transports that listen on
            different ports cannot race at one: `AUTO` is rest at 443 then, and mqtt elsewhere.
        needs_rest: Whether it is for what only rest has: the challenge of a TPM, or a look-up.
        session: What speaks MQTT; None for the default of `MQTT`.
    """
    if name == AUTO:
        if needs_rest or port == _HTTPS:
            name = "rest"
        elif port is None:
            return _auto(session)
        else:
            name = "mqtt"

    return _made(name, port, None if name == "rest" else session)


@functools.lru_cache
def _made(name: str, port: int | None, session: SessionName | None) -> REST | MQTT:
    given = {"port": port, "session": session}
    return TRANSPORTS[name](**{key: value for key, value in given.items() if value is not None})

"""The control port of an emulator, with everything on it: the JSON API and the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from aiodps.emulator.admin.api import ControlApi, Controlled
from aiodps.emulator.admin.page.page import Page
from aiodps.emulator.admin.page.recent_requests import Traffic
from aiodps.emulator.admin.server import Control
from aiodps.emulator.service.service import Service


class Shown(Controlled, Protocol):
    """The emulator, as far as the page shows it."""

    service: Service
    ca_pem: bytes

    @property
    def connection_string(self) -> str:
        """Of the service API."""
        ...

    def save(self) -> None:
        """Make changes durable."""
        ...


@contextmanager
def control_port(dps: Shown, port: int) -> Iterator[Control]:
    """Take the port, and give it back when the block is left; nothing is served yet.

    Args:
        dps: What is controlled; its other ports are known already.
        port: 0 for any free one.

    Raises:
        ConfigurationError: If it cannot be had.
    """
    traffic, facts = Traffic(), dps.facts()
    page = Page(
        service=dps.service,
        traffic=traffic,
        facts={label: str(facts[name]) for label, name in _FACTS.items()},
        ca_pem=dps.ca_pem,
        connection_string=dps.connection_string,
        save=dps.save,
    )
    control = Control.bind(port, [*ControlApi(dps).routes(), *page.routes()])
    with closing(control), dps.request_log.listen(traffic.note, forget=traffic.forget):
        yield control


_FACTS = {
    "Host": "host",
    "HTTPS port": "https_port",
    "MQTT port": "mqtt_port",
    "Id scope": "id_scope",
    "Hub": "hub",
}
"""What people who connect need to know, as the page calls it."""

"""The fault matrix holds for the transport that wins a race of `auto`, cell by cell.

The other one of the race is refused, always and at once.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.reliability.test_fault_matrix import (  # noqa: F401 (collected here as well)
    test_a_fault_that_lasts,
    test_a_fault_that_strikes_once,
    test_cancelled,
    test_out_of_memory,
    test_out_of_time,
)

import aiodps
from aiodps.transports import transport_by_name
from aiodps.transports.base import SessionName
from aiodps.transports.race import Entrant, Race

pytestmark = [pytest.mark.network, pytest.mark.anyio]


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture(autouse=True, params=["first", "last"])
def in_a_race(
    request: pytest.FixtureRequest, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let every client race the transport of the cell against one that is refused."""
    client, ran = aiodps.ProvisioningClient, []
    run = Race.run

    async def noted(race: Race) -> Entrant:
        ran.append(race)
        return await run(race)

    def racing(
        *, transport: str, port: int, mqtt_session: SessionName | None, **settings: Any
    ) -> aiodps.ProvisioningClient:
        one = transport_by_name(transport, port=port, session=mqtt_session)
        other = transport_by_name("mqtt" if transport == "rest" else "rest", port=refusing)
        race: list[Any] = [one, other]
        race = race if request.param == "first" else race[::-1]
        return client(transport=aiodps.Auto(transports=race), **settings)

    monkeypatch.setattr(Race, "run", noted)
    monkeypatch.setattr(aiodps, "ProvisioningClient", racing)
    yield
    assert ran

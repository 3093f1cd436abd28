"""The fault matrix holds through each kind of proxy, cell by cell."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.reliability.faulty_service import FaultyService, Strike
from tests.reliability.test_fault_matrix import (  # noqa: F401 (collected here as well)
    test_a_fault_that_lasts,
    test_a_fault_that_strikes_once,
    test_cancelled,
    test_out_of_memory,
    test_out_of_time,
)
from tests.scripted.proxies import KINDS
from tests.scripted.running_proxy import login_of, running_proxy

import aiodps
from aiodps.network.proxy import Proxy

pytestmark = [pytest.mark.network, pytest.mark.anyio]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """One proxy of each kind; its name is looked up, as that of a service is without one."""
    with running_proxy(login=login_of(request.param)) as port:
        yield request.param.proxy(port, host="localhost")


@pytest.fixture(autouse=True)
def nothing_after_an_answer_under_way(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the time be over when the last answer has arrived, and not when it was sent."""
    cell, strikes = request.node.callspec.params["cell"], FaultyService.strikes

    def strikes_here(service: FaultyService, phase: str) -> Strike | None:
        is_client = threading.current_thread() is threading.main_thread()
        return strikes(service, phase) if is_client or phase != "CLEAN" else None

    if (cell.fault, cell.phase) == ("F30", "CLEAN"):
        monkeypatch.setattr(FaultyService, "strikes", strikes_here)


@pytest.fixture(autouse=True)
def through_the_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client go through the proxy."""
    client = aiodps.ProvisioningClient
    monkeypatch.setattr(
        aiodps, "ProvisioningClient", lambda **settings: client(**settings, proxy=proxy)
    )

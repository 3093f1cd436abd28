"""Every transport keeps its contract through each kind of proxy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from tests.scripted.proxies import KINDS
from tests.scripted.running_proxy import login_of, running_proxy
from tests.transports.conformance import KITS
from tests.transports.conftest import no_time_limits  # noqa: F401 (used by every test)
from tests.transports.test_base import *  # noqa: F403 (collected here as well)

CASES = [
    (dataclasses.replace(kit, proxy=kind), backend)
    for kit in KITS
    if kit.proxy is None
    for kind in KINDS
    for backend in kit.backends
]
pytestmark = [
    pytest.mark.network,
    pytest.mark.anyio,
    pytest.mark.parametrize(("kit", "anyio_backend"), CASES, ids=str, indirect=True),
]


@pytest.fixture(scope="module")  # type: ignore[no-redef]  # in place of the imported one
def proxy_ports() -> Iterator[dict[str, int]]:
    """One proxy that wants a password, and one that wants none."""
    with running_proxy() as strict, running_proxy(login="") as lenient:
        yield {kind.name: strict if login_of(kind) else lenient for kind in KINDS}

"""Dates: the server's time decides whether its certificate or this machine's clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.certificates import DAY, other_root
from tests.checks.staged import plan, server
from tests.scripted.http import HttpServer
from tests.scripted.tls import serving
from tests.transports.hosts import hosts

from aiodps.checks.model.finding import bad
from aiodps.checks.network.dates import blame, check_dates

__all__ = ["hosts"]

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(("ahead", "fault"), [(60, "expired"), (-900, "clock")])
def test_blame(ahead: int, fault: str) -> None:
    """A clock that agrees is not to blame."""
    expired = bad("tls 443", "expired", "it has expired", "set the clock")
    finding = blame(expired, NOON + timedelta(seconds=ahead), NOON)

    assert finding.fault == fault
    assert finding.seen.startswith("it has expired; this machine's clock")


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("flaws", [{"names": ["other.example.test"]}, {"issuer": other_root()}])
async def test_nothing_is_sent_to_others(flaws: dict[str, Any]) -> None:
    """Only the dates are left out of the verification: a wrong name or root is refused still."""
    expired = bad("tls", "expired", "it has expired", "set the clock")
    with HttpServer(tls=serving(server(starts=-30 * DAY, ends=-DAY, **flaws))) as peer:
        finding = await check_dates(expired, plan(peer.port), peer.port)

    assert finding == expired
    assert [bytes(line.received) for line in peer.lines] == [b""]

"""Clocks are compared by a Date header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aiodps.checks.model.finding import Verdict
from aiodps.checks.network.clock import check_clock

DATE = "Mon, 30 Nov 2026 12:00:00 GMT"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (timedelta(hours=1), "1 hour ahead of"),
        (timedelta(minutes=-7), "7 minutes behind"),
        (timedelta(days=400), "400 days ahead of"),
    ],
)
def test_wrong(ahead: timedelta, says: str) -> None:
    """More than five minutes, which a token allows for."""
    finding = check_clock(DATE, NOON + ahead)

    assert finding.fault == "clock"
    assert says in finding.seen
    assert "2026-11-30 12:00 UTC" in finding.advice


@pytest.mark.parametrize("ahead", [0, 4, -299])
def test_right(ahead: int) -> None:
    """A few seconds are no fault."""
    assert check_clock(DATE, NOON + timedelta(seconds=ahead)).verdict is Verdict.GOOD


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_unknown(date: str | None) -> None:
    """An answer without a valid date says nothing."""
    assert check_clock(date, NOON).verdict is Verdict.NOT_TRIED

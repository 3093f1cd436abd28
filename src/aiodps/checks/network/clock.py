"""Clock: whether this machine's agrees with the service's, by the Date header of an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aiodps.attestation.credentials import CLOCK_SKEW
from aiodps.checks.model.finding import Finding, bad, good, not_tried

_DATE_PRECISION = 2
"""Seconds that a Date header, which has whole ones, and the way of an answer may cost."""


def check_clock(date: str | None, now: datetime) -> Finding:
    """Compare the clocks.

    Args:
        date: The Date header; None if there is none.
        now: What this machine's clock read when the answer came.
    """
    theirs = None if date is None else moment_of(date)
    if theirs is None:
        return not_tried("clock", "the answer has no valid Date")

    ahead = now - theirs
    if abs(ahead.total_seconds()) <= CLOCK_SKEW:
        return good("clock", f"agrees with the service's within {_length(ahead)}")

    return bad("clock", "clock", difference(now, theirs), advice(theirs))


def difference(now: datetime, theirs: datetime) -> str:
    """Return how two clocks differ, in words."""
    ahead = now - theirs
    where = "ahead of" if ahead > timedelta(0) else "behind"
    return (
        f"this machine's clock is {_length(ahead)} {where} the service's: it reads "
        f"{now:%Y-%m-%d %H:%M} UTC, the service's {theirs:%Y-%m-%d %H:%M} UTC"
    )


def advice(theirs: datetime) -> str:
    """Return what to do about a wrong clock."""
    return (
        f"set the clock of this machine to {theirs:%Y-%m-%d %H:%M} UTC, and have it synchronized"
        " (NTP): tokens and certificates are refused otherwise"
    )


def moment_of(date: str) -> datetime | None:
    """Return the time that a Date header names; None if it is not a date."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None

    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _length(span: timedelta) -> str:
    """Return a length of time in its largest unit, like "1 day" or "7 minutes"."""
    seconds = round(abs(span.total_seconds()))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds + _DATE_PRECISION >= length:
            count = round(seconds / length)
            return f"{count} {unit}" + "s" * (count != 1)

    return f"{seconds} s"

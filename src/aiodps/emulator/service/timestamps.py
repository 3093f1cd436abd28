"""Times as the service writes them."""

from __future__ import annotations

import datetime as dt
import re

_TICKS = 10_000_000
"""The service counts time in tenths of a microsecond."""
_FRACTION = re.compile(r"\.(\d{1,20})")


def timestamp(time: float) -> str:
    """Write a time, in seconds since 1970, as the service does: seven digits of a second and Z."""
    seconds, ticks = divmod(int(time * _TICKS), _TICKS)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ticks:07d}Z"


def read_timestamp(text: str) -> float:
    """Read a time in ISO 8601, of UTC unless it says otherwise, as seconds since 1970.

    What `timestamp` wrote is read as the same number again, to the last bit.

    Raises:
        ValueError: If it is none, or before 1970.
    """
    fraction = _FRACTION.search(text)
    ticks = int(fraction[1][:7].ljust(7, "0")) if fraction else 0
    whole = dt.datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    seconds = (whole if whole.tzinfo else whole.replace(tzinfo=dt.UTC)).timestamp()
    if seconds < 0:
        raise ValueError("before 1970")

    return (int(seconds) * _TICKS + ticks) / _TICKS

"""Times as the service writes them."""

from __future__ import annotations

import datetime as dt

_TICKS = 10_000_000
"""The service counts time in tenths of a microsecond."""


def timestamp(time: float) -> str:
    """Write a time, in seconds since 1970, as the service does: seven digits of a second and Z."""
    seconds, ticks = divmod(int(time * _TICKS), _TICKS)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ticks:07d}Z"

"""Formatting of figures with their units, the same in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

NO_VALUE: Final = "-"
"""Shown where there is no figure."""
NEVER: Final = "never"
"""Shown for the latency of a device that was not assigned."""

_MINUTE: Final = 60.0


def duration(seconds: float | None) -> str:
    """Format seconds with three digits: 0.42 ms, 345 ms, 1.23 s, 45.6 s, 2 min 05 s."""
    if seconds is None:
        return NO_VALUE

    if abs(seconds) < 1 - 0.0005:
        return f"{_digits(seconds * 1000)} ms"

    if abs(seconds) < 2 * _MINUTE:
        return f"{_digits(seconds)} s"

    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes:,.0f} min {rest:02.0f} s"


def statistic(distribution: Mapping[str, Any] | None, name: str) -> str:
    """Format one statistic of a distribution of seconds in a summary.

    A percentile that falls on a device that was never assigned is "never". One that so few values
    do not carry is called what it is, their maximum: "max of 30".
    """
    if distribution is None:
        return NO_VALUE

    if distribution[name] is None:
        return NEVER

    if name in distribution["unsupported"]:
        return f"max of {count(distribution['count'])}"

    return duration(distribution[name])


def rate(per_second: float | None) -> str:
    """Format a rate: 41.7/s."""
    return NO_VALUE if per_second is None else f"{_digits(per_second)}/s"


def count(number: float | None) -> str:
    """Format a number: 12,345; fractions with two digits."""
    if number is None:
        return NO_VALUE

    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def share(part: float | None) -> str:
    """Format a share as a percentage: 0.05 %, 12.3 %."""
    return NO_VALUE if part is None else f"{_digits(part * 100)} %"


def ratio(value: float | None) -> str:
    """Format a ratio: x 1.23."""
    return NO_VALUE if value is None else f"x {value:.2f}"


class _Interval(Protocol):
    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def interval(of_ratio: _Interval | None) -> str:
    """Format the interval of a ratio: 0.98-1.23."""
    return NO_VALUE if of_ratio is None else f"{of_ratio.low:.2f}-{of_ratio.high:.2f}"


def memory(size: float | None) -> str:
    """Format bytes as MiB."""
    return NO_VALUE if size is None else f"{size / 2**20:,.0f} MiB"


BY_UNIT: Final[Mapping[str, Callable[[float | None], str]]] = {
    "s": duration,
    "/s": rate,
    "%": share,
    "": count,
}
"""The formatting function of each unit."""


def _digits(value: float) -> str:
    """Format three significant digits, never with an exponent."""
    size = abs(value)
    places = 0 if size >= 99.95 or not size else 1 if size >= 9.995 else 2  # noqa: PLR2004
    return f"{value:,.{places}f}"

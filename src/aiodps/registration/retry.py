"""When to try again, and how long to wait: numbers only, no clock and no random source."""

from __future__ import annotations

import enum
import hashlib
import math
from dataclasses import dataclass

from aiodps.errors import (
    ConfigurationError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ServiceUnavailableError,
    ThrottledError,
    TransportError,
)


class RetryClass(enum.Enum):
    """What an error deserves."""

    FINAL = "final"
    """Trying again would give the same."""
    ONCE_MORE = "once more"
    """May have been damaged on the way: one more try."""
    TRANSIENT = "transient"
    """Passes by itself: again and again, until the deadline."""


_MAYBE_DAMAGED = frozenset({"utf8", "json", "empty", "content_type"})


def classify(error: ProvisioningError) -> RetryClass:
    """Say whether an error is worth another try; the only place that knows."""
    match error:
        case TransportError() | ThrottledError() | ServiceUnavailableError():
            return RetryClass.TRANSIENT
        case MalformedResponseError(reason=reason):
            return RetryClass.ONCE_MORE if reason in _MAYBE_DAMAGED else RetryClass.FINAL
        case _ if type(error) is ProtocolError:
            return RetryClass.ONCE_MORE
        case _:
            return RetryClass.FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patiently to try again. All times in seconds.

    The defaults follow Microsoft's advice for large deployments: obey `Retry-After`, else back
    off exponentially with jitter, 1 s to 100 s; never poll faster than the service allows
    (5 polls in 10 s for each device).
    """

    max_failures: int | None = None
    """Failures in a row before giving up; None to go on until the deadline."""
    base: float = 1.0
    """Upper end of the first back-off; doubled with each failure in a row."""
    cap: float = 100.0
    """Upper end of every back-off."""
    poll_interval: float = 2.0
    """Wait before a poll when the service did not say how long."""
    min_poll_interval: float = 2.0
    """Least wait before a poll, even if the service asks for less. 0 only for benchmarks."""
    spread: float = 0.2
    """Share of `Retry-After` added at random after trouble (at most 5 s), so that a throttled
    fleet does not come back as one. Never added to the waits of a registration that goes well."""

    def __post_init__(self) -> None:
        """Refuse policies that would spin or never try."""
        for name in ("base", "cap", "poll_interval", "min_poll_interval", "spread"):
            value = getattr(self, name)
            if not _is_duration(value):
                raise _nonsense(name, f"is {value!r}, not a number of at least 0")

        if self.cap < self.base:
            raise _nonsense("cap", f"is {self.cap!r}, less than base")

        failures = self.max_failures
        if failures is not None and (type(failures) is not int or failures < 1):
            raise _nonsense("max_failures", f"is {failures!r}, not a whole number of at least 1")

    def poll_delay(self, retry_after: float | None) -> float:
        """Return how long to wait before the next poll of a registration that goes well."""
        asked = self.poll_interval if retry_after is None else retry_after
        return max(asked, self.min_poll_interval)

    def retry_delay(
        self, failures: int, *, retry_after: float | None, unit_jitter: float, polling: bool
    ) -> float:
        """Return how long to wait before trying again after trouble.

        Args:
            failures: Failures in a row, starting at 1.
            retry_after: Seconds the service asked for at least, or None if it did not say.
            unit_jitter: A number in [0, 1).
            polling: Whether a poll comes next, which has a least interval of its own.
        """
        if retry_after is None:
            delay = unit_jitter * min(self.cap, self.base * 2.0 ** min(failures - 1, 60))
        else:
            delay = max(retry_after, self.base)
            delay += unit_jitter * min(self.spread * delay, _MAX_SPREAD)

        return max(delay, self.min_poll_interval) if polling else delay


_MAX_SPREAD = 5.0


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False

    return math.isfinite(value) and value >= 0


def _nonsense(name: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the retry policy's {name} {fault}",
        setting=f"retry.{name}",
        hint="leave it out for the default",
    )


def unit_jitter(seed: int, registration_id: str, count: int) -> float:
    """Return a number in [0, 1), fixed for the three arguments.

    Devices spread because their ids differ; nothing depends on the order of calls, so a run can
    be replayed from its seed.
    """
    text = f"{seed}/{registration_id}/{count}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / 2**48

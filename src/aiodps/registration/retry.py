"""What is retried, and after how long: numbers only, without a clock or a source of randomness."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

from aiodps.errors import (
    ConfigurationError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ProxyError,
    ServiceUnavailableError,
    ThrottledError,
    TransportError,
    UnauthorizedError,
)


class RetryClass(enum.Enum):
    """How an error is retried."""

    FINAL = "final"
    """Never: the result would be the same."""
    ONCE_MORE = "once more"
    """Once: the response may have been damaged in transit."""
    PERSISTENT = "persistent"
    """A few times (`RetryPolicy.max_unreachable`): the cause seldom passes."""
    TRANSIENT = "transient"
    """Until the deadline: the cause is temporary."""
    REAUTHENTICATE = "reauthenticate"
    """If the device can authenticate in another way: with a new token or another credential."""


_MAYBE_DAMAGED = frozenset({"utf8", "json", "empty", "content_type", "framing", "packet"})
"""Reasons of a `ProtocolError` that a gateway in between may have caused. Any other is an answer
of the service: it would be the same again, and cost another register request."""
_REFUSED_BY_PROXY = frozenset({"authentication", "forbidden", "refused"})
"""Reasons of a `ProxyError` that are decisions of the proxy or of its operator."""
_DAMAGED = (ProtocolError, MalformedResponseError)


def classify(error: ProvisioningError) -> RetryClass:
    """Return how an error is retried; the only place that decides this."""
    match error:
        case ProxyError(reason=reason) if reason in _REFUSED_BY_PROXY:
            return RetryClass.FINAL
        case TransportError(persistent=True):
            return RetryClass.PERSISTENT
        case TransportError() | ThrottledError() | ServiceUnavailableError():
            return RetryClass.TRANSIENT
        case UnauthorizedError():
            return RetryClass.REAUTHENTICATE
        case ProtocolError(reason=reason) if type(error) in _DAMAGED and reason in _MAYBE_DAMAGED:
            return RetryClass.ONCE_MORE
        case _:
            return RetryClass.FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how often to retry and to poll. All times are in seconds.

    The defaults follow Microsoft's advice for large deployments: obey `Retry-After`, otherwise
    back off exponentially with jitter, from 1 s to 100 s; never poll faster than the service
    allows (5 status queries in 10 s per device).
    """

    max_failures: int | None = None
    """Consecutive failures before giving up; None to retry until the deadline."""
    max_unreachable: int | None = 5
    """Consecutive failures before giving up if the endpoint's name does not exist or its port
    refuses connections; None to retry until the deadline."""
    base: float = 1.0
    """Maximum of the first back-off; doubled with each consecutive failure."""
    cap: float = 100.0
    """Maximum of every back-off."""
    poll_interval: float = 2.0
    """Wait before a status query if the service sent no `Retry-After`."""
    min_poll_interval: float = 2.0
    """Minimum wait before a status query, even if the service asks for less. Use 0 only in
    benchmarks."""
    spread: float = 0.2
    """Fraction of `Retry-After` up to which jitter is added after a failure (at most 5 s), so that
    the devices of a throttled fleet do not all return at once. Never added between polls."""

    def __post_init__(self) -> None:
        """Reject values with which the client would retry without a pause, or never."""
        for name in ("base", "cap", "poll_interval", "min_poll_interval", "spread"):
            value = getattr(self, name)
            if not _is_duration(value):
                raise _invalid(name, f"is {value!r}, not a number of seconds of at least 0")

        if self.cap < self.base:
            raise _invalid("cap", f"is {self.cap!r}, which is less than base")

        for name in ("max_failures", "max_unreachable"):
            failures = getattr(self, name)
            if failures is not None and (type(failures) is not int or failures < 1):
                raise _invalid(name, f"is {failures!r}, not a whole number of at least 1")

    def poll_delay(self, retry_after: float | None) -> float:
        """Return how long to wait before the next status query, if nothing failed."""
        asked = self.poll_interval if retry_after is None else retry_after
        return max(asked, self.min_poll_interval)

    def retry_delay(
        self, failures: int, *, retry_after: float | None, unit_jitter: float, polling: bool
    ) -> float:
        """Return how long to wait before retrying after a failure.

        Args:
            failures: Consecutive failures, starting at 1.
            retry_after: Minimum that the service asked for, or None if it did not say.
            unit_jitter: A number in [0, 1).
            polling: Whether a status query is next, which has a minimum interval of its own.
        """
        if retry_after is None:
            delay = unit_jitter * min(self.cap, self.base * 2.0 ** min(failures - 1, 60))
        else:
            delay = max(retry_after, self.base)
            delay += unit_jitter * min(self.spread * delay, _MAX_SPREAD)

        return max(delay, self.min_poll_interval) if polling else delay


_MAX_SPREAD = 5.0
_MAX_DURATION = 1e9
"""Seconds; more than any timeout."""


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False

    return 0 <= value <= _MAX_DURATION


def _invalid(name: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the retry policy's {name} {fault}",
        setting=f"retry.{name}",
        hint="omit it to use the default",
    )


def unit_jitter(seed: int, registration_id: str, count: int) -> float:
    """Return a number in [0, 1) that depends on the arguments alone.

    Devices get different numbers because their ids differ. The order of calls does not matter, so
    a run can be replayed from its seed.
    """
    text = f"{seed}/{registration_id}/{count}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / 2**48

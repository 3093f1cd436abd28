"""The published limits of the service, with 429 beyond them.

Source: Microsoft Learn, "Quotas and limits in the Device Provisioning Service". That refused and
unauthenticated requests do not count is our choice; whether the live service always says how long
to wait is not known.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import Final

from aiodps.emulator.protocol.errors import ErrorCode, Refusal

REGISTRATIONS: Final = (1000, 60.0)
"""Registrations of all devices together: number and seconds."""
POLLS: Final = (5, 10.0)
"""Polls of each device: number and seconds."""
SERVICE_CALLS: Final = (1000, 60.0)
"""Requests to the service API: number and seconds."""
MAX_DEVICES: Final = 100_000
"""Most devices whose polls are counted; one more drops the least recently active one."""


class Window:
    """A sliding window: a limit of events in any span of seconds."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._passed: deque[float] = deque(maxlen=limit)

    def wait(self, now: float) -> float:
        """Count an event; return 0, or the seconds until one more is allowed."""
        passed = self._passed
        if len(passed) == passed.maxlen:
            left = passed[0] + self._seconds - now
            # A clock that was set back must not block requests.
            if left > 0 and now >= passed[0]:
                return min(left, self._seconds)  # rounding may have added to it

        passed.append(now)
        return 0.0


class Throttle:
    """The limits of one instance; in every method `now` is in seconds since 1970."""

    def __init__(self) -> None:
        self._registrations = Window(*REGISTRATIONS)
        self._service_calls = Window(*SERVICE_CALLS)
        self._polls: OrderedDict[str, Window] = OrderedDict()

    def register(self, *, now: float) -> None:
        """Count a registration.

        Raises:
            Refusal: 429, if there were too many.
        """
        _check(self._registrations.wait(now))

    def poll(self, registration_id: str, *, now: float) -> None:
        """Count a device's poll or look-up.

        Raises:
            Refusal: 429, if it made too many.
        """
        key = registration_id.lower()
        window = self._polls.get(key)
        if window is None:
            window = self._polls[key] = Window(*POLLS)
            if len(self._polls) > MAX_DEVICES:
                self._polls.popitem(last=False)

        self._polls.move_to_end(key)
        _check(window.wait(now))

    def call_service(self, *, now: float) -> None:
        """Count a request to the service API.

        Raises:
            Refusal: 429, if there were too many.
        """
        _check(self._service_calls.wait(now))


def _check(wait: float) -> None:
    if wait > 0:
        raise Refusal(
            ErrorCode.THROTTLED, "Too many requests.", retry_after=max(1, math.ceil(wait))
        )

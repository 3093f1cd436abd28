"""Events: the input of the state machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from aiodps.errors import ProvisioningError
from aiodps.models import Phase
from aiodps.protocol.messages import Response


@dataclass(frozen=True, slots=True)
class Started:
    """The registration was started."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is open, and a request can be sent."""

    phase: Phase = Phase.TLS
    """The last phase of connecting: the one to report if the deadline has passed by now."""


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A response arrived, whatever its status."""

    response: Response


@dataclass(frozen=True, slots=True)
class ExchangeFailed:
    """Connecting, or sending a request, failed."""

    error: ProvisioningError
    cut_short: bool = False
    """Whether it was cancelled at the action's deadline, instead of failing by itself."""


@dataclass(frozen=True, slots=True)
class Reauthenticated:
    """The service may accept the device now: it has a new token, or another credential."""


@dataclass(frozen=True, slots=True)
class WaitElapsed:
    """The wait is over."""


Event: TypeAlias = (
    Started | Connected | ResponseReceived | ExchangeFailed | Reauthenticated | WaitElapsed
)

"""What happened: the machine's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from aiodps.errors import ProvisioningError
from aiodps.models import Phase
from aiodps.protocol.messages import Response


@dataclass(frozen=True, slots=True)
class Started:
    """The registration was begun."""


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a connection to send a request over."""

    phase: Phase = Phase.TLS
    """The last phase of connecting: it is where time ran out if the deadline has passed."""


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """The request was answered, whatever the answer says."""

    response: Response


@dataclass(frozen=True, slots=True)
class ExchangeFailed:
    """Connection or request came to nothing."""

    error: ProvisioningError
    cut_short: bool = False
    """Whether it was given up at the action's deadline, instead of failing by itself."""


@dataclass(frozen=True, slots=True)
class WaitElapsed:
    """The wait is over."""


Event: TypeAlias = Started | Connected | ResponseReceived | ExchangeFailed | WaitElapsed

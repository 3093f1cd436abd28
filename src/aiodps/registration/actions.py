"""Actions: the output of the state machine. Times are seconds of the driver's clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from aiodps.errors import ProvisioningError, UnauthorizedError
from aiodps.protocol.messages import Request

R = TypeVar("R")
"""What a machine is for: an assignment, or the record that was looked up."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Make sure that a connection is open."""

    deadline: float
    """When the whole registration has to be finished."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request and wait for its response."""

    request: Request
    deadline: float
    """When to give up on this request."""


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Prepare another way to authenticate; if there is none, the refusal is the result."""

    refusal: UnauthorizedError
    deadline: float
    """When to give up."""


class WaitReason(enum.Enum):
    """Why the machine waits."""

    ACCEPTED = "accepted"
    """The service accepted the register request and works on it."""
    ASSIGNING = "assigning"
    """The service has not decided yet."""
    RETRY = "retry"
    """Something failed and will be retried."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until a time."""

    until: float
    reason: WaitReason
    error: ProvisioningError | None
    """What failed; None unless the reason is `RETRY`."""
    requested: float | None = None
    """Seconds that the service asked for (Retry-After); None if it did not say."""


@dataclass(frozen=True, slots=True)
class Finish(Generic[R]):
    """Return the result: the device is assigned, or its record was found."""

    result: R


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise the error: the registration has failed."""

    error: ProvisioningError


Action: TypeAlias = Connect | Send | Reauthenticate | Wait | Finish[R] | Fail

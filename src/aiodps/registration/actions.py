"""What to do next: the machine's output. Times are absolute seconds of the driver's clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from aiodps.errors import ProvisioningError
from aiodps.models import Assignment
from aiodps.protocol.messages import Request


@dataclass(frozen=True, slots=True)
class Connect:
    """Make sure that there is a connection."""

    deadline: float
    """When the whole registration has to be over."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request and wait for its answer."""

    request: Request
    deadline: float
    """When to give this request up."""


class WaitReason(enum.Enum):
    """Why a wait is there."""

    ACCEPTED = "accepted"
    """The service took the registration and works on it."""
    ASSIGNING = "assigning"
    """The service has not decided yet."""
    TROUBLE = "trouble"
    """Something failed and is tried again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a while."""

    until: float
    reason: WaitReason
    error: ProvisioningError | None
    """What failed; None unless the reason is `TROUBLE`."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The device is assigned."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Fail:
    """The registration has failed."""

    error: ProvisioningError


Action: TypeAlias = Connect | Send | Wait | Finish | Fail

"""What is asked of the service and what it answers, whatever the transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from aiodps.models import JsonObject


@dataclass(frozen=True, slots=True)
class Register:
    """Ask the service to register the device. Billed and counted: sent as seldom as possible."""

    payload: JsonObject | None = field(default=None, repr=False)
    """Custom data for the allocation webhook; None to send none."""


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """Ask how an operation stands. Free of charge."""

    operation_id: str
    """The operation, as the service named it."""


Request: TypeAlias = Register | QueryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Any answer to a request: good, bad, or strange."""

    status_code: int
    """HTTP status; over MQTT the same number from the topic."""
    body: bytes = field(repr=False)
    """The body as received; at most `limits.MAX_BODY` bytes."""
    retry_after: float | None = None
    """Seconds the service asks to wait at least; None if it did not say, or not readably."""
    request_id: str | None = None
    """The service's own id of the request (`x-ms-request-id`), or None."""
    location: str | None = None
    """Host that a 3xx points to, or None; never followed."""
    content_type: str | None = None
    """Media type without parameters, lower case; None if absent (always over MQTT)."""

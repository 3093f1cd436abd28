"""Requests and responses, independent of the transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from aiodps.models import JsonObject


@dataclass(frozen=True, slots=True)
class TpmKeys:
    """The public keys of a TPM, each a `TPM2B_PUBLIC` with its size."""

    endorsement_key: bytes
    storage_root_key: bytes


@dataclass(frozen=True, slots=True)
class Register:
    """A register request. It is billed and rate-limited, so it is sent as rarely as possible."""

    payload: JsonObject | None = field(default=None, repr=False)
    """Custom data for the allocation webhook; None to send none."""
    csr: str | None = field(default=None, repr=False)
    """Request for a certificate (base64 of DER); None to ask for none."""


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """A status query for an operation. It is free of charge."""

    operation_id: str
    """The operation id that the service returned."""


@dataclass(frozen=True, slots=True)
class LookUpStatus:
    """A look-up of the device's registration record. It changes nothing, and is free of charge."""


Request: TypeAlias = Register | QueryStatus | LookUpStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response of the service, whatever its status."""

    status_code: int
    """HTTP status; over MQTT the same number, from the topic."""
    body: bytes = field(repr=False)
    """The body as received; at most `limits.MAX_BODY` bytes."""
    retry_after: float | None = None
    """Minimum seconds to wait; None if the service did not say, or the value is not valid."""
    request_id: str | None = None
    """The service's id of the request (`x-ms-request-id`), or None."""
    location: str | None = None
    """Host that a 3xx redirects to, or None; never followed."""
    content_type: str | None = None
    """Media type without parameters, in lower case; None if absent (always over MQTT)."""
    service_time: float | None = None
    """Time at the service (`Date`), in seconds since 1970; None if absent (always over MQTT), and
    unless the request was refused."""

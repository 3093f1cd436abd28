"""What the fronts (HTTP, MQTT) hand to the service and get back: no bytes, no sockets."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509


class Operation(enum.Enum):
    """What a device can ask for."""

    REGISTER = "register"
    OPERATION_STATUS = "operation status"
    STATUS_LOOKUP = "device registration status lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a device, freed from its transport."""

    operation: Operation
    id_scope: str
    registration_id: str
    api_version: str | None
    """None if the device gave none."""
    operation_id: str | None = None
    """Only for `OPERATION_STATUS`."""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """How the device proved who it is: what it showed in TLS and in the request."""

    certificates: tuple[x509.Certificate, ...] = ()
    """Leaf first, as sent; empty if the device showed none. Nothing has been judged yet."""
    authorization: str | None = field(default=None, repr=False)
    """`Authorization` header or MQTT password; None if absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The service's answer, before it is put on a wire."""

    status_code: int
    body: Mapping[str, Any] = field(repr=False)
    """A JSON object."""
    retry_after: int | None = None
    """Whole seconds, or None to say nothing: real clients cannot read fractions."""


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Write a body as both fronts send it."""
    return json.dumps(body, separators=(",", ":")).encode()

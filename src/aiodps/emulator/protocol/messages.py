"""Requests and responses between the frontends and the service, independent of the transport."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography import x509

from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.protocol.strict_rules import StrictRule

Json: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""A JSON body: an object or an array."""


class Operation(enum.Enum):
    """An operation of the device API."""

    REGISTER = "register"
    OPERATION_STATUS = "operation status"
    STATUS_LOOKUP = "device registration status lookup"


class Transport(enum.Enum):
    """The transport of a device's request, as far as the response depends on it."""

    HTTPS = "https"
    MQTT = "mqtt"
    """Over TCP or WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of a device."""

    operation: Operation
    id_scope: str
    registration_id: str
    api_version: str | None
    """None if absent."""
    operation_id: str | None = None
    """Only for `OPERATION_STATUS`."""
    body: bytes = field(default=b"", repr=False)
    transport: Transport = Transport.HTTPS
    deviations: Callable[[], tuple[StrictRule, ...]] = field(
        default=tuple, compare=False, repr=False
    )
    """Finds the deviations from the specification, which only `--strict` asks for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The credentials of a device, from TLS and from the request."""

    certificates: tuple[x509.Certificate, ...] = ()
    """Leaf first, as sent; empty if the device presented none. Not verified yet."""
    authorization: str | None = field(default=None, repr=False)
    """`Authorization` header or MQTT password; None if absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response to a device."""

    status_code: int
    """0 if the request never reached the service."""
    body: Mapping[str, Any] = field(repr=False)
    """A JSON object."""
    retry_after: int | None = None
    """Whole seconds, as clients cannot read fractions; None to leave it out."""
    delivery: Delivery | None = None
    """None for a regular delivery."""
    why: str | None = None
    """Cause of a refusal, for the request log alone; None if the body says it all."""

    @property
    def wait(self) -> str | None:
        """The `Retry-After` to send; None for none."""
        override = None if self.delivery is None else self.delivery.retry_after
        if override is not None:
            return override or None

        return None if self.retry_after is None else str(self.retry_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementRequest:
    """A request to the service API or to Azure Resource Manager."""

    method: str
    """HTTP method, in upper case."""
    path: str
    """As received, without the query."""
    query: Mapping[str, str]
    """Parameters, names in lower case; the first of repeated ones."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)

    @property
    def api_version(self) -> str | None:
        """The api-version; None if absent."""
        return self.query.get("api-version")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementResponse:
    """A response to a `ManagementRequest`."""

    status_code: int = 200
    body: Json | None = field(default=None, repr=False)
    """None for no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Additional headers."""
    delivery: Delivery | None = None
    """None for a regular delivery."""
    why: str | None = None
    """Cause of a refusal, for the request log alone; None if the body says it all."""


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


def encode_json(body: Json) -> bytes:
    """Encode a body as both frontends send it."""
    return _ENCODER.encode(body).encode()

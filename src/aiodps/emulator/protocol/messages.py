"""What the fronts (HTTP, MQTT) hand to the service and get back: no bytes, no sockets."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography import x509

from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.protocol.strict_rules import StrictRule

Json: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""A JSON document of an answer: an object or an array."""


class Operation(enum.Enum):
    """What a device can ask for."""

    REGISTER = "register"
    OPERATION_STATUS = "operation status"
    STATUS_LOOKUP = "device registration status lookup"


class Transport(enum.Enum):
    """What a device's request came over, as far as the service's answer depends on it."""

    HTTPS = "https"
    MQTT = "mqtt"
    """Over TCP or WebSocket."""


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
    transport: Transport = Transport.HTTPS
    deviations: tuple[StrictRule, ...] = field(default=(), compare=False)
    """What is not as it should be on the wire; only `--strict` minds."""


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
    """0 if the request was never heard."""
    body: Mapping[str, Any] = field(repr=False)
    """A JSON object."""
    retry_after: int | None = None
    """Whole seconds, or None to say nothing: real clients cannot read fractions."""
    delivery: Delivery | None = None
    """None to send it as it is, at once."""
    why: str | None = None
    """More than the body says about a refusal, for the journal alone; None if there is no more."""

    @property
    def wait(self) -> str | None:
        """What is said about waiting, as text; None for nothing."""
        said = None if self.delivery is None else self.delivery.retry_after
        if said is not None:
            return said or None

        return None if self.retry_after is None else str(self.retry_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementRequest:
    """A request to the service API or to Azure Resource Manager, not looked into."""

    method: str
    """Of HTTP, in upper case."""
    path: str
    """As in the request, without the query."""
    query: Mapping[str, str]
    """Its parameters, names in lower case; of those that come twice the first counts."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)

    @property
    def api_version(self) -> str | None:
        """The version of the API that the caller speaks; None if it names none."""
        return self.query.get("api-version")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementResponse:
    """An answer to a `ManagementRequest`."""

    status_code: int
    body: Json | None = field(default=None, repr=False)
    """None for no body at all."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that every answer has."""
    delivery: Delivery | None = None
    """None to send it as it is, at once."""
    why: str | None = None
    """Why the caller was refused, in words that are not for the caller; None if there are none."""


def encode_json(body: Json) -> bytes:
    """Write a body as both fronts send it."""
    return json.dumps(body, separators=(",", ":")).encode()

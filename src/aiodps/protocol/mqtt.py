"""DPS over MQTT 3.1.1: user name, topics, payloads, and checks of CONNACK and SUBACK.

Source: Microsoft Learn, "Communicate with DPS using the MQTT protocol".
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import quote, unquote_to_bytes

from aiodps.errors import (
    BadRequestError,
    ConfigurationError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from aiodps.protocol.limits import MAX_TOPIC_BYTES, MAX_TOPIC_PARAMETERS
from aiodps.protocol.messages import LookUpStatus, QueryStatus, Register, Request
from aiodps.protocol.mqtt_packets import Connack, Suback
from aiodps.protocol.payloads import registration_body

API_VERSION = "2019-03-31"
"""The api-version named in the service's MQTT documentation."""

RESPONSES = "$dps/registrations/res/#"
"""The only topic filter that the service supports: all responses to this device."""

WEBSOCKET_PATH = "/$iothub/websocket"
"""The path of MQTT over WebSocket, as Microsoft's device clients request it: that of IoT Hub."""
WEBSOCKET_SUBPROTOCOL = "mqtt"
"""The WebSocket subprotocol of MQTT 3.1.1 [section 6]."""

_RESPONSE_TOPIC = re.compile(r"\$dps/registrations/res/([^/?]+)/(?:\?(.*))?", re.DOTALL)
_STATUS = re.compile(r"[1-9][0-9]{2}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)

_REJECTED = 0x80
"""The SUBACK code for failure."""


def user_name(
    *, id_scope: str, registration_id: str, api_version: str, client_version: str
) -> str:
    """Build the user name of CONNECT; the values of its query are percent-encoded.

    The ids are not encoded: their characters (see `identifiers`) need no encoding, and the service
    compares them as strings.
    """
    query = _versions(api_version, client_version)
    return f"{id_scope}/registrations/{registration_id}/{query}"


@functools.lru_cache
def _versions(api_version: str, client_version: str) -> str:
    """Return the query of the user name, which is the same for all devices of a client."""
    version = f"ClientVersion={quote(client_version, safe='')}"
    return f"api-version={quote(api_version, safe='')}&{version}"


@dataclass(frozen=True, slots=True)
class Publication:
    """An MQTT message that carries a request."""

    topic: str
    payload: bytes


def publication(request: Request, *, registration_id: str, request_id: str) -> Publication:
    """Build the message of a request; the service echoes `request_id` in the response topic.

    Its characters are hexadecimal digits, which need no encoding.

    Raises:
        ConfigurationError: For a look-up, which MQTT does not have; see `no_look_up`.
    """
    match request:
        case Register(payload, csr):
            topic = f"$dps/registrations/PUT/iotdps-register/?$rid={request_id}"
            return Publication(topic, registration_body(registration_id, payload, csr=csr))
        case QueryStatus(operation_id):
            operation = f"$rid={request_id}&operationId={quote(operation_id, safe='')}"
            topic = f"$dps/registrations/GET/iotdps-get-operationstatus/?{operation}"
            return Publication(topic, b"")
        case LookUpStatus():
            raise no_look_up()
        case _:
            assert_never(request)


def no_look_up() -> ConfigurationError:
    """Return the refusal of a look-up over MQTT.

    Microsoft documents two topics for requests: the one that registers, and the one that queries
    an operation. For the look-up there is a path over HTTPS only.
    """
    return ConfigurationError(
        "the service has no look-up of registrations over MQTT",
        setting="transport",
        hint="use transport='rest'",
    )


@dataclass(frozen=True, slots=True)
class ResponseTopic:
    """The content of a response topic."""

    request_id: str
    """The `$rid` of the request that the response belongs to, decoded."""
    status_code: int
    """The same number as the HTTP status."""
    retry_after: float | None
    """Minimum seconds to wait; None if the service did not say, or the value is not valid."""


@dataclass(frozen=True, slots=True)
class Unrelated:
    """A message that is not a response to a request of ours."""

    reason: str


def parse_response_topic(topic: str) -> ResponseTopic | Unrelated:
    """Parse the topic of a message: a response topic, or an unrelated one.

    The form is `$dps/registrations/res/{status}/?$rid={rid}[&retry-after={seconds}]`.

    Raises:
        MalformedResponseError: If it is a response topic that cannot be parsed: "topic", "status".
        ResponseTooLargeError: If it is longer than any response topic, or has more parameters:
            "topic".
    """
    if len(topic.encode(errors="replace")) > MAX_TOPIC_BYTES:
        raise _too_large(f"a topic is longer than {MAX_TOPIC_BYTES} bytes")

    form = _RESPONSE_TOPIC.fullmatch(topic)
    if form is None:
        return Unrelated("not a response topic")

    status, query = form.groups()
    parameters = _parameters(query or "")
    request_id = parameters.get("$rid")
    if request_id is None:
        return Unrelated("no $rid")

    if not _STATUS.fullmatch(status):
        raise MalformedResponseError(
            f"a response topic has the status {ascii(status)[:64]}", reason="status"
        )

    return ResponseTopic(request_id, int(status), _seconds(parameters.get("retry-after")))


def _parameters(query: str) -> dict[str, str]:
    """Return the decoded parameters of a topic's query.

    A parameter without `=` is ignored unless it is `$rid`, the only one that is required.
    """
    parts = query.split("&")
    if len(parts) > MAX_TOPIC_PARAMETERS:
        raise _too_large(f"a topic has more than {MAX_TOPIC_PARAMETERS} parameters")

    parameters: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if name in parameters or (name == "$rid" and not equals):
            raise _malformed(f"{name!a} twice, or without a value")

        if equals:
            parameters[name] = _decoded(value)

    return parameters


def _decoded(value: str) -> str:
    if "%" not in value:
        return value

    if _BROKEN_ESCAPE.search(value):
        raise _malformed("a broken percent escape")

    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError as exc:
        raise _malformed("a percent escape that is not UTF-8") from exc


def _seconds(text: str | None) -> float | None:
    """Parse `retry-after`, which the service writes as whole seconds."""
    return float(text) if text is not None and _SECONDS.fullmatch(text) else None


def _malformed(fault: str) -> MalformedResponseError:
    return MalformedResponseError(f"a response topic has {fault}", reason="topic")


def _too_large(message: str) -> ResponseTooLargeError:
    return ResponseTooLargeError(message, reason="topic")


def check_connack(packet: Connack) -> None:
    """Check that the service accepted the connection.

    The codes are those of MQTT 3.1.1, section 3.2.2.3. Microsoft's clients take 2, 4 and 5 as a
    rejected identity.

    Raises:
        ServiceError: If the service rejected the device, or is not available.
        ProtocolError: If it rejected the protocol, or the packet violates it.
    """
    if packet.code:
        raise _connack_error(packet.code)

    if packet.session_present:
        raise ProtocolError(
            "the service resumed a session, although a clean one was requested",
            reason="connack",
        )


def _connack_error(code: int) -> ProvisioningError:
    suffix = f"(CONNACK {code})"
    match code:
        case 1:
            return ProtocolError(
                f"the service does not support MQTT 3.1.1 {suffix}", reason="version"
            )
        case 2:
            return BadRequestError(
                f"the service rejected the registration id as MQTT client id {suffix}",
                status_code=400,
            )
        case 3:
            return ServiceUnavailableError(
                f"the service is not available {suffix}", status_code=503
            )
        case 4:
            return UnauthorizedError(
                f"the service rejected the user name or password {suffix}", status_code=401
            )
        case 5:
            return UnauthorizedError(
                f"the service did not authorize the device {suffix}", status_code=401
            )
        case _:
            return ProtocolError(
                f"the service rejected the connection with the unknown code {code}",
                reason="connack",
            )


def check_suback(packet: Suback) -> None:
    """Raise `ProtocolError` unless the service granted the subscription, at QoS 0 or 1."""
    if packet.code == _REJECTED:
        raise ProtocolError("the service rejected the subscription to responses", reason="suback")

    if packet.code > 1:
        raise ProtocolError(
            f"the service granted the subscription with the invalid code {packet.code}",
            reason="suback",
        )

"""DPS over MQTT 3.1.1: user name, topics, payloads, and what CONNACK and SUBACK say.

Source: Microsoft Learn, "Communicate with DPS using the MQTT protocol".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias, assert_never
from urllib.parse import quote, unquote_to_bytes

from aiodps.errors import (
    BadRequestError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from aiodps.protocol.limits import MAX_TOPIC_BYTES, MAX_TOPIC_PARAMETERS
from aiodps.protocol.messages import QueryStatus, Register, Request
from aiodps.protocol.mqtt_packets import Connack, Suback
from aiodps.protocol.payloads import registration_body

API_VERSION = "2019-03-31"
"""The api-version that the service's MQTT documentation names."""

RESPONSES = "$dps/registrations/res/#"
"""The only topic filter the service knows: every answer to this device."""

_RESPONSE_TOPIC = re.compile(r"\$dps/registrations/res/([^/?]+)/(?:\?(.*))?", re.DOTALL)
_STATUS = re.compile(r"[1-9][0-9]{2}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)

_REFUSED = 0x80
"""The SUBACK code for failure."""


def user_name(
    *, id_scope: str, registration_id: str, api_version: str, client_version: str
) -> str:
    """Build the user name of CONNECT; the values of its query are percent-encoded.

    The ids are taken as they are: what may stand in them (see `identifiers`) needs no encoding,
    and the service compares them as text.
    """
    query = f"api-version={quote(api_version, safe='')}"
    version = f"ClientVersion={quote(client_version, safe='')}"
    return f"{id_scope}/registrations/{registration_id}/{query}&{version}"


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published to ask the service for something."""

    topic: str
    payload: bytes


def publication(request: Request, *, registration_id: str, request_id: str) -> Publication:
    """Build topic and payload of a request; the service echoes `request_id` in its answer."""
    rid = quote(request_id, safe="")
    match request:
        case Register(payload):
            topic = f"$dps/registrations/PUT/iotdps-register/?$rid={rid}"
            return Publication(topic, registration_body(registration_id, payload))
        case QueryStatus(operation_id):
            operation = f"$rid={rid}&operationId={quote(operation_id, safe='')}"
            topic = f"$dps/registrations/GET/iotdps-get-operationstatus/?{operation}"
            return Publication(topic, b"")
        case _:
            assert_never(request)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the topic of an answer says."""

    request_id: str
    """The `$rid` of the request that is answered, decoded."""
    status_code: int
    """The same number that HTTP would have."""
    retry_after: float | None
    """Seconds the service asks to wait at least; None if it did not say, or not readably."""


@dataclass(frozen=True, slots=True)
class NotForUs:
    """A message that answers no request of ours, and why that is known."""

    why: str


ResponseTopic: TypeAlias = Answer | NotForUs


def parse_response_topic(topic: str) -> ResponseTopic:
    """Read the topic of a message: an answer, or something that is not for us.

    The form is `$dps/registrations/res/{status}/?$rid={rid}[&retry-after={seconds}]`.

    Raises:
        MalformedResponseError: If it is meant as an answer and cannot be read: "topic", "status".
        ResponseTooLargeError: If it is longer, or has more parameters, than any answer: "topic".
    """
    if len(topic.encode(errors="replace")) > MAX_TOPIC_BYTES:
        raise _too_large(f"a topic is longer than {MAX_TOPIC_BYTES} bytes")

    form = _RESPONSE_TOPIC.fullmatch(topic)
    if form is None:
        return NotForUs("not a topic of answers")

    status, query = form.groups()
    parameters = _parameters(query or "")
    request_id = parameters.get("$rid")
    if request_id is None:
        return NotForUs("no $rid")

    if not _STATUS.fullmatch(status):
        raise MalformedResponseError(
            f"the topic of an answer has the status {ascii(status)[:64]}", reason="status"
        )

    return Answer(request_id, int(status), _seconds(parameters.get("retry-after")))


def _parameters(query: str) -> dict[str, str]:
    """Read the query of a topic, decoded.

    A parameter without `=` is left out unless it is `$rid`: nothing else has to be readable.
    """
    parts = query.split("&")
    if len(parts) > MAX_TOPIC_PARAMETERS:
        raise _too_large(f"a topic has more than {MAX_TOPIC_PARAMETERS} parameters")

    parameters: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if name in parameters or (name == "$rid" and not equals):
            raise _malformed(f"{name!a} twice or without a value")

        if equals:
            parameters[name] = _decoded(value)

    return parameters


def _decoded(value: str) -> str:
    if _BROKEN_ESCAPE.search(value):
        raise _malformed("a broken percent escape")

    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError as exc:
        raise _malformed("a percent escape that is not UTF-8") from exc


def _seconds(text: str | None) -> float | None:
    """Read `retry-after`: the service writes whole seconds."""
    return float(text) if text is not None and _SECONDS.fullmatch(text) else None


def _malformed(fault: str) -> MalformedResponseError:
    return MalformedResponseError(f"the topic of an answer has {fault}", reason="topic")


def _too_large(message: str) -> ResponseTooLargeError:
    return ResponseTooLargeError(message, reason="topic")


def check_connack(packet: Connack) -> None:
    """Make sure that the service took the connection.

    The codes are those of MQTT 3.1.1, 3.2.2.3. Microsoft's clients take 2, 4 and 5 as a refused
    identity.

    Raises:
        ServiceError: If the service refused the device, or is not available.
        ProtocolError: If it refused the protocol, or says what it cannot mean.
    """
    if packet.code:
        raise _refusal(packet.code)

    if packet.session_present:
        raise ProtocolError(
            "the service claims to have kept a session, but a clean one was asked for",
            reason="connack",
        )


def _refusal(code: int) -> ProvisioningError:
    said = f"(CONNACK {code})"
    match code:
        case 1:
            return ProtocolError(f"the service does not speak MQTT 3.1.1 {said}", reason="version")
        case 2:
            return BadRequestError(
                f"the service refused the registration id as MQTT client id {said}",
                status_code=400,
            )
        case 3:
            return ServiceUnavailableError(f"the service is not available {said}", status_code=503)
        case 4:
            return UnauthorizedError(
                f"the service refused user name or password {said}", status_code=401
            )
        case 5:
            return UnauthorizedError(
                f"the service does not accept the device {said}", status_code=401
            )
        case _:
            return ProtocolError(
                f"the service refused the session with the unknown code {code}", reason="connack"
            )


def check_suback(packet: Suback) -> None:
    """Make sure that the service took our only subscription, at QoS 0 or 1.

    Raises:
        ProtocolError: If it did not.
    """
    if packet.code == _REFUSED:
        raise ProtocolError("the service refused the subscription to answers", reason="suback")

    if packet.code > 1:
        raise ProtocolError(
            f"the service granted the subscription with the code {packet.code}", reason="suback"
        )

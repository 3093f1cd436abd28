"""JSON bodies: build the request's, read the service's.

Reading is strict about form (see `strict_json`) and tolerant about content: unknown members are
kept, unknown words of open vocabularies too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from aiodps.errors import (
    ConfigurationError,
    IdentityMismatchError,
    MalformedResponseError,
    UnknownStatusError,
    UntrustedHubError,
)
from aiodps.models import Assignment, Json, JsonObject, RegistrationStatus, Substatus
from aiodps.protocol.limits import MAX_JSON_DEPTH, MAX_REQUEST_PAYLOAD
from aiodps.protocol.strict_json import malformed, read_object

AZURE_HUB_SUFFIXES = (
    ".azure-devices.net",
    ".azure-devices.us",
    ".azure-devices.cn",
    ".azure-devices.de",
)
"""Domains of IoT Hub in Azure's clouds; a hub elsewhere has to be allowed by the caller."""

_LARGEST_INT = 128
"""Bits of a whole number in a payload; more is a mistake, and Python would not write it."""

_OPERATION_ID = re.compile(r"[A-Za-z0-9._~:=,;!*()@-]{1,256}", re.ASCII)
_DEVICE_ID = re.compile(r"[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}", re.ASCII)
_HUB = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """`RegistrationOperationStatus` of the service, read."""

    operation_id: str | None
    """None if absent or empty (seen with status `disabled`)."""
    status: RegistrationStatus
    state: JsonObject
    """`registrationState`; empty if absent (as in the first answer)."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """`ProvisioningServiceErrorDetails` of the service, as far as it could be read."""

    error_code: int | None = None
    message: str | None = None
    tracking_id: str | None = None
    timestamp: str | None = None


def registration_body(registration_id: str, payload: JsonObject | None) -> bytes:
    """Build the body of a register request (`DeviceRegistration`)."""
    body: dict[str, Json] = {"registrationId": registration_id}
    if payload is not None:
        body["payload"] = payload

    return json.dumps(body, allow_nan=False).encode()


def check_payload(payload: object) -> JsonObject | None:
    """Return a copy of the custom payload if the service can take it; None means to send none.

    Raises:
        ConfigurationError: If it is no JSON object, or too deep or too large; the message names
            the place in it, never a value.
    """
    if payload is None:
        return None

    if not isinstance(payload, Mapping):
        raise _bad_payload(f"is a {type(payload).__name__}, not a JSON object")

    plain = _plain_object(payload, "payload", MAX_JSON_DEPTH)
    size = len(json.dumps(plain).encode())
    if size > MAX_REQUEST_PAYLOAD:
        raise _bad_payload(f"is {size} bytes as JSON, the service takes {MAX_REQUEST_PAYLOAD}")

    return plain


def _plain_object(value: Mapping[Any, object], place: str, depth: int) -> dict[str, Json]:
    for name in value:
        if not isinstance(name, str):
            raise _bad_payload(f"has a member name that is no text at {place[:200]}")

    return {name: _plain(member, f"{place}.{name}", depth - 1) for name, member in value.items()}


def _plain(value: object, place: str, depth: int) -> Json:
    """Copy a JSON value, and refuse what is none."""
    if depth < 0:
        raise _bad_payload(f"is nested more than {MAX_JSON_DEPTH} deep")

    match value:
        case None | bool() | str():
            return value
        case int() if value.bit_length() <= _LARGEST_INT:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise _bad_payload(f"has a number that JSON cannot carry at {place[:200]}")
        case Mapping():
            return _plain_object(value, place, depth)
        case list() | tuple():
            return [
                _plain(member, f"{place}[{index}]", depth - 1)
                for index, member in enumerate(value)
            ]
        case _:
            raise _bad_payload(f"has a {type(value).__name__} at {place[:200]}")


def _bad_payload(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the payload {fault}", setting="payload", hint="give a small JSON object"
    )


def parse_operation(body: bytes) -> OperationStatus:
    """Read the body of a register answer or of a status answer.

    Raises:
        MalformedResponseError: If it cannot be read.
        UnknownStatusError: If the status is a word this version does not know.
    """
    document = read_object(body)
    return OperationStatus(
        operation_id=_operation_id(document.get("operationId")),
        status=_status(document.get("status")),
        state=_state(document.get("registrationState")),
    )


def is_operation_id(value: object) -> TypeGuard[str]:
    """Whether something can be put into a URL and a topic as the id of an operation."""
    return isinstance(value, str) and _OPERATION_ID.fullmatch(value) is not None


def _operation_id(value: Json) -> str | None:
    if value is None or value == "":
        return None

    if is_operation_id(value):
        return value

    raise malformed("operationId", "the operation id cannot be used in a URL or a topic")


def _status(value: Json) -> RegistrationStatus:
    try:
        return RegistrationStatus(value)  # type: ignore[arg-type]  # any JSON value may be here
    except ValueError:
        word = ascii(value)[:64]
        raise UnknownStatusError(
            f"the service answered with the unknown status {word}",
            reason=word,
            hint="a newer aiodps may know it",
        ) from None


def _state(value: Json) -> JsonObject:
    if value is None:
        return {}

    if isinstance(value, Mapping):
        return value

    raise malformed("registrationState", "registrationState is not an object")


def check_same_device(state: JsonObject, registration_id: str) -> None:
    """Make sure that an answer is about this device; ids are compared without case.

    Raises:
        IdentityMismatchError: If it is about another one.
    """
    answered = state.get("registrationId", registration_id)
    if not isinstance(answered, str) or answered.casefold() != registration_id.casefold():
        raise IdentityMismatchError(
            f"the service answered about {ascii(answered)[:140]}",
            reason="response",
            hint="something between device and service mixes up answers",
        )


def parse_assignment(
    state: JsonObject,
    *,
    registration_id: str,
    transport: str,
    hub_suffixes: Sequence[str] = AZURE_HUB_SUFFIXES,
) -> Assignment:
    """Read `registrationState` of an assigned device.

    Raises:
        MalformedResponseError: If hub or device id are missing or cannot be right.
        UntrustedHubError: If the hub is in none of the allowed domains.
        IdentityMismatchError: If the answer is about another device.
    """
    if not state:
        raise malformed("registrationState", "assigned, but there is no registrationState")

    check_same_device(state, registration_id)
    return Assignment(
        registration_id=registration_id,
        device_id=_device_id(state.get("deviceId")),
        assigned_hub=_assigned_hub(state.get("assignedHub"), hub_suffixes),
        status=RegistrationStatus.ASSIGNED,
        substatus=_substatus(state.get("substatus")),
        created=_moment(state.get("createdDateTimeUtc")),
        updated=_moment(state.get("lastUpdatedDateTimeUtc")),
        etag=_text(state.get("etag")),
        payload=state.get("payload"),
        issued_certificate_chain=_texts(state.get("issuedCertificateChain")),
        enrollment_group_id=_enrollment_group_id(state),
        transport=transport,
        raw=state,
    )


def _device_id(value: Json) -> str:
    if isinstance(value, str) and _DEVICE_ID.fullmatch(value):
        return value

    raise malformed("deviceId", f"assigned, but the device id is {ascii(value)[:140]}")


def _assigned_hub(value: Json, suffixes: Sequence[str]) -> str:
    if value is None:
        raise malformed("assignedHub", "assigned, but no hub is named")

    if isinstance(value, str) and _HUB.fullmatch(value):
        host = value.casefold()
        if any(host.endswith(suffix.casefold()) for suffix in suffixes):
            return value

    raise UntrustedHubError(
        f"assigned to {ascii(value)[:140]}, which is in none of {', '.join(suffixes)}",
        reason=ascii(value)[:140],
    )


def _substatus(value: Json) -> Substatus | str | None:
    if not isinstance(value, str):
        return None

    try:
        return Substatus(value)
    except ValueError:
        return value


def _moment(value: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # any JSON value
    except (ValueError, TypeError):
        return None

    return moment if moment.tzinfo is not None else None


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()

    return tuple(item for item in value if isinstance(item, str))


def _enrollment_group_id(state: JsonObject) -> str | None:
    for mechanism in (state.get("x509"), state.get("symmetricKey")):
        if isinstance(mechanism, Mapping):
            group = mechanism.get("enrollmentGroupId")
            if isinstance(group, str):
                return group

    return None


def parse_error(body: bytes) -> ErrorDetails:
    """Read the body of an error answer; what cannot be read is None, nothing is raised."""
    try:
        document = read_object(body)
    except MalformedResponseError:
        return ErrorDetails()

    code = document.get("errorCode")
    return ErrorDetails(
        error_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=_short(document.get("message")),
        tracking_id=_short(document.get("trackingId")),
        timestamp=_short(document.get("timestampUtc")),
    )


def _short(value: Json) -> str | None:
    """Take a text of the service for a message: one line, at most 512 characters."""
    if not isinstance(value, str) or not value.strip():
        return None

    return " ".join(value.split())[:512]


def state_error(state: JsonObject) -> ErrorDetails:
    """Read why a registration `failed`, out of its `registrationState`."""
    code = state.get("errorCode")
    return ErrorDetails(
        error_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=_short(state.get("errorMessage")),
        tracking_id=_short(state.get("trackingId")),
        timestamp=_short(state.get("lastUpdatedDateTimeUtc")),
    )

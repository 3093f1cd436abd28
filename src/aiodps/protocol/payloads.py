"""JSON bodies: builds those of requests, parses those of responses.

Parsing is strict about syntax (see `strict_json`) and tolerant about content: unknown members are
kept, as are unknown values of extensible enumerations.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiodps.errors import (
    ConfigurationError,
    IdentityMismatchError,
    MalformedResponseError,
    UnknownStatusError,
    UntrustedHubError,
)
from aiodps.models import (
    Assignment,
    Json,
    JsonObject,
    RegistrationRecord,
    RegistrationStatus,
    Substatus,
)
from aiodps.printable import printable
from aiodps.protocol.identifiers import is_operation_id
from aiodps.protocol.limits import MAX_JSON_DEPTH, MAX_REQUEST_PAYLOAD
from aiodps.protocol.messages import TpmKeys
from aiodps.protocol.strict_json import malformed, read_object

AZURE_HUB_SUFFIXES = (
    ".azure-devices.net",
    ".azure-devices.us",
    ".azure-devices.cn",
    ".azure-devices.de",
)
"""Domains of IoT Hub in Azure's clouds; the caller has to allow any other."""

_MAX_INTEGER_BITS = 128
"""Bits of an integer in a payload; a larger one is a mistake, which Python may not even format."""

_DEVICE_ID = re.compile(r"[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}", re.ASCII)
_HUB = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """The service's `RegistrationOperationStatus`."""

    operation_id: str | None
    """None if absent or empty (seen with status `disabled`)."""
    status: RegistrationStatus
    state: JsonObject
    """`registrationState`; empty if absent (as in the first response)."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """The service's `ProvisioningServiceErrorDetails`; None for what could not be parsed."""

    error_code: int | None = None
    message: str | None = None
    challenge: bytes | None = field(default=None, repr=False)
    """For a TPM (`authenticationKey`)."""
    tracking_id: str | None = None
    timestamp: str | None = None


def registration_body(
    registration_id: str,
    payload: JsonObject | None,
    *,
    csr: str | None = None,
    tpm: TpmKeys | None = None,
) -> bytes:
    """Build the body of a register request (`DeviceRegistration`)."""
    body: dict[str, Json] = {"registrationId": registration_id}
    if csr is not None:
        body["csr"] = csr

    if tpm is not None:
        keys = {"endorsementKey": tpm.endorsement_key, "storageRootKey": tpm.storage_root_key}
        body["tpm"] = {name: base64.b64encode(key).decode() for name, key in keys.items()}

    if payload is not None:
        body["payload"] = payload

    return json.dumps(body, allow_nan=False).encode()


def check_payload(payload: object) -> JsonObject | None:
    """Return a copy of the custom payload if it is valid; None means to send none.

    Raises:
        ConfigurationError: If it is not a JSON object, or too deep or too large; the message
            names the position, never a value.
    """
    if payload is None:
        return None

    if not isinstance(payload, Mapping):
        raise _bad_payload(f"is a {type(payload).__name__}, not a JSON object")

    plain = _plain_object(payload, "payload", MAX_JSON_DEPTH)
    size = len(json.dumps(plain).encode())
    if size > MAX_REQUEST_PAYLOAD:
        raise _bad_payload(f"has {size} bytes as JSON, the maximum is {MAX_REQUEST_PAYLOAD}")

    return plain


def _plain_object(value: Mapping[Any, object], path: str, depth: int) -> dict[str, Json]:
    for name in value:
        if not isinstance(name, str):
            raise _bad_payload(f"has a member name that is not a string at {path[:200]}")

    return {name: _plain(member, f"{path}.{name}", depth - 1) for name, member in value.items()}


def _plain(value: object, path: str, depth: int) -> Json:
    """Return a copy of a JSON value, or raise an error if it is not one."""
    if depth < 0:
        raise _bad_payload(f"is nested more than {MAX_JSON_DEPTH} levels deep")

    match value:
        case None | bool() | str():
            return value
        case int() if value.bit_length() <= _MAX_INTEGER_BITS:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise _bad_payload(f"has a number that JSON cannot represent at {path[:200]}")
        case Mapping():
            return _plain_object(value, path, depth)
        case list() | tuple():
            return [
                _plain(member, f"{path}[{index}]", depth - 1) for index, member in enumerate(value)
            ]
        case _:
            raise _bad_payload(f"has a {type(value).__name__} at {path[:200]}")


def _bad_payload(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the payload {fault}", setting="payload", hint="give a small JSON object"
    )


def parse_operation(body: bytes) -> OperationStatus:
    """Parse the body of a response to a register request or a status query.

    Raises:
        MalformedResponseError: If it cannot be parsed.
        UnknownStatusError: If the status is unknown to this version.
    """
    document = read_object(body)
    return OperationStatus(
        operation_id=_operation_id(document.get("operationId")),
        status=_status(document.get("status")),
        state=_state(document.get("registrationState")),
    )


def _operation_id(value: Json) -> str | None:
    if value is None or value == "":
        return None

    if is_operation_id(value):
        return value

    raise malformed("operationId", "the operation id is not safe in a URL or a topic")


def _status(value: Json) -> RegistrationStatus:
    try:
        return RegistrationStatus(value)  # type: ignore[arg-type]  # any JSON value may be here
    except ValueError:
        word = ascii(value)[:64]
        raise UnknownStatusError(
            f"the service returned the unknown status {word}",
            reason=word,
            hint="check for a newer version of aiodps",
        ) from None


def _state(value: Json) -> JsonObject:
    if value is None:
        return {}

    if isinstance(value, dict):
        return value

    raise malformed("registrationState", "registrationState is not an object")


def check_same_device(state: JsonObject, registration_id: str) -> None:
    """Raise `IdentityMismatchError` unless a response is about this device, ignoring case."""
    received = state.get("registrationId", registration_id)
    if not isinstance(received, str) or received.casefold() != registration_id.casefold():
        raise IdentityMismatchError(
            f"the response is about the device {ascii(received)[:140]}",
            reason="response",
            hint="something between the device and the service mixes up responses",
        )


def parse_assignment(
    state: JsonObject,
    *,
    registration_id: str,
    transport: str,
    hub_suffixes: Sequence[str] = AZURE_HUB_SUFFIXES,
) -> Assignment:
    """Parse the `registrationState` of an assigned device.

    Raises:
        MalformedResponseError: If hub or device id are missing or not valid.
        UntrustedHubError: If the hub is in none of the allowed domains.
        IdentityMismatchError: If the response is about another device.
    """
    if not state:
        raise malformed(
            "registrationState", "the device is assigned, but there is no registrationState"
        )

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
        connection_profile=_text(state.get("connectionProfile")),
        enrollment_group_id=_enrollment_group_id(state),
        transport=transport,
        raw=state,
    )


def parse_record(
    body: bytes,
    *,
    registration_id: str,
    transport: str,
    hub_suffixes: Sequence[str] = AZURE_HUB_SUFFIXES,
) -> RegistrationRecord:
    """Parse the response to a look-up: a `DeviceRegistrationResult`, not wrapped.

    What the service leaves out is None; what it says has to be valid, as in an assignment.

    Raises:
        MalformedResponseError: If it cannot be parsed, or the device id is not valid.
        UnknownStatusError: If the status is unknown to this version.
        UntrustedHubError: If the hub is in none of the allowed domains.
        IdentityMismatchError: If the response is about another device.
    """
    state = read_object(body)
    check_same_device(state, registration_id)
    hub, device_id, why = state.get("assignedHub"), state.get("deviceId"), state_error(state)
    return RegistrationRecord(
        registration_id=registration_id,
        status=_status(state.get("status")),
        substatus=_substatus(state.get("substatus")),
        assigned_hub=None if hub is None else _assigned_hub(hub, hub_suffixes),
        device_id=None if device_id is None else _device_id(device_id),
        created=_moment(state.get("createdDateTimeUtc")),
        updated=_moment(state.get("lastUpdatedDateTimeUtc")),
        etag=_text(state.get("etag")),
        error_code=why.error_code,
        error_message=why.message,
        payload=state.get("payload"),
        connection_profile=_text(state.get("connectionProfile")),
        enrollment_group_id=_enrollment_group_id(state),
        transport=transport,
        raw=state,
    )


def _device_id(value: Json) -> str:
    if isinstance(value, str) and _DEVICE_ID.fullmatch(value):
        return value

    raise malformed(
        "deviceId", f"the device is assigned, but its device id is {ascii(value)[:140]}"
    )


def _assigned_hub(value: Json, suffixes: Sequence[str]) -> str:
    if value is None:
        raise malformed("assignedHub", "the device is assigned, but no hub is named")

    if isinstance(value, str) and _HUB.fullmatch(value):
        host = value.casefold()
        if any(host.endswith(suffix.casefold()) for suffix in suffixes):
            return value

    raise UntrustedHubError(
        f"the assigned hub {ascii(value)[:140]} is in none of the domains {', '.join(suffixes)}",
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
    """Return the strings of a list; what is not a string leaves its place empty."""
    if not isinstance(value, list):
        return ()

    return tuple(item if isinstance(item, str) else "" for item in value)


def _enrollment_group_id(state: JsonObject) -> str | None:
    for mechanism in (state.get("x509"), state.get("symmetricKey")):
        if isinstance(mechanism, dict):
            group = mechanism.get("enrollmentGroupId")
            if isinstance(group, str):
                return group

    return None


def hub_challenge(state: JsonObject) -> bytes | None:
    """Return the challenge with a TPM's key for its hub, from a `registrationState`, or None."""
    tpm = state.get("tpm")
    return _challenge(tpm.get("authenticationKey")) if isinstance(tpm, dict) else None


def _challenge(value: Json) -> bytes | None:
    if not isinstance(value, str) or not value:
        return None

    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return None


def parse_error(body: bytes) -> ErrorDetails:
    """Parse the body of an error response; raises nothing."""
    try:
        return _error_details(read_object(body), message="message", timestamp="timestampUtc")
    except MalformedResponseError:
        return ErrorDetails()


def error_time(details: ErrorDetails) -> float | None:
    """Return the time of an error in seconds since 1970; None if absent or not valid."""
    moment = _moment(details.timestamp)
    return None if moment is None else moment.timestamp()


def earlier_device_id(state: JsonObject) -> str | None:
    """Return the device id in the `registrationState` of a failed registration, if any."""
    value = state.get("deviceId")
    return value if isinstance(value, str) and _DEVICE_ID.fullmatch(value) else None


def state_error(state: JsonObject) -> ErrorDetails:
    """Return why a registration is `failed` or `disabled`, from its `registrationState`."""
    return _error_details(state, message="errorMessage", timestamp="lastUpdatedDateTimeUtc")


def _error_details(document: JsonObject, *, message: str, timestamp: str) -> ErrorDetails:
    code = document.get("errorCode")
    return ErrorDetails(
        error_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=_single_line(document.get(message)),
        challenge=_challenge(document.get("authenticationKey")),
        tracking_id=_single_line(document.get("trackingId")),
        timestamp=_single_line(document.get(timestamp)),
    )


def _single_line(value: Json) -> str | None:
    """Return a string as one printable line of at most 512 characters; None if there is none."""
    if not isinstance(value, str) or not value.strip():
        return None

    return printable(" ".join(value.split()))[:512]

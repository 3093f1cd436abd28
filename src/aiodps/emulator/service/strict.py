"""Strict checks: requests that the service merely tolerates are refused, by `strict_rules`.

Each refusal names its rule. Its status is 400 for the form of a request, 401 for credentials, 409
and 429 for its time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from aiodps.emulator.protocol.api_versions import has_csr, has_payload
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_object
from aiodps.emulator.protocol.messages import Identity, Operation, Request, Response, Transport
from aiodps.emulator.protocol.strict_rules import StrictRule
from aiodps.emulator.service.authentication.sas import SasError, SharedAccessSignature
from aiodps.emulator.service.registrations.record import RegistrationRecord
from aiodps.input_files.certificates import UNREADABLE
from aiodps.pki.credential import common_name, extension

SLACK: Final = 0.01
"""Seconds by which a device may poll early: clocks and timers are not finer."""
MAX_DEVICES: Final = 100_000
"""Most devices whose waits are kept; one more drops the oldest wait."""
_WITH_BODY = frozenset({Operation.REGISTER, Operation.STATUS_LOOKUP})


class Strict:
    """The strict rules, and the waits asked of devices; `now` is in seconds since 1970."""

    def __init__(self, id_scope: str) -> None:
        self._id_scope = id_scope
        self._waits: OrderedDict[str, float] = OrderedDict()

    def check(self, request: Request, identity: Identity, *, now: float) -> None:
        """Refuse a request that deviates from the specification.

        Raises:
            Refusal: With the name of the first rule it breaks.
        """
        for deviation in request.deviations():
            raise _broken(deviation)

        if request.id_scope != self._id_scope:
            raise _broken(StrictRule.ID_SCOPE)

        if not request.registration_id[0].isalnum():
            raise _broken(StrictRule.REGISTRATION_ID)

        if request.operation is Operation.OPERATION_STATUS and request.body:
            raise _broken(StrictRule.POLL_PAYLOAD)

        if request.operation in _WITH_BODY:
            _check_body(request)

        _check_proof(request, identity, now=now)

    def check_time(
        self, request: Request, record: RegistrationRecord | None, *, now: float
    ) -> None:
        """Refuse an authenticated device that comes too early.

        Raises:
            Refusal: With the name of the rule it breaks.
        """
        if request.operation is Operation.OPERATION_STATUS:
            left = self._waits.get(request.registration_id.lower(), 0.0) - now
            if left > SLACK:
                raise _broken(
                    StrictRule.EARLY_POLL, ErrorCode.THROTTLED, retry_after=math.ceil(left)
                )

        latest = record.operations[-1] if record else None
        if request.operation is Operation.REGISTER and latest and latest.result(now) is None:
            raise _broken(StrictRule.IN_FLIGHT, ErrorCode.REGISTRATION_CONFLICT)

    def note_retry_after(self, request: Request, response: Response, *, now: float) -> None:
        """Record the wait that a device is asked for."""
        if response.status_code >= 300:  # noqa: PLR2004 (HTTP's successes)
            return

        key = request.registration_id.lower()
        self._waits.pop(key, None)
        if response.retry_after is not None:
            self._waits[key] = now + response.retry_after
            if len(self._waits) > MAX_DEVICES:
                self._waits.popitem(last=False)


def _check_body(request: Request) -> None:
    try:
        document = read_object(request.body) if request.body else {}
    except ValueError:
        return  # refused for that

    version = request.api_version or ""
    known = {"registrationId", "tpm"}
    known |= {"payload"} if has_payload(version) else set()
    known |= {"csr"} if has_csr(version) else set()
    _raise_first(
        {
            StrictRule.MEMBERS: not set(document) <= known,
            StrictRule.NULL: None in document.values(),
            StrictRule.REGISTRATION_ID_MISSING: "registrationId" not in document,
            StrictRule.REGISTRATION_ID_CASING: document.get("registrationId")
            != request.registration_id,
        }
    )


def _check_proof(request: Request, identity: Identity, *, now: float) -> None:
    rejected = ErrorCode.UNAUTHORIZED
    if identity.certificates:
        if identity.authorization:
            raise _broken(StrictRule.TWO_PROOFS, rejected)

        if not _is_named_exactly(identity, request.registration_id):
            raise _broken(StrictRule.COMMON_NAME, rejected)

        _check_leaf(identity.certificates[0])

    if identity.authorization:
        _check_token(request, identity.authorization, now=now)


def _check_leaf(leaf: x509.Certificate) -> None:
    """Refuse a device's certificate that DPS does not accept, as Microsoft's engineers wrote.

    "CA=false and EKU=ClientAuth which are mandatory for DPS certificates" (azure-sdk-for-c PR
    2006); that a leaf without clientAuth did not authenticate: azure-iot-sdk-c PR 1519.
    """
    try:
        constraints = extension(leaf, x509.BasicConstraints)
        usage = extension(leaf, x509.ExtendedKeyUsage)
    except UNREADABLE:
        return  # refused for that

    _raise_first(
        {
            StrictRule.LEAF_CA: constraints is None or constraints.ca,
            StrictRule.LEAF_USAGE: usage is None or ExtendedKeyUsageOID.CLIENT_AUTH not in usage,
        },
        ErrorCode.UNAUTHORIZED,
    )


def _check_token(request: Request, text: str, *, now: float) -> None:
    try:
        token = SharedAccessSignature.read(text)
    except SasError:
        return  # refused for that

    resource = f"{request.id_scope}/registrations/{request.registration_id}"
    is_other = token.is_for(resource) and token.raw_resource != quote(resource, safe="")
    over_mqtt = request.transport is Transport.MQTT
    broken = {
        StrictRule.SAS_RESOURCE: is_other,
        StrictRule.SAS_SIGNATURE: not token.escaped,
        StrictRule.SAS_POLICY: token.policy != "registration",
        StrictRule.SAS_EXPIRED: token.expiry < now,
    }
    _raise_first(broken, ErrorCode.KEY_REJECTED if over_mqtt else ErrorCode.UNAUTHORIZED)


def _is_named_exactly(identity: Identity, registration_id: str) -> bool:
    """Whether the CN has the casing of the registration id, or is another one altogether."""
    try:
        name = common_name(identity.certificates[0])
    except UNREADABLE:
        return True  # refused for that

    return name == registration_id or name.lower() != registration_id.lower()


def _raise_first(
    broken: Mapping[StrictRule, bool], code: ErrorCode = ErrorCode.INVALID_REQUEST
) -> None:
    for rule, is_broken in broken.items():
        if is_broken:
            raise _broken(rule, code)


def _broken(
    deviation: StrictRule,
    code: ErrorCode = ErrorCode.INVALID_REQUEST,
    *,
    retry_after: int | None = None,
) -> Refusal:
    message = f"Strict rule {deviation.rule}: {deviation.advice}."
    return Refusal(code, message, retry_after=retry_after)

"""The certificates of an instance as Azure Resource Manager (ARM) shows them.

Source: Microsoft's REST reference of `Microsoft.Devices/provisioningServices/certificates`. Older
versions upload `{"certificate": ...}`, from 2022 on it is `{"properties": {"certificate": ...}}`;
either is taken under any version, and all answer alike. Dates are RFC 1123: Microsoft's own
clients fail on any other form.
"""

from __future__ import annotations

import base64
import email.utils
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.service.certificates import CaCertificate, CaCertificates
from aiodps.emulator.service.refusals import ErrorCode, refusal
from aiodps.emulator.service.x509_rules import subject
from aiodps.emulator.wire import ManagementRequest, ManagementResponse
from aiodps.errors import NotFoundError, ServiceError
from aiodps.models import JsonObject

ARM_PREFIX = "/subscriptions/"
"""How every path of ARM begins."""

API_VERSIONS = frozenset(
    {
        "2017-08-21-preview",
        "2017-11-15",
        "2018-01-22",
        "2020-01-01",
        "2020-03-01",
        "2020-09-01-preview",
        "2021-10-15",
        "2022-02-05",
        "2022-12-12",
        "2023-03-01-preview",
        "2025-02-01-preview",
        "2026-03-01-preview",
        "2026-06-01-preview",
        "2026-11-01",
    }
)
"""Versions of the management API."""

_PATH = re.compile(
    r"(?P<instance>/subscriptions/[^/]+/resourceGroups/[^/]+"
    r"/providers/Microsoft\.Devices/provisioningServices/[^/]+)"
    r"/certificates(?:/(?P<name>[^/]+)(?:/(?P<action>generateVerificationCode|verify))?)?/?",
    re.IGNORECASE,
)


def handle_arm(
    certificates: CaCertificates, request: ManagementRequest, *, now: float
) -> ManagementResponse:
    """Answer one call to the certificates of an instance, whatever it is; never raises.

    Args:
        certificates: Of the instance. Subscription, resource group and name of the instance may be
            anything.
        request: Any bearer token will do.
        now: Seconds since 1970.
    """
    try:
        _check_caller(request)
        status_code, body = _Call(certificates, request, now=now).answer()
    except ServiceError as refused:
        status_code, body = refused.status_code, _error_to_json(refused)

    return ManagementResponse(status_code=status_code, body=body)


class _Call:
    """One call, taken apart."""

    def __init__(
        self,
        certificates: CaCertificates,
        request: ManagementRequest,
        *,
        now: float,
    ) -> None:
        parts = _PATH.fullmatch(request.path)
        if parts is None:
            raise refusal(ErrorCode.NOT_FOUND, "No such resource.")

        self.certificates = certificates
        self.method = request.method
        self.instance = parts["instance"]
        self.name = unquote(parts["name"] or "")
        self.action = (parts["action"] or "").lower()
        self.if_match = request.headers.get("if-match")
        self.body = request.body
        self.now = now

    def answer(self) -> tuple[int, JsonObject | None]:
        match self.method, bool(self.name), self.action:
            case "GET", False, "":
                return 200, {"value": [self._show(each) for each in self.certificates]}
            case "GET", True, "":
                found = self.certificates.get(self.name, if_match=self.if_match)
                return 200, self._show(found)
            case "PUT", True, "":
                return 200, self._show(self._upload())
            case "DELETE", True, "":
                return self._delete()
            case "POST", True, "generateverificationcode":
                return 200, self._show_code(self._generate())
            case "POST", True, "verify":
                return 200, self._show(self._verify())
            case _:
                raise refusal(ErrorCode.NOT_ALLOWED, "The resource does not take this method.")

    def _upload(self) -> CaCertificate:
        document = _read_object(self.body)
        verified = document.get("isVerified")
        if not isinstance(verified, bool | None):
            raise refusal(ErrorCode.BAD_REQUEST, "isVerified is neither true nor false.")

        return self.certificates.upload(
            self.name,
            _certificate(document),
            verified=bool(verified),
            if_match=self.if_match,
            now=self.now,
        )

    def _delete(self) -> tuple[int, JsonObject | None]:
        try:
            self.certificates.delete(self.name, if_match=self._required_etag())
        except NotFoundError:
            return 204, None

        return 200, None

    def _generate(self) -> CaCertificate:
        return self.certificates.generate_verification_code(
            self.name, if_match=self._required_etag(), now=self.now
        )

    def _verify(self) -> CaCertificate:
        proof = _certificate(_read_object(self.body))
        return self.certificates.verify(
            self.name, proof, if_match=self._required_etag(), now=self.now
        )

    def _required_etag(self) -> str:
        if self.if_match is None:
            raise refusal(ErrorCode.INVALID_REQUEST, "The header If-Match is missing.")

        return self.if_match

    def _show(self, certificate: CaCertificate) -> dict[str, Any]:
        return {
            "id": f"{self.instance}/certificates/{certificate.name}",
            "name": certificate.name,
            "type": "Microsoft.Devices/provisioningServices/certificates",
            "etag": certificate.etag,
            "properties": _properties(certificate),
        }

    def _show_code(self, certificate: CaCertificate) -> dict[str, Any]:
        document = self._show(certificate)
        document["properties"]["verificationCode"] = certificate.verification_code
        return document


def _check_caller(request: ManagementRequest) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refusal(ErrorCode.UNAUTHORIZED, "A bearer token is missing.")

    if request.api_version not in API_VERSIONS:
        raise refusal(
            ErrorCode.INVALID_REQUEST, f"Unsupported api-version {request.api_version!a}."
        )


def _read_object(body: bytes) -> Mapping[str, Any]:
    """Return the members that count, be they flat or under `properties`."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise refusal(ErrorCode.BAD_REQUEST, "The body is not JSON.") from exc

    if isinstance(document, dict):
        document = document.get("properties", document)

    if not isinstance(document, dict):
        raise refusal(ErrorCode.BAD_REQUEST, "The body is not a JSON object.")

    return document


def _certificate(document: Mapping[str, Any]) -> str:
    certificate = document.get("certificate")
    if isinstance(certificate, str):
        return certificate

    raise refusal(ErrorCode.BAD_REQUEST, "The certificate is missing.")


def _properties(ca: CaCertificate) -> dict[str, Any]:
    certificate = ca.certificate
    return {
        "subject": subject(certificate),
        "expiry": _rfc1123(certificate.not_valid_after_utc.timestamp()),
        "thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 (ARM's)
        "isVerified": ca.verified,
        "created": _rfc1123(ca.created),
        "updated": _rfc1123(ca.updated),
        "certificate": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(),
    }


def _rfc1123(time: float) -> str:
    return email.utils.formatdate(time, usegmt=True)


def _error_to_json(refused: ServiceError) -> JsonObject:
    return {
        "code": HTTPStatus(refused.status_code).phrase.replace(" ", ""),
        "httpStatusCode": str(refused.status_code),
        "message": refused.message,
        "details": "",
    }

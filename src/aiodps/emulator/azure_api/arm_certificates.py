"""The certificates of an instance as Azure Resource Manager (ARM) shows them.

Source: Microsoft's REST reference of `Microsoft.Devices/provisioningServices/certificates`. Older
versions upload `{"certificate": ...}`, from 2022 on it is `{"properties": {"certificate": ...}}`;
either is accepted under any version, and the responses are the same. Dates are RFC 1123:
Microsoft's own clients fail on any other form. Parameters of DELETE and POST such as
`certificate.name` and `certificate.purpose` are ignored.
"""

from __future__ import annotations

import base64
import email.utils
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import ANY
from aiodps.emulator.protocol.json_input import read_body
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.protocol.x509 import subject
from aiodps.emulator.service.authentication.ca_certificates import CaCertificate, CaCertificates


class CertificateCalls:
    """The calls for CA certificates.

    Args:
        certificates: Of the instance.
        request: Its headers and body; the path has been routed already.
        instance: Resource id of the instance, as in the path.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        certificates: CaCertificates,
        request: ManagementRequest,
        *,
        instance: str,
        now: float,
    ) -> None:
        self._certificates = certificates
        self._instance = instance
        self._body = request.body
        self._if_match = request.headers.get("if-match")
        self._if_none_match = request.headers.get("if-none-match")
        self._now = now

    def list(self) -> ManagementResponse:
        """List all certificates."""
        return _ok({"value": [self._show(each) for each in self._certificates]})

    def get(self, name: str) -> ManagementResponse:
        """Return a certificate."""
        return _ok(self._show(self._certificates.get(name, if_match=self._if_match)))

    def put(self, name: str) -> ManagementResponse:
        """Add or replace a certificate."""
        document = _read_members(self._body)
        verified = document.get("isVerified")
        if not isinstance(verified, bool | None):
            raise Refusal(ErrorCode.BAD_REQUEST, "isVerified is neither true nor false.")

        if self._if_none_match == ANY and self._certificates.has(name):
            raise Refusal(ErrorCode.PRECONDITION_FAILED, "The certificate exists already.")

        uploaded = self._certificates.upload(
            name,
            _certificate(document),
            verified=bool(verified),
            if_match=self._if_match,
            now=self._now,
        )
        return _ok(self._show(uploaded))

    def delete(self, name: str) -> ManagementResponse:
        """Delete a certificate; 204 if it does not exist."""
        try:
            self._certificates.delete(name, if_match=self._required_etag())
        except Refusal as refused:
            if refused.code is not ErrorCode.NOT_FOUND:
                raise

            return ManagementResponse(status_code=204)

        return ManagementResponse(status_code=200)

    def generate_verification_code(self, name: str) -> ManagementResponse:
        """Generate a verification code."""
        certificate = self._certificates.generate_verification_code(
            name, if_match=self._required_etag(), now=self._now
        )
        document = self._show(certificate)
        document["properties"]["verificationCode"] = certificate.verification_code
        return _ok(document)

    def verify(self, name: str) -> ManagementResponse:
        """Verify a proof of possession."""
        proof = _certificate(_read_members(self._body))
        etag = self._required_etag()
        verified = self._certificates.verify(name, proof, if_match=etag, now=self._now)
        return _ok(self._show(verified))

    def _required_etag(self) -> str:
        if self._if_match is None:
            raise Refusal(ErrorCode.INVALID_REQUEST, "The header If-Match is missing.")

        return self._if_match

    def _show(self, certificate: CaCertificate) -> dict[str, Any]:
        return {
            "id": f"{self._instance}/certificates/{certificate.name}",
            "name": certificate.name,
            "type": "Microsoft.Devices/provisioningServices/certificates",
            "etag": certificate.etag,
            "properties": _properties(certificate),
        }


def _ok(body: Mapping[str, Any]) -> ManagementResponse:
    return ManagementResponse(status_code=200, body=body)


def _read_members(body: bytes) -> Mapping[str, Any]:
    """Return the members of a body, flat or below `properties`."""
    document = read_body(body)
    members = document.get("properties", document)
    if isinstance(members, dict):
        return members

    raise Refusal(ErrorCode.BAD_REQUEST, "The properties are not a JSON object.")


def _certificate(document: Mapping[str, Any]) -> str:
    certificate = document.get("certificate")
    if isinstance(certificate, str):
        return certificate

    raise Refusal(ErrorCode.BAD_REQUEST, "The certificate is missing.")


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

"""Every exception that leaves aiodps.

    ProvisioningError
    ├── ConfigurationError (ValueError)     an argument or setting is not valid; nothing was sent
    ├── UsageError (RuntimeError)           the client does not support this use
    ├── CredentialError                     the credential cannot be used; nothing was sent
    │   ├── CertificateError                the certificate or its chain
    │   ├── PrivateKeyError                 the private key or its password
    │   ├── SymmetricKeyError               the symmetric key, or the function that signs
    │   ├── TpmError                        the TPM, or what it does with a challenge
    │   └── IdentityMismatchError           two different registration ids in one registration
    ├── TransportError                      no response; retried
    │   ├── DnsError                        the endpoint's name was not found
    │   ├── ConnectError                    the endpoint could not be connected to
    │   ├── ConnectionLostError             an open connection was lost
    │   ├── TransportTimeoutError (TimeoutError)  a phase exceeded its time limit
    │   ├── ProxyError                      the proxy did not connect to the service
    │   └── ResourceError                   this machine ran out of a resource
    ├── TlsError                            TLS failed; never retried
    │   ├── ServerIdentityError             the server's certificate was not accepted
    │   ├── ClientCertificateRejectedError  the server rejected the device's certificate
    │   └── TlsProtocolError                client and server could not agree on TLS
    ├── ProtocolError                       the response violates the protocol
    │   ├── MalformedResponseError          a response that cannot be parsed
    │   ├── ResponseTooLargeError           a response over a size limit; never held in memory
    │   ├── RedirectRefusedError            a redirect, which is never followed
    │   ├── UnknownStatusError              a registration status unknown to this version
    │   └── UntrustedHubError               an assigned hub outside the allowed domains
    ├── IssuanceError                       assigned, without the certificate it asked for
    ├── ServiceError                        the service refused, with its codes
    │   ├── BadRequestError                 400 and similar
    │   ├── UnauthorizedError               401, or CONNACK 4 and 5
    │   ├── ForbiddenError                  403
    │   ├── NotFoundError                   404
    │   ├── ConflictError                   409, 412
    │   ├── ThrottledError                  429, and no time left to retry
    │   ├── ServiceUnavailableError         5xx, and no time left to retry
    │   ├── UnexpectedStatusError           a status code that DPS does not define
    │   ├── RegistrationFailedError         status `failed`
    │   └── RegistrationDisabledError       status `disabled`
    ├── JournalError                        a fleet's journal cannot be written or read
    └── ProvisioningTimeoutError (TimeoutError)  the overall deadline passed

Each error says where it happened (`phase`, `transport`), after how many attempts and how much time
(`attempts`, `elapsed`), for which device (`registration_id`), and one next step (`hint`). The
original exception, if there was one, is its `__cause__`. A message has no secret, and only prints.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aiodps.error_base import ProvisioningError as ProvisioningError  # noqa: PLC0414 (its home)
from aiodps.error_base import _ReasonedError
from aiodps.models import Phase, RegistrationStatus


class ConfigurationError(ProvisioningError, ValueError):
    """An argument or setting is not valid; nothing was sent."""

    default_hint = "correct the setting named in the message"

    def __init__(self, message: str, *, setting: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.setting = setting
        """Name of the argument or setting that is not valid."""


class UsageError(ProvisioningError, RuntimeError):
    """The client does not support this use."""

    default_hint = "use a separate registration for each device"


class CredentialError(_ReasonedError):
    """The device's credential cannot be used; nothing was sent."""

    default_hint = "`aiodps certs show FILE` shows what a file contains"


class CertificateError(CredentialError):
    """The certificate or its chain cannot be used.

    Reasons: "not_a_path", "unreadable", "not_regular", "too_large", "timeout" (of a pipe),
    "empty", "not_pem", "truncated", "bad_base64", "utf16", "swapped", "expired", "not_yet_valid",
    "no_cn", "not_a_ca".
    """


class PrivateKeyError(CredentialError):
    """The private key cannot be used.

    Reasons: "not_a_path", "unreadable", "not_regular", "too_large", "timeout" (of a pipe),
    "empty", "not_pem", "truncated", "bad_base64", "utf16", "swapped", "no_key", "public_key",
    "wrong_password", "password_missing", "password_callback", "mismatch", "weak",
    "unsupported_curve", "provider" and "token" (of a key in a token).
    """


class SymmetricKeyError(CredentialError):
    """The symmetric key cannot be used.

    Reasons: "not_a_path", "unreadable", "not_regular", "too_large", "timeout" (of a pipe),
    "empty", "utf16", "bad_base64", "too_short", "too_long", "sign" (the function that signs
    failed).
    """

    default_hint = "copy the primary key of the device's enrollment from the portal, as it is"


class TpmError(CredentialError):
    """The TPM cannot be used: "keys", "activation", "sign"; more reasons are in docs/tpm.md."""

    default_hint = "check that the enrollment has this TPM's endorsement key"


class IdentityMismatchError(CredentialError):
    """Two different registration ids in one registration.

    Reasons: "certificate" (the CN is not the registration id), "cn" (the CN cannot be a
    registration id), "symmetric_key" and "tpm" (the credential is for another registration id),
    "response" (the response is about another device).
    """

    default_hint = "the certificate's CN has to be the registration id"


class TransportError(ProvisioningError):
    """No response arrived; the registration is retried until its deadline."""

    default_hint = "check endpoint, port and network; the device's credential is not the cause"
    persistent: bool = False
    """Whether it seldom passes, and is retried a few times only: no such name, port refused."""


class DnsError(TransportError):
    """The endpoint's name was not found."""

    default_hint = "check the spelling of the endpoint and the DNS servers of this machine"


class ConnectError(TransportError):
    """The endpoint could not be connected to."""

    default_hint = "check that the port can be reached from here: 8883 for mqtt, 443 for others"


class ConnectionLostError(TransportError):
    """An open connection was lost."""

    default_hint = "if it repeats, check port and transport; look for a proxy or a second client"


class TransportTimeoutError(TransportError, TimeoutError):
    """A phase exceeded its time limit; `phase` says which."""

    default_hint = "the server accepts connections but does not respond: check the endpoint"


class ProxyError(TransportError):
    """The proxy did not connect to the service; it is never the service that has refused.

    Reasons: "authentication" (user and password), "forbidden" (this endpoint or port), "refused"
    (it does not take such requests): these are never retried. "unavailable" (it could not reach
    the service), "protocol" (what answered is not a proxy of this scheme).
    """

    default_hint = "check that the proxy can reach endpoint and port"

    def __init__(
        self, message: str, *, reason: str, status_code: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        """Why, in one word."""
        self.status_code = status_code
        """The proxy's HTTP status or SOCKS reply; None if it gave none."""


class ResourceError(TransportError):
    """This machine ran out of a resource, usually file descriptors."""

    default_hint = "raise `ulimit -n`, or provision fewer devices at once"


class TlsError(_ReasonedError):
    """TLS failed; never retried."""

    default_hint = "see docs/troubleshooting.md"
    phase = Phase.TLS


class ServerIdentityError(TlsError):
    """The server's certificate was not accepted; no request was sent.

    Reasons: "expired", "not_yet_valid", "wrong_host", "self_signed", "untrusted_root",
    "incomplete_chain", "wrong_purpose", "bad_chain", "name_constraint", "weak_key",
    "weak_signature", "revoked", "revocation_unknown", "no_certificate", "other".
    """

    default_hint = "correct the endpoint, or give the server's CA with trust= (--trust)"


class ClientCertificateRejectedError(TlsError):
    """The server rejected the device's certificate; `reason` is the name of the TLS alert."""

    default_hint = "check that the certificate is valid, enrolled, and sent with its intermediates"


class TlsProtocolError(TlsError):
    """Client and server could not agree on TLS.

    Reasons: "version", "no_common_cipher", "no_encryption", "not_tls", "too_large", or the name of
    the alert.
    """

    default_hint = "check that the server supports TLS 1.2 or newer on this port"


class ProtocolError(_ReasonedError):
    """The response violates the protocol; `reason` says where."""

    default_hint = "check that the endpoint is a Device Provisioning Service"


class MalformedResponseError(ProtocolError):
    """A response that cannot be parsed.

    Reasons: "utf8", "json", "not_object", "depth", "number", "duplicate_key", "surrogate",
    "empty", "content_type", "operationId", "status", "registrationState", "deviceId",
    "assignedHub", "topic".
    """


class ResponseTooLargeError(ProtocolError):
    """A response over a limit ("body", "headers", "packet", "topic"); never held in memory."""


class UnknownStatusError(ProtocolError):
    """A registration status unknown to this version; `reason` is the status, shortened."""


class RedirectRefusedError(ProtocolError):
    """A redirect, which is never followed; `reason` is the target host."""

    default_hint = "look for a proxy or captive portal: the service itself never redirects"


class UntrustedHubError(ProtocolError):
    """The assigned hub is outside the allowed domains; `reason` is its name, shortened."""

    default_hint = "the device would connect there next; allow the domain with hub_suffixes="


class IssuanceError(_ReasonedError):
    """The device is assigned, but the certificate that it asked for was not issued as it should.

    Reasons: "missing" (the service sent none), "unreadable", "key" (it is for another key than the
    device's), "cn" (for another registration id), "chain" (a certificate was not issued by the
    next), "unwritable" (it could not be saved by a command or a fleet). No key was kept.
    """

    default_hint = "register again; if it repeats, quote the device id to Azure support"
    assigned_hub: str | None = None
    """Host name of the hub that the device is assigned to all the same."""
    device_id: str | None = None
    """The device's id there."""


class ServiceError(ProvisioningError):
    """The service refused; message and codes are its own."""

    default_hint = "quote the tracking id when you contact Azure support"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        error_code: int | None = None,
        tracking_id: str | None = None,
        timestamp: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status_code = status_code
        """HTTP status; over MQTT the number in the topic, or the equivalent of a CONNACK code."""
        self.error_code = error_code
        """The service's six-digit code, or None if it gave none."""
        self.tracking_id = tracking_id
        """Id by which Azure support finds the request, or None."""
        self.timestamp = timestamp
        """Time of the response, as the service wrote it, or None."""
        self.retry_after = retry_after
        """Seconds the service asked the device to wait, or None if it did not say."""

    def __str__(self) -> str:
        """Return one line, with the service's codes."""
        error = "" if self.error_code is None else f", error {self.error_code}"
        tracking = f", tracking id {self.tracking_id}" if self.tracking_id else ""
        return f"{super().__str__()} [status {self.status_code}{error}{tracking}]"


class BadRequestError(ServiceError):
    """The service cannot read or accept the request (400 and similar)."""

    default_hint = "check the id scope, the registration id and the payload"


class UnauthorizedError(ServiceError):
    """The service does not accept the device's identity (401, CONNACK 4 and 5)."""

    default_hint = "check enrollment, id scope, the CA's verification, and the chain that is sent"
    service_time: float | None = None
    """Time at the service when it refused, in seconds since 1970, or None if it did not say."""
    challenge: bytes | None = None
    """The challenge for a TPM, or None."""

    def facts(self) -> dict[str, Any]:
        """Return the error as plain values: the time in ISO 8601, and no challenge."""
        facts = super().facts()
        facts.pop("challenge", None)
        if self.service_time is not None:
            with suppress(OverflowError, ValueError, OSError):  # a time that no calendar has
                moment = datetime.fromtimestamp(self.service_time, UTC)
                facts["service_time"] = moment.isoformat(timespec="seconds")

        return facts


class ForbiddenError(ServiceError):
    """The service is not permitted to do this (403)."""

    default_hint = "check the permissions of the service on its linked IoT hubs"


class NotFoundError(ServiceError):
    """The service knows no such instance, enrollment or operation (404)."""

    default_hint = "check the id scope and that an enrollment exists for this registration id"


class ConflictError(ServiceError):
    """The registration is being changed by another request (409, 412)."""

    default_hint = "another client may be registering the same registration id"


class ThrottledError(ServiceError):
    """The service throttles requests (429), and there is no time left to retry."""

    default_hint = "spread the devices over time, or set a timeout longer than `retry_after`"


class ServiceUnavailableError(ServiceError):
    """The service has a problem of its own (5xx), and there is no time left to retry."""

    default_hint = "try again later; the device is not the cause"


class UnexpectedStatusError(ServiceError):
    """A status code that DPS does not define."""

    default_hint = "check that the endpoint is a Device Provisioning Service"


class RegistrationFailedError(ServiceError):
    """The service could not assign the device (status `failed`)."""

    default_hint = "check the enrollment's linked hubs and custom allocation webhook"
    device_id: str | None = None
    """The device's id from an earlier assignment, if the service names it; None if not."""


class RegistrationDisabledError(ServiceError):
    """The enrollment is disabled (status `disabled`)."""

    default_hint = "enable the enrollment"


class JournalError(_ReasonedError):
    """A fleet's journal cannot be written or read; what was written before is safe.

    Reasons: "unwritable" (disk full, no permission), "damaged", "in_use" (by another process),
    "other_run" (it belongs to another run), "other_version" (of aiodps), "missing".
    """

    default_hint = "free some disk space, then continue with `aiodps fleet resume`"


class ProvisioningTimeoutError(ProvisioningError, TimeoutError):
    """The overall deadline passed."""

    default_hint = "give a longer timeout=, or look at `last_status` and `last_error`"

    def __init__(
        self,
        message: str,
        *,
        last_status: RegistrationStatus | None = None,
        last_error: ProvisioningError | None = None,
        operation_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.last_status = last_status
        """The last registration status received, or None if there was none."""
        self.last_error = last_error
        """The last failure, or None if there was none. The attempt that the deadline interrupted
        counts only if nothing failed before it."""
        self.operation_id = operation_id
        """The operation in progress, or None if the service had not returned one yet."""

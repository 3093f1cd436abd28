"""Every exception that leaves aiodps.

    ProvisioningError
    ├── ConfigurationError (ValueError)     an argument or setting makes no sense; nothing was sent
    ├── UsageError (RuntimeError)           the client was used in a way it cannot serve
    ├── CredentialError                     the device cannot prove who it is; nothing was sent
    │   ├── CertificateError                the certificate or its chain
    │   ├── PrivateKeyError                 the private key or its password
    │   └── IdentityMismatchError           two different registration ids in one registration
    ├── TransportError                      no answer; tried again
    │   ├── DnsError                        the endpoint's name was not found
    │   ├── ConnectError                    the endpoint did not take the connection
    │   ├── ConnectionLostError             the connection was there and broke
    │   ├── TransportTimeoutError (TimeoutError)  a phase took longer than it may
    │   └── ResourceError                   this machine ran out of something
    ├── TlsError                            trust failed; never tried again
    │   ├── ServerIdentityError             the server is not who it should be
    │   ├── ClientCertificateRejectedError  the server refused the device's certificate in TLS
    │   └── TlsProtocolError                the two sides could not agree on how to speak TLS
    ├── ProtocolError                       the answer breaks the protocol
    │   ├── MalformedResponseError          an answer that cannot be read
    │   ├── ResponseTooLargeError           an answer over a limit; it was not held in memory
    │   ├── RedirectRefusedError            the server asked to go elsewhere
    │   ├── UnknownStatusError              a registration status this version does not know
    │   └── UntrustedHubError               an assigned hub outside the allowed domains
    ├── ServiceError                        the service said no, with its codes
    │   ├── BadRequestError                 400 and its family
    │   ├── UnauthorizedError               401, or CONNACK 4 and 5
    │   ├── ForbiddenError                  403
    │   ├── NotFoundError                   404
    │   ├── ConflictError                   409, 412
    │   ├── ThrottledError                  429, and no time left to wait
    │   ├── ServiceUnavailableError         5xx, and no time left to wait
    │   ├── UnexpectedStatusError           a status code that means nothing here
    │   ├── RegistrationFailedError         status `failed`
    │   └── RegistrationDisabledError       status `disabled`
    ├── JournalError                        a fleet's journal cannot be kept or read
    └── ProvisioningTimeoutError (TimeoutError)  the overall deadline passed

Each error carries where it happened (`phase`, `transport`), what it cost (`attempts`, `elapsed`),
for whom (`registration_id`) and one next step (`hint`). The original exception, if there was one,
is its `__cause__`. No message holds a secret.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from aiodps.models import Phase, RegistrationStatus


class ProvisioningError(Exception):
    """Base of everything aiodps raises on purpose; never raised itself."""

    default_hint: ClassVar[str] = "see `__cause__` for what happened underneath"

    phase: Phase = Phase.CONFIGURATION
    """Where the registration was."""
    transport: str | None = None
    """The name of the transport in use, such as "rest"; None before one was chosen."""
    attempts: int = 0
    """Tries made when the error was raised: the first, and one more for each failure before."""
    elapsed: float = 0.0
    """Seconds since the registration began."""
    registration_id: str | None = None
    """Whose registration; None before it was known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint: str = hint or self.default_hint

    def locate(
        self,
        *,
        phase: Phase | None = None,
        transport: str | None = None,
        attempts: int | None = None,
        elapsed: float | None = None,
        registration_id: str | None = None,
    ) -> Self:
        """Write down where the error happened; arguments left out keep what is there."""
        if phase is not None:
            self.phase = phase

        if transport is not None:
            self.transport = transport

        if attempts is not None:
            self.attempts = attempts

        if elapsed is not None:
            self.elapsed = elapsed

        if registration_id is not None:
            self.registration_id = registration_id

        return self

    def facts(self) -> dict[str, Any]:
        """Return the error as plain data, for logs and `--json`."""
        facts = {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "phase": self.phase.value,
            "transport": self.transport,
            "attempts": self.attempts,
            "elapsed": round(self.elapsed, 3),
            "registration_id": self.registration_id,
        }
        extra = {key: value for key, value in vars(self).items() if key not in facts}
        return facts | {key: _plain(value) for key, value in extra.items()}

    def __str__(self) -> str:
        """One line to paste into a support ticket."""
        where = f"phase {self.phase.value}, attempts {self.attempts}, {self.elapsed:.2f} s"
        whom = f", registration id {self.registration_id!r}" if self.registration_id else ""
        return f"{self.message} ({where}{whom}); {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling with everything on board, although constructors are keyword-only."""
        return _revive, (type(self), self.args, dict(vars(self)))


def _revive(kind: type[ProvisioningError], args: Any, state: dict[str, Any]) -> ProvisioningError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def _plain(value: object) -> object:
    return str(value) if isinstance(value, ProvisioningError) else value


class _ReasonedError(ProvisioningError):
    """An error with a short machine-readable `reason` beside its message."""

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ConfigurationError(ProvisioningError, ValueError):
    """An argument or setting makes no sense; nothing was sent."""

    default_hint = "correct the setting named in the message"

    def __init__(self, message: str, *, setting: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.setting = setting
        """The name of the argument or setting at fault."""


class UsageError(ProvisioningError, RuntimeError):
    """The client was used in a way it cannot serve."""

    default_hint = "give each device a registration of its own"


class CredentialError(_ReasonedError):
    """The device cannot prove who it is; nothing was sent."""

    default_hint = "`aiodps certs show FILE` tells what a file holds"


class CertificateError(CredentialError):
    """The certificate or its chain cannot be used.

    Reasons: "unreadable", "empty", "not_pem", "truncated", "bad_base64", "utf16", "swapped",
    "not_regular", "too_large", "expired", "not_yet_valid", "missing_intermediate", "no_cn",
    "not_a_ca", "wrong_password", "password_missing".
    """


class PrivateKeyError(CredentialError):
    """The private key cannot be used.

    Reasons: "unreadable", "empty", "not_pem", "truncated", "bad_base64", "utf16", "swapped",
    "public_key", "not_regular", "too_large", "wrong_password", "password_missing",
    "password_callback", "mismatch", "weak", "unsupported_curve", "permissions".
    """


class IdentityMismatchError(CredentialError):
    """Two different registration ids in one registration.

    Reasons: "certificate" (the CN is not the registration id), "cn" (the CN cannot be a
    registration id), "response" (the service answered about another device).
    """

    default_hint = "the certificate's CN and the registration id must be the same text"


class TransportError(ProvisioningError):
    """No answer came; the registration is tried again until the deadline."""

    default_hint = "check endpoint, port and network; nothing is wrong with the device's identity"


class DnsError(TransportError):
    """The endpoint's name was not found."""

    default_hint = "check the endpoint's spelling and this machine's name servers"


class ConnectError(TransportError):
    """The endpoint did not take the connection."""

    default_hint = "check that the port is open from here: 443 for rest, 8883 for mqtt"


class ConnectionLostError(TransportError):
    """The connection was there and broke."""

    default_hint = "if it repeats in the same place, a proxy or a second client may be in between"


class TransportTimeoutError(TransportError, TimeoutError):
    """A phase took longer than it may; `phase` says which."""

    default_hint = "the peer accepts but does not speak: check that it is the right endpoint"


class ResourceError(TransportError):
    """This machine ran out of something, mostly file descriptors."""

    default_hint = "raise `ulimit -n` or run fewer devices at once"


class TlsError(_ReasonedError):
    """Trust failed; never tried again."""

    default_hint = "see docs/troubleshooting.md for TLS"
    phase = Phase.TLS


class ServerIdentityError(TlsError):
    """The server is not who it should be; not one byte was sent to it.

    Reasons: "expired", "not_yet_valid", "wrong_host", "self_signed", "untrusted_root",
    "incomplete_chain", "wrong_purpose", "bad_chain", "name_constraint", "weak_key",
    "weak_signature", "revoked", "revocation_unknown", "other".
    """

    default_hint = "give the right endpoint, or the CA of this server with `trust=` (`--trust`)"


class ClientCertificateRejectedError(TlsError):
    """The server refused the device's certificate in TLS; `reason` is the alert's name."""

    default_hint = "check that the certificate is valid, enrolled, and sent with its intermediates"


class TlsProtocolError(TlsError):
    """The two sides could not agree on how to speak TLS.

    Reasons: "version", "no_common_cipher", "not_tls", "too_large", or the alert's name.
    """

    default_hint = "is this port TLS 1.2 or newer?"


class ProtocolError(_ReasonedError):
    """The answer breaks the protocol; `reason` says where."""

    default_hint = "check that the endpoint is a Device Provisioning Service"


class MalformedResponseError(ProtocolError):
    """An answer that cannot be read.

    Reasons: "utf8", "json", "not_object", "depth", "number", "duplicate_key", "surrogate",
    "empty", "content_type", "operationId", "status", "registrationState", "deviceId",
    "assignedHub", "topic".
    """


class ResponseTooLargeError(ProtocolError):
    """An answer over a limit ("body", "headers", "packet", "topic"); it was not held in memory."""


class UnknownStatusError(ProtocolError):
    """A registration status this version does not know; `reason` is the word, cut short."""


class RedirectRefusedError(ProtocolError):
    """The server asked to go elsewhere; nothing is followed. `reason` is the target host."""

    default_hint = "a proxy or captive portal may be in between; the service never redirects"


class UntrustedHubError(ProtocolError):
    """The assigned hub lies outside the allowed domains; `reason` is its name, cut short."""

    default_hint = "the device would show its credential there; allow it with `hub_suffixes=`"


class ServiceError(ProvisioningError):
    """The service said no, in its own words."""

    default_hint = "quote the tracking id when you ask Azure support"

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
        """HTTP status; over MQTT the same number from the topic, or 401, 503 for a CONNACK."""
        self.error_code = error_code
        """The service's six-digit code, or None if it gave none."""
        self.tracking_id = tracking_id
        """What Azure support finds the request by, or None."""
        self.timestamp = timestamp
        """When the service said so, as it wrote it, or None."""
        self.retry_after = retry_after
        """Seconds the service asked to wait, or None if it did not say."""

    def __str__(self) -> str:
        """One line with the service's own codes."""
        codes = [f"status {self.status_code}"]
        if self.error_code is not None:
            codes.append(f"error {self.error_code}")

        if self.tracking_id:
            codes.append(f"tracking id {self.tracking_id}")

        return f"{super().__str__()} [{', '.join(codes)}]"


class BadRequestError(ServiceError):
    """The service cannot read or accept the request (400 and its family)."""

    default_hint = "check id scope, registration id and payload"


class UnauthorizedError(ServiceError):
    """The service does not accept the device's identity (401, CONNACK 4 and 5)."""

    default_hint = (
        "check the enrollment, the id scope, that the CA is verified, and that the device sends "
        "its intermediates"
    )


class ForbiddenError(ServiceError):
    """The service may not do this for the device (403)."""

    default_hint = "check the rights of the service on its linked IoT Hubs"


class NotFoundError(ServiceError):
    """The service knows no such instance, enrollment or operation (404)."""

    default_hint = "check the id scope and that an enrollment exists for this registration id"


class ConflictError(ServiceError):
    """The record is being changed by somebody else (409, 412)."""

    default_hint = "another client may be registering the same registration id"


class ThrottledError(ServiceError):
    """The service has too many requests (429) and there is no time left to wait."""

    default_hint = "spread the devices, or give a longer timeout than `retry_after`"


class ServiceUnavailableError(ServiceError):
    """The service has trouble of its own (5xx) and there is no time left to wait."""

    default_hint = "try again later; nothing is wrong with the device"


class UnexpectedStatusError(ServiceError):
    """A status code that means nothing here."""

    default_hint = "check that the endpoint is a Device Provisioning Service"


class RegistrationFailedError(ServiceError):
    """The service could not assign the device (status `failed`)."""

    default_hint = "check the linked hubs and the custom allocation webhook of the enrollment"


class RegistrationDisabledError(ServiceError):
    """The enrollment is disabled (status `disabled`)."""

    default_hint = "enable the enrollment"


class JournalError(_ReasonedError):
    """A fleet's journal cannot be kept or read; what was written before is safe.

    Reasons: "unwritable" (disk full, no permission), "damaged", "in_use" (by another process),
    "other_run" (it belongs to another run), "other_version" (of aiodps), "missing".
    """

    default_hint = "make room on the disk, then go on with `aiodps fleet resume`"


class ProvisioningTimeoutError(ProvisioningError, TimeoutError):
    """The overall deadline passed."""

    default_hint = "give a longer `timeout`, or see what the last status and error were"

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
        """The last registration status heard, or None if none was."""
        self.last_error = last_error
        """The last trouble, or None if there was none. An attempt that the deadline cut short is
        named here only if nothing went wrong before it."""
        self.operation_id = operation_id
        """The operation under way, or None if the service had given none yet."""

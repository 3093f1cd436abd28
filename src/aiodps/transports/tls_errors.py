"""What OpenSSL and the operating system say, told as what it is.

Errors are told apart by alert, verify code and errno, never by their text, which differs between
versions.
"""

from __future__ import annotations

import errno
import socket
import ssl

from aiodps.errors import (
    ClientCertificateRejectedError,
    ConnectError,
    ConnectionLostError,
    DnsError,
    ProvisioningError,
    ResourceError,
    ServerIdentityError,
    TlsProtocolError,
)
from aiodps.models import Phase

_REFUSALS_OF_OUR_CERTIFICATE = {
    "BAD_CERTIFICATE": "bad_certificate",
    "UNSUPPORTED_CERTIFICATE": "unsupported_certificate",
    "CERTIFICATE_REVOKED": "certificate_revoked",
    "CERTIFICATE_EXPIRED": "certificate_expired",
    "CERTIFICATE_UNKNOWN": "certificate_unknown",
    "UNKNOWN_CA": "unknown_ca",
    "ACCESS_DENIED": "access_denied",
    "CERTIFICATE_REQUIRED": "certificate_required",
}
"""Alerts 42 to 46, 48, 49 and 116."""

_PASSING_ALERTS = {"INTERNAL_ERROR", "USER_CANCELLED", "USER_CANCELED"}
"""Alerts 80 and 90: the server had trouble of its own."""

_PROTOCOL_REASONS = {
    "UNSUPPORTED_PROTOCOL": "version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "version",
    "WRONG_SSL_VERSION": "version",
    "NO_CIPHERS_AVAILABLE": "no_common_cipher",
    "WRONG_CIPHER_RETURNED": "no_common_cipher",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no_common_cipher",
    "WRONG_VERSION_NUMBER": "not_tls",
    "HTTP_REQUEST": "not_tls",
    "HTTPS_PROXY_REQUEST": "not_tls",
    "PACKET_LENGTH_TOO_LONG": "not_tls",
    "RECORD_LAYER_FAILURE": "not_tls",
    "EXCESSIVE_MESSAGE_SIZE": "too_large",
    "EXCESS_HANDSHAKE_DATA": "too_large",
    "DATA_LENGTH_TOO_LONG": "too_large",
}

_VERIFY_REASONS = {
    3: "revocation_unknown",  # no CRL
    9: "not_yet_valid",
    10: "expired",
    11: "revocation_unknown",  # CRL not yet valid
    12: "revocation_unknown",  # CRL expired
    18: "self_signed",
    19: "untrusted_root",
    20: "incomplete_chain",
    21: "incomplete_chain",
    22: "bad_chain",  # chain too long
    23: "revoked",
    24: "bad_chain",  # not a CA
    25: "bad_chain",  # path length exceeded
    26: "wrong_purpose",
    32: "bad_chain",  # CA may not sign
    34: "bad_chain",  # unknown critical extension
    47: "name_constraint",
    48: "name_constraint",
    62: "wrong_host",
    63: "wrong_host",
    64: "wrong_host",
    66: "weak_key",
    67: "weak_key",
    68: "weak_signature",
    79: "bad_chain",  # invalid CA certificate
    85: "bad_chain",  # no authority key identifier (strict)
}
"""OpenSSL's X509_V_ERR codes; a code that is not here is "bad_chain" from 24 on, else "other"."""

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}


def classify(exc: OSError, *, phase: Phase, host: str) -> ProvisioningError:
    """Make our error out of one of the operating system's or of OpenSSL's.

    Args:
        exc: What was raised while connecting, shaking hands, reading or writing.
        phase: Where that was.
        host: Whom we wanted to reach.

    Returns:
        The error, located at the phase; raise it `from exc`.
    """
    return _translate(exc, phase, host).locate(phase=phase)


def _translate(exc: OSError, phase: Phase, host: str) -> ProvisioningError:
    match exc:
        case ssl.SSLCertVerificationError():
            return _server_identity(exc, host)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
            return _closed(phase)
        case ssl.SSLError():
            return _tls(exc, phase)
        case socket.gaierror():
            return DnsError(f"the name {host!r} was not found ({exc.strerror})")
        case _:
            return _system(exc, phase, host)


def _server_identity(exc: ssl.SSLCertVerificationError, host: str) -> ServerIdentityError:
    code = exc.verify_code
    reason = _VERIFY_REASONS.get(code, "bad_chain" if code > 23 else "other")  # noqa: PLR2004 (table)
    hint = None
    if reason in {"expired", "not_yet_valid"}:
        hint = "check this device's clock first, then the server's certificates"
    elif reason == "wrong_host":
        hint = f"the certificate is for other names than {host!r}: check the endpoint"

    return ServerIdentityError(
        f"the certificate of {host!r} is not acceptable: {exc.verify_message or reason}",
        reason=reason,
        hint=hint,
    )


def _tls(exc: ssl.SSLError, phase: Phase) -> ProvisioningError:
    reason = exc.reason or ""
    _, is_alert, alert = reason.partition("_ALERT_")
    if alert in _REFUSALS_OF_OUR_CERTIFICATE:
        name = _REFUSALS_OF_OUR_CERTIFICATE[alert]
        return ClientCertificateRejectedError(
            f"the server refused the device's certificate (TLS alert {name})", reason=name
        )

    if alert in _PASSING_ALERTS:
        return ConnectionLostError(f"the server gave up (TLS alert {alert.lower()})")

    if reason in _PROTOCOL_REASONS:
        kind = _PROTOCOL_REASONS[reason]
        return TlsProtocolError(f"TLS could not be agreed on ({reason.lower()})", reason=kind)

    if is_alert:
        name = alert.lower()
        return TlsProtocolError(f"the server refused TLS (alert {name})", reason=name)

    if reason == "UNEXPECTED_EOF_WHILE_READING":
        return _closed(phase)

    return TlsProtocolError(
        f"TLS broke ({reason.lower() or 'no reason given'})", reason=reason.lower() or "other"
    )


def _closed(phase: Phase) -> ConnectionLostError:
    if phase is Phase.TLS:
        return ConnectionLostError(
            "the server closed the connection during the TLS handshake",
            hint="often a refused client certificate, or a proxy that speaks no TLS",
        )

    return ConnectionLostError("the server closed the connection")


def _system(exc: OSError, phase: Phase, host: str) -> ProvisioningError:
    said = exc.strerror or type(exc).__name__
    if exc.errno in _OUT_OF_RESOURCES:
        return ResourceError(f"no connection to {host!r} could be opened: {said}")

    if phase in {Phase.DNS, Phase.TCP}:
        return ConnectError(f"{host!r} did not take the connection: {said}")

    if exc.errno in _GONE and phase is Phase.TLS:
        return _closed(phase)

    return ConnectionLostError(f"the connection to {host!r} broke: {said}")

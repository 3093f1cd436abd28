"""Translation of OpenSSL's and the operating system's errors into those of aiodps.

Errors are distinguished by alert, verify code and errno, never by their text, which differs
between versions.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl

from aiodps.errors import (
    ClientCertificateRejectedError,
    ConnectError,
    ConnectionLostError,
    DnsError,
    ProvisioningError,
    ResourceError,
    TlsProtocolError,
    TransportError,
)
from aiodps.models import Phase
from aiodps.network.server_identity import server_identity_error

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?([A-Z_]+)")
"""OpenSSL's name of an alert that the peer sent; not every name contains ALERT."""

_CERTIFICATE_ALERTS = {
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "unknown_ca",
    "access_denied",
    "certificate_required",
}
"""Alerts 42 to 46, 48, 49 and 116."""

_TEMPORARY_ALERTS = {"internal_error", "user_cancelled"}
"""Alerts 80 and 90: an internal problem of the server."""

_ALERT_REASONS = {"protocol_version": "version", "handshake_failure": "no_common_cipher"}
"""Alerts 70 and 40, by what they mean in response to a ClientHello."""

_PROTOCOL_REASONS = {
    "UNSUPPORTED_PROTOCOL": "version",
    "WRONG_SSL_VERSION": "version",
    "NO_CIPHERS_AVAILABLE": "no_common_cipher",
    "WRONG_CIPHER_RETURNED": "no_common_cipher",
    "WRONG_VERSION_NUMBER": "not_tls",
    "HTTP_REQUEST": "not_tls",
    "HTTPS_PROXY_REQUEST": "not_tls",
    "PACKET_LENGTH_TOO_LONG": "not_tls",
    "RECORD_LAYER_FAILURE": "not_tls",
    "EXCESSIVE_MESSAGE_SIZE": "too_large",
    "EXCESS_HANDSHAKE_DATA": "too_large",
    "DATA_LENGTH_TOO_LONG": "too_large",
}
"""Faults that OpenSSL itself detects."""

_HINTS = {
    "not_tls": "check the port (8883 for mqtt, 443 for others), and look for a proxy",
    "no_common_cipher": "the server may also require a client certificate, and was sent none",
    "unrecognized_name": "the server does not recognize the endpoint's name: check its spelling",
}

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

_NO_SUCH_NAME = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}
"""The look-up was answered: there is no such name, or no address. EAI_AGAIN: it was not."""

_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}


def translate(
    exc: OSError, *, phase: Phase, host: str, sock: ssl.SSLSocket | None = None
) -> ProvisioningError:
    """Return an error of aiodps for one of the operating system or of OpenSSL.

    Args:
        exc: What was raised while connecting, in the handshake, reading or writing.
        phase: The phase in which it was raised.
        host: The host to be connected to.
        sock: The TLS socket, for the certificates that the server presented; None if unavailable.

    Returns:
        The error, located at the phase; raise it `from exc`.
    """
    return _translate(exc, phase, host, sock).locate(phase=phase)


def _translate(
    exc: OSError, phase: Phase, host: str, sock: ssl.SSLSocket | None
) -> ProvisioningError:
    match exc:
        case ssl.SSLCertVerificationError():
            return server_identity_error(exc, host=host, sock=sock)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
            return _closed(phase)
        case ssl.SSLError(reason="UNEXPECTED_EOF_WHILE_READING"):
            return _closed(phase)
        case ssl.SSLError():
            return _tls(exc)
        case socket.gaierror():
            return _persistent(
                DnsError(f"the name {host!r} was not found ({exc.strerror})"),
                on=exc.errno in _NO_SUCH_NAME,
            )
        case _:
            return _system(exc, phase, host)


def _tls(exc: ssl.SSLError) -> ProvisioningError:
    # Python has no names for errors that are newer than itself.
    reported = getattr(exc, "reason", None) or "OTHER"
    alert = _ALERT.fullmatch(reported)
    if alert is not None:
        return _alert(alert[1].lower())

    reason = _PROTOCOL_REASONS.get(reported, reported.lower())
    return TlsProtocolError(
        f"the TLS handshake failed ({reported.lower()})", reason=reason, hint=_HINTS.get(reason)
    )


def _alert(name: str) -> ProvisioningError:
    if name in _CERTIFICATE_ALERTS:
        return ClientCertificateRejectedError(
            f"the server rejected the device's certificate (TLS alert {name})", reason=name
        )

    if name in _TEMPORARY_ALERTS:
        return ConnectionLostError(f"the server aborted the handshake (TLS alert {name})")

    reason = _ALERT_REASONS.get(name, name)
    return TlsProtocolError(
        f"the server rejected the handshake (TLS alert {name})",
        reason=reason,
        hint=_HINTS.get(reason),
    )


def _closed(phase: Phase) -> ConnectionLostError:
    if phase is Phase.TLS:
        return ConnectionLostError(
            "the server closed the connection during the TLS handshake",
            hint="a common cause is a rejected client certificate, or a proxy without TLS",
        )

    return ConnectionLostError("the server closed the connection")


def _persistent(error: TransportError, *, on: bool) -> TransportError:
    if on:
        error.persistent = True

    return error


def _system(exc: OSError, phase: Phase, host: str) -> ProvisioningError:
    reported = exc.strerror or type(exc).__name__
    if exc.errno in _OUT_OF_RESOURCES:
        return ResourceError(f"cannot open a connection to {host!r}: {reported}")

    # The reset of a connection just accepted may be noticed while still connecting.
    if phase in {Phase.DNS, Phase.TCP} and exc.errno not in _GONE:
        return _persistent(
            ConnectError(f"cannot connect to {host!r}: {reported}"),
            on=exc.errno == errno.ECONNREFUSED,
        )

    if phase is Phase.TLS and exc.errno in _GONE:
        return _closed(phase)

    return ConnectionLostError(f"the connection to {host!r} was lost: {reported}")

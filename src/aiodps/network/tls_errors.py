"""What OpenSSL and the operating system say, told as what it is.

Errors are told apart by alert, verify code and errno, never by their text, which differs between
versions.
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
)
from aiodps.models import Phase
from aiodps.network.server_identity import server_identity_error

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?([A-Z_]+)")
"""How OpenSSL calls an alert that the peer sent; some have no ALERT in their name."""

_REFUSALS_OF_OUR_CERTIFICATE = {
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

_PASSING_ALERTS = {"internal_error", "user_cancelled"}
"""Alerts 80 and 90: the server had trouble of its own."""

_ALERT_REASONS = {"protocol_version": "version", "handshake_failure": "no_common_cipher"}
"""Alerts 70 and 40, by what they mean in the answer to a hello."""

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
"""What OpenSSL finds wrong by itself."""

_HINTS = {
    "not_tls": "is this port TLS? 443 for rest, 8883 for mqtt; a proxy may have answered",
    "no_common_cipher": "the server may also want a client certificate, and was shown none",
    "unrecognized_name": "the server does not know the endpoint's name: check its spelling",
}

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}


def classify(
    exc: OSError, *, phase: Phase, host: str, sock: ssl.SSLSocket | None = None
) -> ProvisioningError:
    """Make our error out of one of the operating system's or of OpenSSL's.

    Args:
        exc: What was raised while connecting, shaking hands, reading or writing.
        phase: Where that was.
        host: Whom we wanted to reach.
        sock: The connection, to tell what the server showed; None if it is not at hand.

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
            return DnsError(f"the name {host!r} was not found ({exc.strerror})")
        case _:
            return _system(exc, phase, host)


def _tls(exc: ssl.SSLError) -> ProvisioningError:
    # Python has no names for what is newer than itself.
    said = getattr(exc, "reason", None) or "OTHER"
    alert = _ALERT.fullmatch(said)
    if alert is not None:
        return _alert(alert[1].lower())

    reason = _PROTOCOL_REASONS.get(said, said.lower())
    return TlsProtocolError(
        f"TLS could not be agreed on ({said.lower()})", reason=reason, hint=_HINTS.get(reason)
    )


def _alert(name: str) -> ProvisioningError:
    if name in _REFUSALS_OF_OUR_CERTIFICATE:
        return ClientCertificateRejectedError(
            f"the server refused the device's certificate (TLS alert {name})", reason=name
        )

    if name in _PASSING_ALERTS:
        return ConnectionLostError(f"the server gave up (TLS alert {name})")

    reason = _ALERT_REASONS.get(name, name)
    return TlsProtocolError(
        f"the server refused TLS (alert {name})", reason=reason, hint=_HINTS.get(reason)
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

    # A peer that takes the connection and resets it at once may be noticed while connecting.
    if phase in {Phase.DNS, Phase.TCP} and exc.errno not in _GONE:
        return ConnectError(f"{host!r} did not take the connection: {said}")

    if phase is Phase.TLS and exc.errno in _GONE:
        return _closed(phase)

    return ConnectionLostError(f"the connection to {host!r} broke: {said}")

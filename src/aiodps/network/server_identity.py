"""Explanation of why a server's certificate was not accepted."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509

from aiodps.errors import ServerIdentityError
from aiodps.input_files.certificates import UNREADABLE

_REASONS = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "untrusted_root",
    **dict.fromkeys((2, 20, 21), "incomplete_chain"),
    22: "bad_chain",  # too long
    23: "revoked",
    26: "wrong_purpose",
    **dict.fromkeys((47, 48), "name_constraint"),
    **dict.fromkeys((62, 63, 64), "wrong_host"),
    **dict.fromkeys((66, 67), "weak_key"),
    68: "weak_signature",
    # The CRL is missing, not signed properly, not valid at this time, or for other certificates.
    **dict.fromkeys((3, 8, 11, 12, 15, 16, 33, 44), "revocation_unknown"),
}
"""OpenSSL's X509_V_ERR codes. All others from 24 on mean that the chain violates X.509."""

_FIRST_CHAIN_ERROR = 24
_MAX_NAMES = 5
"""Names of a certificate listed in a message."""
_MAX_CHARACTERS = 100
"""Characters of one name presented in a message."""

_HINT_FOR_UNTRUSTED = (
    "give the CA of this server with `trust=` (`--trust`); if it should be Azure, look for a "
    "proxy that intercepts TLS, or for intermediates that the server does not send"
)


_HINT_FOR_BAD_CHAIN = (
    "a certificate of the server, or a CA above it, breaks a rule of X.509; a CA of your own, "
    "given with `trust=` (`--trust`), has to be reissued with basicConstraints=critical,CA:TRUE "
    "and keyUsage=critical,keyCertSign,cRLSign"
)
"""OpenSSL 3.0 makes a CA without keyUsage by default, and strict verification refuses it."""


def server_identity_error(
    exc: ssl.SSLCertVerificationError, *, host: str, sock: ssl.SSLSocket | None
) -> ServerIdentityError:
    """Return an error that says why the server's certificate was not accepted.

    Args:
        exc: OpenSSL's error.
        host: The host to be connected to.
        sock: The TLS socket, for the certificates that the server presented; None if unavailable.
    """
    code = exc.verify_code
    reason = _REASONS.get(code, "bad_chain" if code >= _FIRST_CHAIN_ERROR else "other")
    message, hint = _explained(reason, host, sock)
    said = str(exc.verify_message or reason).rstrip(".")
    return ServerIdentityError(
        message or f"the certificate of {host!r} was not accepted: {said}",
        reason=reason,
        hint=hint,
    )


def presented_certificates(
    sock: ssl.SSLSocket | ssl.SSLObject | None,
) -> tuple[x509.Certificate, ...]:
    """Return the certificates that the server sent, leaf first, even if they were not accepted.

    Empty if they cannot be read: this is public from Python 3.13 on only.
    """
    try:
        presented = sock._sslobj.get_unverified_chain()  # type: ignore[union-attr]  # noqa: SLF001
        return tuple(
            x509.load_pem_x509_certificate(one.public_bytes().encode()) for one in presented
        )
    except (AttributeError, *UNREADABLE):
        return ()


def _explained(
    reason: str, host: str, sock: ssl.SSLSocket | None
) -> tuple[str | None, str | None]:
    """Explain what can be explained.

    The refused server has chosen what its certificates contain: strings in old encodings, names of
    types that cannot be read, values of any length. The refusal is certain, its explanation is
    not; no parser's error or warning may take its place.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return _explain(reason, host, presented_certificates(sock))
    except Exception:  # noqa: BLE001 (see above)
        return None, None


def _explain(
    reason: str, host: str, presented: Sequence[x509.Certificate]
) -> tuple[str | None, str | None]:
    """Return a clearer message than OpenSSL's, and the next step; None to use the defaults."""
    match reason:
        case "expired" | "not_yet_valid":
            return _wrong_date(host, presented)
        case "wrong_host" if presented:
            return (
                f"the certificate of {host!r} is for {_names(presented[0])}",
                "check the endpoint: it has to be one of these names",
            )
        case "incomplete_chain" | "untrusted_root" if presented:
            issuer = _quoted(presented[-1].issuer.rfc4514_string())
            return (
                f"the certificate of {host!r} was issued by {issuer}, which is not trusted",
                _HINT_FOR_UNTRUSTED,
            )
        case "bad_chain":
            return None, _HINT_FOR_BAD_CHAIN
        case _:
            return None, None


def _wrong_date(host: str, presented: Sequence[x509.Certificate]) -> tuple[str | None, str]:
    now = datetime.now(UTC)
    hint = (
        f"check this device's clock, which reads {now:%Y-%m-%d %H:%M} UTC, then the certificates "
        "of the server"
    )
    for one in presented:
        subject = _quoted(one.subject.rfc4514_string())
        if one.not_valid_after_utc < now:
            ended = f"{one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            return f"{host!r} presented the certificate {subject}, which expired on {ended}", hint

        if one.not_valid_before_utc > now:
            begins = f"{one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            return (
                f"{host!r} presented the certificate {subject}, which is valid from {begins}",
                hint,
            )

    return None, hint


def _names(leaf: x509.Certificate) -> str:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return "no host (it has no subject alternative names)"

    names = [_quoted(str(one.value)) for one in found]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _quoted(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."

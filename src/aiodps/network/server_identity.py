"""Why a server's certificate was refused, told with the certificate in hand."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509

from aiodps.credential_files import UNREADABLE
from aiodps.errors import ServerIdentityError

_REASONS = {
    2: "incomplete_chain",  # no issuer
    3: "revocation_unknown",  # no CRL
    8: "revocation_unknown",  # CRL's signature
    9: "not_yet_valid",
    10: "expired",
    11: "revocation_unknown",  # CRL not yet valid
    12: "revocation_unknown",  # CRL expired
    15: "revocation_unknown",  # CRL without a proper date
    16: "revocation_unknown",  # CRL without a proper date
    18: "self_signed",
    19: "untrusted_root",
    20: "incomplete_chain",
    21: "incomplete_chain",
    22: "bad_chain",  # chain too long
    23: "revoked",
    26: "wrong_purpose",
    33: "revocation_unknown",  # nobody to sign the CRL
    44: "revocation_unknown",  # CRL for other certificates
    47: "name_constraint",
    48: "name_constraint",
    62: "wrong_host",
    63: "wrong_host",
    64: "wrong_host",
    66: "weak_key",
    67: "weak_key",
    68: "weak_signature",
}
"""OpenSSL's X509_V_ERR codes. The others from 24 on say that a chain breaks the rules of X.509."""

_FIRST_RULE = 24
_MOST_NAMES = 5
"""Names of a certificate that a message lists."""
_MOST_CHARACTERS = 100
"""Characters of one name that a message shows."""

_HINT_FOR_UNTRUSTED = (
    "give the CA of this server with `trust=` (`--trust`); if it should be Azure's, a proxy may "
    "open TLS in between, or the server does not send its intermediates"
)


def server_identity_error(
    exc: ssl.SSLCertVerificationError, *, host: str, sock: ssl.SSLSocket | None
) -> ServerIdentityError:
    """Tell why the server is not believed.

    Args:
        exc: What OpenSSL said.
        host: Whom we wanted to reach.
        sock: The connection, to see what the server showed; None if it is not at hand.
    """
    code = exc.verify_code
    reason = _REASONS.get(code, "bad_chain" if code >= _FIRST_RULE else "other")
    message, hint = _told(reason, host, certificates_shown(sock))
    said = str(exc.verify_message or reason).rstrip(".")
    return ServerIdentityError(
        message or f"the certificate of {host!r} is not acceptable: {said}",
        reason=reason,
        hint=hint,
    )


def certificates_shown(sock: ssl.SSLSocket | None) -> tuple[x509.Certificate, ...]:
    """Return the certificates that the server sent, also if it was refused; leaf first.

    Empty if they are not to be had: reading them is public from Python 3.13 on, and an error
    message must never be the reason of another error.
    """
    try:
        shown = sock._sslobj.get_unverified_chain()  # type: ignore[union-attr]  # noqa: SLF001
        return tuple(x509.load_pem_x509_certificate(one.public_bytes().encode()) for one in shown)
    except (AttributeError, *UNREADABLE):
        return ()


def _told(
    reason: str, host: str, shown: Sequence[x509.Certificate]
) -> tuple[str | None, str | None]:
    """Find better words than OpenSSL's, and the next step."""
    match reason:
        case "expired" | "not_yet_valid":
            return _wrong_date(host, shown)
        case "wrong_host" if shown:
            return (
                f"the certificate of {host!r} is for {_names(shown[0])}",
                "check the endpoint: it has to be one of the server's own names",
            )
        case "incomplete_chain" | "untrusted_root" if shown:
            issuer = _shown(shown[-1].issuer.rfc4514_string())
            return (
                f"the certificate of {host!r} comes from {issuer}, which is not trusted",
                _HINT_FOR_UNTRUSTED,
            )
        case _:
            return None, None


def _wrong_date(host: str, shown: Sequence[x509.Certificate]) -> tuple[str | None, str]:
    now = datetime.now(UTC)
    hint = (
        f"check this device's clock, which says {now:%Y-%m-%d %H:%M} UTC, then the server's "
        "certificates"
    )
    for one in shown:
        subject = _shown(one.subject.rfc4514_string())
        if one.not_valid_after_utc < now:
            ended = f"{one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            return f"{host!r} showed the certificate {subject}, which expired {ended}", hint

        if one.not_valid_before_utc > now:
            begins = f"{one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            return f"{host!r} showed the certificate {subject}, which begins {begins}", hint

    return None, hint


def _names(leaf: x509.Certificate) -> str:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return "no host at all (it has no subject alternative names)"

    names = [_shown(str(one.value)) for one in found]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _shown(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."

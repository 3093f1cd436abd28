"""Shared access signatures (SAS): the tokens that devices without a certificate sign.

Source: Microsoft Learn, "Symmetric key attestation with DPS". A token is

    SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn=registration

The signature is HMAC-SHA256 over the resource exactly as the token contains it, a line feed, and
the expiry. Clients write the resource in several ways; this is the form of the documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

SIGNATURE_BYTES = 32
"""Of HMAC-SHA256."""
_POLICY = "&skn=registration"


def text_to_sign(audience: str, *, expires: int) -> bytes:
    """Return what a device signs.

    Args:
        audience: See `identifiers.audience`.
        expires: When the token expires, in seconds since 1970.
    """
    return f"{_escaped(audience)}\n{expires}".encode()


def token(audience: str, *, expires: int, signature: bytes) -> str:
    """Return the token with the signature of `text_to_sign`: a secret until it expires."""
    sig = _escaped(base64.b64encode(signature).decode())
    return f"SharedAccessSignature sr={_escaped(audience)}&sig={sig}&se={expires}{_POLICY}"


def for_hub(token: str) -> str:
    """Return the token without the name of a policy: at IoT Hub, a device signs with its own key.

    The name is not signed, so the signature holds.
    """
    return token.removesuffix(_POLICY)


def derive_key(group_key: bytes, registration_id: str) -> bytes:
    """Return the key of a device in an enrollment group.

    The service compares registration ids without case, but the derived key depends on it. In
    lower case, as in all of Microsoft's samples, both sides derive the same.
    """
    return hmac.digest(group_key, registration_id.lower().encode(), hashlib.sha256)


def _escaped(text: str) -> str:
    return quote(text, safe="")

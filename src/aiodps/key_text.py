"""Recognition of keys in text: one that is given by mistake is never repeated in a message.

aiodps provision --key "$(cat device.key)"      # the key itself, instead of its path
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_PATH: Final = 500
"""Characters; a longer text is the content of a file, and not its path."""

_RANDOM: Final = 20
"""Characters of base64 without a slash; 16 bytes have 22."""

HIDDEN: Final = "(not shown: it may be a key or a password)"

_PEM_BEGIN = re.compile(r"-----BEGIN|BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY|CERTIFICATE)")
_CONTENT = re.compile(rf"[\r\n\0]|{_PEM_BEGIN.pattern}")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_NAMED = re.compile(r"(SharedAccessKey=|SharedAccessSignature\s+|(?i:pin-value=))[^;\s'\"]+")
"""After its name, in connection strings, tokens and PKCS#11 URIs."""
_USER = re.compile(r"(:/{1,2})[^\s:/@]{1,255}:\S{0,800}@")
"""User and password in a URL, as of a proxy; a slash is enough where it was taken for a path. The
limits are there because a server may have written the text: nothing is to take long over it."""
_HEX = re.compile(r"[0-9A-Fa-f]{32,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{22,}={1,2}|[A-Za-z0-9+/]{40,}")
_KINDS = (str.isupper, str.islower, str.isdigit)


def is_content(text: str) -> bool:
    """Whether a text is certainly the content of a file, and not its path."""
    return len(text) > LONGEST_PATH or bool(_CONTENT.search(text))


def is_key(text: str) -> bool:
    """Whether a text may be a key or a password: PEM, base64, hex digits, a URL with a user."""
    text = text.strip()
    named = _NAMED.search(text) or _USER.search(text)
    if named or _PEM_BEGIN.search(text) or _HEX.fullmatch(text):
        return True

    # Random base64 has capitals, small letters and digits, also between slashes; few paths do.
    part = max(text.split("/"), key=len)
    mixed = all(any(kind(each) for each in part) for kind in _KINDS)
    return mixed and len(part) >= _RANDOM and bool(_BASE64.fullmatch(text))


def shown(value: object, *, limit: int = 80) -> str:
    """Return a value for a message: as ASCII, of limited length, hidden if it may be a key."""
    written = ascii(value)
    if is_key(value if isinstance(value, str) else written):
        return HIDDEN

    return written if len(written) <= limit else f"{written[: limit - 3]}..."


def without_keys(message: str) -> str:
    """Return a message without PEM blocks, shared access keys, PINs and passwords in URLs."""
    hidden = _NAMED.sub(rf"\1{HIDDEN}", _PEM.sub(HIDDEN, message))
    return _USER.sub(rf"\1{HIDDEN}@", hidden)

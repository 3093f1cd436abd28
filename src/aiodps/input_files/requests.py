"""Certificate signing requests (CSR) from PEM, DER, and base64 of DER."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from aiodps.input_files.der import is_der
from aiodps.input_files.formats import REQUEST, of_label, unexpected
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import blocks
from aiodps.input_files.reading import read

_HINT: Final = (
    "make one with the device's key: openssl req -new -subj /CN=REGISTRATION_ID -key KEY -out CSR"
)


def read_request(path: str | Path) -> bytes:
    """Return the request in a file as DER; it is not parsed.

    Raises:
        ConfigurationError: If the file cannot be read, or has something else in it.
    """
    origin = Origin.file(path, what="certificate request", kind="csr")
    data = read(origin)
    found = [each for each in blocks(data, origin) if of_label(each.label) is REQUEST]
    if found:
        return found[0].der(origin)

    der = data if is_der(data) else _from_base64(data)
    if der is None:
        raise unexpected(data, origin, wanted=REQUEST.name, hint=_HINT)

    return der


def _from_base64(data: bytes) -> bytes | None:
    try:
        der = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return None

    return der if is_der(der) else None

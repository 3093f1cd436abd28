"""PEM: its blocks, with a reason for each way in which it can be damaged.

OpenSSL reports eleven different mistakes with the same message ("PEM lib").
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from dataclasses import dataclass, field

from aiodps.input_files.origin import Origin

_BEGIN = re.compile(rb"-----BEGIN (?<!\w-----BEGIN )(?<![^\s-] -----BEGIN )([A-Z0-9 #]+)-----")
"""Not after a word: text before a block may mention such a line. What is looked for comes first,
and looks back, because `re` searches for a fixed beginning much faster."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of PEM."""

    label: str
    """Like "CERTIFICATE"."""
    body: bytes = field(repr=False)
    """What is between the BEGIN and END lines."""

    @property
    def pem(self) -> bytes:
        """The block as PEM."""
        label = self.label.encode()
        return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, self.body, label)

    def der(self, origin: Origin) -> bytes:
        """Decode the body.

        Raises:
            ProvisioningError: Of the origin's kind, if it is not base64.
        """
        try:
            return binascii.a2b_base64(b"".join(self.body.split()), strict_mode=True)
        except binascii.Error:
            raise origin.error(
                "has characters that are not base64",
                reason="bad_base64",
                hint="copy it again as plain text",
            ) from None


def blocks(data: bytes, origin: Origin) -> list[Block]:
    """Return all blocks, in the order of the data; there may be none.

    Raises:
        ProvisioningError: Of the origin's kind, if a block is cut off.
    """
    found: list[Block] = []
    last = 0
    for begin in _BEGIN.finditer(data):
        end_line = b"-----END %b-----" % begin[1]
        end = data.find(end_line, begin.end())
        if end < 0 or begin.start() < last:
            raise origin.error(
                "is truncated before its END line", reason="truncated", hint="copy it again"
            )

        found.append(Block(begin[1].decode(), data[begin.end() : end].strip()))
        last = end + len(end_line)

    return found


def armoured(der: bytes, label: str) -> Block:
    """Return DER as a block of PEM."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return Block(label, body.encode())

"""Blocks of PEM, and the ways in which they are damaged."""

from __future__ import annotations

import pytest
from tests.certificates import root

from aiodps.errors import CertificateError
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import Block, armoured, blocks

ORIGIN = Origin(what="certificate", kind=CertificateError)
PEM = root().certificate_pem
KEY = root().private_key_pem


@pytest.mark.parametrize("between", [b"", b"\n\n# text\n", b"Bag Attributes\r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b"\n  "])
def test_blocks(between: bytes, line_end: bytes) -> None:
    """In their order, whatever is around them and between their lines."""
    data = (between + PEM + between + KEY).replace(b"\n", line_end)
    found = blocks(data, ORIGIN)

    assert [each.label for each in found] == ["CERTIFICATE", "PRIVATE KEY"]
    assert [each.der(ORIGIN) for each in found] == [
        each.der(ORIGIN) for each in blocks(PEM + KEY, ORIGIN)
    ]
    assert blocks(found[0].pem, ORIGIN)[0] == found[0]


@pytest.mark.parametrize(
    "text", [b"a -----BEGIN CERTIFICATE----- in text\n", b"what-----BEGIN PRIVATE KEY-----\n"]
)
def test_a_begin_in_text_begins_no_block(text: bytes) -> None:
    """As for OpenSSL, which reads lines."""
    assert [each.label for each in blocks(text + PEM, ORIGIN)] == ["CERTIFICATE"]


@pytest.mark.parametrize("cut", [30, 60, len(PEM) - 60])
def test_truncated(cut: int) -> None:
    """Also if a whole block comes before it."""
    for before in (b"", KEY):
        with pytest.raises(CertificateError) as caught:
            blocks(before + PEM[:-cut], ORIGIN)

        assert caught.value.reason == "truncated"


def test_not_base64() -> None:
    """A character of a copy that went wrong."""
    with pytest.raises(CertificateError) as caught:
        Block("CERTIFICATE", b"AA*A").der(ORIGIN)

    assert caught.value.reason == "bad_base64"


def test_armour() -> None:
    """DER becomes PEM that is read as the same DER."""
    assert armoured(b"x" * 100, "A KEY").der(ORIGIN) == b"x" * 100
    assert max(map(len, armoured(b"x" * 100, "A KEY").pem.splitlines())) == 64

"""A request may be written in each way in which tools write them."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.errors import ConfigurationError
from aiodps.input_files.requests import read_request

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sensor-8")])
REQUEST = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(NAME)
    .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
)
DER = REQUEST.public_bytes(Encoding.DER)


def in_lines(der: bytes) -> bytes:
    """Write base64 in lines, as `base64` does without -w0."""
    return "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 76)).encode()


@pytest.mark.parametrize(
    "written",
    [lambda: DER, lambda: REQUEST.public_bytes(Encoding.PEM), lambda: in_lines(DER)],
    ids=["der", "pem", "base64"],
)
def test_each_way_to_write_it(written: Callable[[], bytes], tmp_path: Path) -> None:
    """What is sent is the same."""
    (tmp_path / "sensor-8.csr").write_bytes(written())

    assert read_request(tmp_path / "sensor-8.csr") == DER


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"sensor-8", "is not a certificate signing request"),
        (b"c2Vuc29yLTg=", "is not a certificate signing request"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a private key, not"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nMII", "is truncated"),
    ],
    ids=["empty", "text", "base64", "key", "truncated"],
)
def test_anything_else(content: bytes, said: str, tmp_path: Path) -> None:
    """Named for what it is."""
    (tmp_path / "sensor-8.csr").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_request(tmp_path / "sensor-8.csr")

    assert caught.value.setting == "csr"
    assert ("openssl req -new" in caught.value.hint) is (" not" in said)

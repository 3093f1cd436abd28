"""Bytes to certificates: any bytes give certificates, or an error with a reason."""

from __future__ import annotations

import contextlib
import warnings

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import intermediate, root
from tests.foreign_files import trusted_certificate

from aiodps.errors import CertificateError
from aiodps.input_files.certificates import load_certificates, load_der
from aiodps.input_files.origin import Origin

ORIGIN = Origin(what="certificate", kind=CertificateError)
PEM = root().device("device-1").chain_pem
DERS = [each.certificate.public_bytes(Encoding.DER) for each in (intermediate(), root())]
BOTH = [intermediate().certificate, root().certificate]


def test_all_certificates_in_their_order() -> None:
    """Every certificate is read, whatever is between them."""
    pem = (
        b"subject=x\n" + intermediate().certificate_pem + b"\n\n# root\n" + root().certificate_pem
    )

    assert load_certificates(pem, ORIGIN) == BOTH
    assert load_certificates(b"".join(DERS), ORIGIN) == BOTH
    assert load_certificates(DERS[0] + b"\n", ORIGIN) == BOTH[:1]


def test_trusted_certificates() -> None:
    """OpenSSL's own format; what it trusts them for does not matter."""
    assert load_certificates(trusted_certificate(root()), ORIGIN) == [root().certificate]


@given(
    st.binary(max_size=400)
    | st.builds(
        lambda i, b: PEM[:i] + b + PEM[i + 1 :], st.integers(0, len(PEM)), st.binary(max_size=3)
    )
)
def test_any_bytes(data: bytes) -> None:
    """Damaged certificates end in an error of ours, and nothing else."""
    with contextlib.suppress(CertificateError):
        assert load_certificates(data, ORIGIN)


def test_a_version_that_does_not_exist() -> None:
    """A certificate of a version that X.509 does not have is unreadable like any other."""
    odd = DERS[1].replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    with pytest.raises(CertificateError) as caught:
        load_certificates(odd, ORIGIN)

    assert odd != DERS[1]
    assert caught.value.reason == "not_pem"


def test_a_name_that_is_not_text() -> None:
    """`cryptography` parses names when they are asked for; here that is when a file is loaded."""
    name = root().name.encode()
    with pytest.raises(CertificateError) as caught:
        load_certificates(DERS[0].replace(name, b"\xff" * len(name)), ORIGIN)

    assert caught.value.reason == "not_pem"


def test_odd_serial_numbers() -> None:
    """`cryptography` warns of serial numbers below one; nobody who gives a file can read that."""
    serial = root().certificate.serial_number.to_bytes(20, "big")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_der(DERS[1].replace(serial, b"\x80" + serial[1:]))

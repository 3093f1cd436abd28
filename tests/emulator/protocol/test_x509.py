"""What certificates prove."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Callable
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from tests.certificates import (
    certify,
    good_ed25519,
    good_rsa,
    intermediate,
    other_root,
    root,
    without_name,
)

from aiodps.emulator.protocol.x509 import (
    are_valid_at,
    certificate_info,
    is_named,
    is_signed_by,
    path_up,
    read_certificate,
    subject,
    thumbprint,
)
from aiodps.errors import CertificateError
from aiodps.pki import Credential

DEVICE = certify()
PEM = DEVICE.certificate_pem
DER = DEVICE.certificate.public_bytes(Encoding.DER)
VERSION_10 = DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)


@pytest.mark.parametrize(
    "form",
    [
        DEVICE.certificate,
        PEM,
        PEM.decode(),
        b"a line before\n" + PEM,
        DEVICE.chain_pem,
        DER,
        base64.b64encode(DER),
        base64.b64encode(DER).decode(),
        base64.encodebytes(DER).decode(),
        base64.b64encode(PEM).decode(),
    ],
    ids=[
        "certificate",
        "PEM bytes",
        "PEM text",
        "PEM with a comment",
        "chain",
        "DER",
        "base64 of DER, bytes",
        "base64 of DER, text",
        "base64 of DER in lines",
        "base64 of PEM",
    ],
)
def test_every_form_is_read(form: str | bytes) -> None:
    """As Azure's tools send certificates: the az CLI, the portal, the management SDKs."""
    assert read_certificate(form) == DEVICE.certificate


@pytest.mark.parametrize(
    "form",
    [
        "",
        "text",
        "\ud800",
        b"\x30\x03\x02\x01\x01",
        PEM[:-60],
        DEVICE.private_key_pem,
        DER[:-1],
        VERSION_10,
    ],
    ids=[
        "empty",
        "text",
        "half a character",
        "other DER",
        "cut PEM",
        "key",
        "cut DER",
        "version 10",
    ],
)
def test_anything_else_is_refused(form: str | bytes) -> None:
    """With an error that does not show it."""
    with pytest.raises(CertificateError, match="not a certificate") as unreadable:
        read_certificate(form)

    assert unreadable.value.reason == "unreadable"


def test_the_thumbprint_is_sha256() -> None:
    """64 upper-case hex digits, as the service API writes them."""
    mark = thumbprint(DEVICE.certificate)

    assert len(mark) == 64
    assert mark == mark.upper()
    assert mark != thumbprint(certify().certificate)


@pytest.mark.parametrize(
    ("make", "name", "named"),
    [
        (certify, "device-1", True),
        (certify, "DEVICE-1", True),
        (certify, "device-2", False),
        (partial(certify, "\N{KELVIN SIGN}1"), "k1", False),
        (without_name, "device-1", False),
        (without_name, "", True),
    ],
)
def test_names(make: Callable[[], Credential], name: str, *, named: bool) -> None:
    """The CN counts, in any casing; no CN is the empty name, which nobody has."""
    assert is_named(make().certificate, name) is named


def test_dates_include_their_ends() -> None:
    """Valid from the first second to the last one."""
    certificate = DEVICE.certificate
    first = certificate.not_valid_before_utc.timestamp()
    last = certificate.not_valid_after_utc.timestamp()

    assert are_valid_at([certificate], first)
    assert are_valid_at([certificate], last)
    assert not are_valid_at([certificate], first - 1)
    assert not are_valid_at([certificate], last + 1)


@pytest.mark.parametrize(
    "device", [certify(), good_rsa(), good_ed25519()], ids=["EC", "RSA", "Ed25519"]
)
def test_signatures(device: Credential) -> None:
    """The issuer's name is not enough, its key must have signed."""
    assert is_signed_by(device.certificate, intermediate().certificate)
    assert not is_signed_by(device.certificate, root().certificate)
    assert is_signed_by(intermediate().certificate, root().certificate)
    assert not is_signed_by(intermediate().certificate, other_root().certificate)


def test_a_path_ends_where_nothing_is_known() -> None:
    """Presented certificates first, then one anchor at most."""
    leaf, low, top = DEVICE.certificate, intermediate().certificate, root().certificate

    assert path_up(leaf, (), ()) == ()
    assert path_up(leaf, (low,), ()) == (low,)
    assert path_up(leaf, (low,), (top,)) == (low, top)
    assert path_up(leaf, (low, top), (top,)) == (low, top)
    assert path_up(leaf, (top, low, leaf), ()) == (low, top)
    assert path_up(leaf, (), (low, top)) == (low,)
    assert path_up(leaf, (top,), (top,)) == ()


def test_a_path_is_finite() -> None:
    """A certificate is used once, however often it was presented."""
    leaf, low, top = DEVICE.certificate, intermediate().certificate, root().certificate

    assert path_up(leaf, (low, top, top), (top,)) == (low, top)


def test_no_certificate_stands_above_itself() -> None:
    """Neither presented twice, nor uploaded."""
    top = root().certificate

    assert path_up(top, (top,), (top,)) == ()


def garbled(credential: Credential, old: bytes, new: bytes) -> x509.Certificate:
    """Return a certificate with some of its bytes changed, as a stranger may send it."""
    der = credential.certificate.public_bytes(Encoding.DER)
    assert len(old) == len(new)
    assert old in der
    return x509.load_der_x509_certificate(der.replace(old, new))


def test_an_unreadable_name_is_nobodys() -> None:
    """Bytes that are no UTF-8 where the CN should be."""
    certificate = garbled(DEVICE, b"device-1", b"\xff\xffvice-1")

    assert not is_named(certificate, "device-1")
    assert subject(certificate) == ""


def test_unreadable_dates_are_never_valid() -> None:
    """A certificate that ends in the year 0."""
    in_forty_years = dt.timedelta(days=40 * 365)
    end = dt.datetime.now(dt.UTC) + in_forty_years
    year = f"{end:%Y%m}".encode()
    certificate = garbled(certify(ends=in_forty_years), year, b"000001")

    assert not are_valid_at([certificate], time.time())


def test_an_unreadable_ca_issues_nothing() -> None:
    """Garbage where basic constraints should be."""
    constraints = x509.UnrecognizedExtension(ExtensionOID.BASIC_CONSTRAINTS, b"\x05\x00")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd ca")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )
    device = certify(issuer=Credential(certificate=certificate, private_key=key))

    assert is_signed_by(device.certificate, certificate)
    assert path_up(device.certificate, (certificate,), (certificate,)) == ()


def test_subjects_are_told_as_text() -> None:
    """As ARM shows them; names longer than X.509 allows as well."""
    assert subject(DEVICE.certificate) == "CN=device-1"
    assert subject(certify("d" * 70).certificate) == f"CN={'d' * 70}"


def test_what_the_service_api_tells_of_a_certificate() -> None:
    """Source: `X509CertificateInfo` of the REST reference; the Java SDK wants all eight."""
    certificate = good_rsa().certificate
    info = certificate_info(certificate)

    assert info == {
        "subjectName": "CN=device-1",
        "sha1Thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
        "sha256Thumbprint": thumbprint(certificate),
        "issuerName": "CN=test intermediate",
        "notBeforeUtc": f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "notAfterUtc": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "serialNumber": f"{certificate.serial_number:x}",
        "version": 3,
    }


@pytest.mark.parametrize("byte", range(0, len(DER), 7))
def test_broken_certificates_are_described(byte: int) -> None:
    """What can be read at all is described, with empty texts for the parts that cannot."""
    broken = DER[:byte] + bytes([DER[byte] ^ 1]) + DER[byte + 1 :]
    try:
        certificate = read_certificate(broken)
    except CertificateError:
        return

    assert len(certificate_info(certificate)) == 8

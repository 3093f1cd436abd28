"""What is said about a file."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests import certificates

from aiodps.errors import CertificateError
from aiodps.pki import Credential
from aiodps.pki.describe import Fact, describe

NOW = dt.datetime.now(dt.UTC)


def facts(*pems: bytes, now: dt.datetime = NOW) -> list[dict[str, Fact]]:
    """Describe a file; return the facts of each thing in it."""
    return [each.facts for each in describe(b"".join(pems), now=now)]


def test_a_device_certificate() -> None:
    """Everything that the service looks at is there, thumbprints as Azure writes them."""
    device = certificates.root().device("sensor-7", days=10)
    [shown] = facts(device.certificate_pem, now=dt.datetime.now(dt.UTC))

    assert shown["subject"] == "CN=sensor-7"
    assert shown["issuer"] == "CN=test root"
    assert shown["validity"] == "valid"
    assert shown["days_left"] in {9, 10}
    assert shown["key_type"] == "EC P-256"
    assert shown["ca"] is False
    assert shown["usage"] == ["client"]
    assert shown["sha1_thumbprint"] == (
        device.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (what Azure shows)
    )
    assert shown["sha256_thumbprint"] == (
        device.certificate.fingerprint(hashes.SHA256()).hex().upper()
    )


def test_a_server_certificate() -> None:
    """The names it may be reached by are shown."""
    server = certificates.root().server(names=["dps.test", "127.0.0.1"], key_type="ed25519")
    [shown] = facts(server.certificate_pem)

    assert shown["names"] == ["dps.test", "127.0.0.1"]
    assert shown["usage"] == ["server"]
    assert shown["key_type"] == "Ed25519"


@pytest.mark.parametrize(
    ("days", "validity", "left"),
    [(-1, "not yet valid", 32), (1, "valid", 30), (31, "valid", 0), (32, "expired", -1)],
)
def test_validity_is_judged_by_the_given_time(days: int, validity: str, left: int) -> None:
    """Days left are whole days, negative after the end."""
    certificate = certificates.certify(starts=dt.timedelta(0), ends=31 * certificates.DAY)
    now = certificate.certificate.not_valid_before_utc + dt.timedelta(days=days)
    [shown] = facts(certificate.certificate_pem, now=now)

    assert (shown["validity"], shown["days_left"]) == (validity, left)


@pytest.mark.parametrize(
    ("credential", "key_type"),
    [
        (certificates.good_rsa(), "RSA 2048"),
        (certificates.weak_rsa(), "RSA 1024"),
        (certificates.good_p384(), "EC P-384"),
        (certificates.odd_curve(), "EC secp256k1"),
        (certificates.good_ed448(), "Ed448"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_key_types(credential: Credential, key_type: str) -> None:
    """A key is called what people call it, the same in certificate and key."""
    certificate, key = facts(credential.certificate_pem, credential.private_key_pem)

    assert certificate["key_type"] == key["key_type"] == key_type
    assert key["belongs_to"] == "certificate 1"


ROOT = certificates.root().certificate_pem
INTERMEDIATE = certificates.intermediate().certificate_pem
DEVICE = certificates.intermediate().device("device-1").certificate_pem
OTHER = certificates.other_root().certificate_pem


@pytest.mark.parametrize(
    ("pems", "links"),
    [
        (
            [DEVICE, INTERMEDIATE, ROOT],
            ["issued by certificate 2", "issued by certificate 3", "self-signed"],
        ),
        (
            [DEVICE, INTERMEDIATE],
            ["issued by certificate 2", "the issuer is not in this file, which is right if"],
        ),
        (
            [INTERMEDIATE, DEVICE],
            ["the issuer is not in this file", "issued by certificate 1, which should"],
        ),
        (
            [DEVICE, ROOT, INTERMEDIATE],
            ["issued by certificate 3, which should", "self-signed", "issued by certificate 2, w"],
        ),
        ([INTERMEDIATE, OTHER], ["the issuer is not in this file, a certificate", "self-"]),
    ],
    ids=["whole", "sent", "reversed", "shuffled", "namesake"],
)
def test_chains(pems: list[bytes], links: list[str]) -> None:
    """Links are judged by signature; what is missing or out of order is said."""
    said = [str(shown["chain"]) for shown in facts(*pems)]

    assert all(text.startswith(link) for text, link in zip(said, links, strict=True)), said


def test_keys_are_told_but_never_shown() -> None:
    """A key's owner is named; nothing of the key itself is in the facts."""
    device = certificates.root().device("device-1")
    body = b"".join(device.private_key_pem.splitlines()[1:-1])
    own, other, alone = (
        facts(ROOT, device.certificate_pem, device.private_key_pem)[2],
        facts(ROOT, device.private_key_pem)[1],
        facts(device.private_key_pem)[0],
    )

    assert own["belongs_to"] == "certificate 2"
    assert other["belongs_to"] == "no certificate in this file"
    assert alone == {"key_type": "EC P-256", "encrypted": False}
    for line in (body, base64.b64decode(body).hex().encode()):
        assert line.decode() not in str((own, other, alone))


def test_encrypted_keys() -> None:
    """An encrypted key says no more than that."""
    [shown] = facts(certificates.root().encrypted_key_pem(password=b"secret"))

    assert shown == {"key_type": None, "encrypted": True}


def test_keys_that_nobody_should_use() -> None:
    """A key of another kind is called by its class."""
    key = dsa.generate_private_key(1024)  # noqa: S505 (weak on purpose)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert facts(pem) == [{"key_type": "DSA"}]


def test_a_request() -> None:
    """A CSR has subject, key and a signature of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sensor-7")]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    [shown] = facts(request.public_bytes(Encoding.PEM))

    assert shown == {
        "subject": "CN=sensor-7",
        "key_type": "EC P-256",
        "names": ["a.test"],
        "signature_valid": True,
    }


def test_terminals_are_not_commanded() -> None:
    """Control characters in a foreign certificate are shown escaped."""
    [shown] = facts(certificates.certify("a\x1b[31m\nb").certificate_pem)

    assert str(shown["subject"]).isprintable()
    assert str(shown["issuer"]).isprintable()


@pytest.mark.parametrize(
    "make",
    [certificates.without_name, certificates.long_name, certificates.without_identifiers],
    ids=lambda make: make.__name__,
)
def test_odd_certificates_are_described(make: Callable[[], Credential]) -> None:
    """What the service would refuse is still shown, without a warning."""
    assert len(facts(make().certificate_pem)) == 1


def test_a_certificate_that_is_broken_inside() -> None:
    """What can be opened but not read is refused with our own error."""
    names = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"junk")
    broken = certificates.certify(extensions=[(names, False)])

    with pytest.raises(CertificateError) as caught:
        facts(broken.certificate_pem)

    assert caught.value.reason == "unreadable"


DER = certificates.root().device("device-1").certificate.public_bytes(Encoding.DER)


@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_any_bytes_in_a_certificate(position: int, change: int) -> None:
    """A damaged certificate is described, as what it looks like now, or refused with our error."""
    damaged = bytearray(DER)
    damaged[position] ^= change
    try:
        [shown] = facts(bytes(damaged))
    except CertificateError:
        return

    assert shown.keys() & {"sha256_thumbprint", "key_type", "next"}

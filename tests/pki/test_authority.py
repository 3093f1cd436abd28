"""What an authority issues passes the strictest judges, and says what it should."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests import certificates
from tests.pki.tls import openssl_verify, shake_hands

from aiodps.errors import CertificateError, ConfigurationError, PrivateKeyError
from aiodps.pki import Authority, Credential, KeyType

KEY_TYPES = pytest.mark.parametrize("key_type", ["ec", "rsa", "ed25519"])
DEPTHS = pytest.mark.parametrize("depth", [0, 1, 3])


def authority(key_type: KeyType, depth: int) -> tuple[Authority, Authority]:
    """Make a root, and the CA that is so many steps below it."""
    root = issuer = Authority.root("root", key_type=key_type)
    for step in range(depth):
        issuer = issuer.intermediate(f"intermediate {step}", key_type=key_type)

    return root, issuer


@KEY_TYPES
@DEPTHS
@pytest.mark.sockets
def test_chains_pass_openssl_strictly(tmp_path: Path, key_type: KeyType, depth: int) -> None:
    """`openssl verify -x509_strict` takes devices and servers, each for its own purpose alone."""
    root, issuer = authority(key_type, depth)
    device = issuer.device("sensor-7", key_type=key_type)
    server = issuer.server(names=["dps.test"], key_type=key_type)

    assert not openssl_verify(tmp_path, device, root=root)
    assert not openssl_verify(tmp_path, server, root=root, purpose="sslserver")
    assert "purpose" in openssl_verify(tmp_path, device, root=root, purpose="sslserver")
    assert "purpose" in openssl_verify(tmp_path, server, root=root, purpose="sslclient")


@pytest.mark.slow
@KEY_TYPES
@DEPTHS
def test_chains_pass_strict_tls(tmp_path: Path, key_type: KeyType, depth: int) -> None:
    """Two sides that verify as Python 3.13 does shake hands."""
    root, issuer = authority(key_type, depth)
    device = issuer.device("sensor-7", key_type=key_type)
    server = issuer.server(names=["dps.test", "127.0.0.1"], key_type=key_type)
    for host in ("dps.test", "127.0.0.1"):
        shown = shake_hands(tmp_path, client=device, server=server, root=root, host=host)

        assert x509.load_der_x509_certificate(shown) == device.certificate


BAD = {
    "expired": certificates.expired,
    "not yet valid": certificates.not_yet_valid,
    "missing intermediate": certificates.missing_intermediate,
    "wrong intermediate": certificates.wrong_intermediate,
    "expired intermediate": certificates.expired_intermediate,
    "self-signed": certificates.self_signed,
    "unknown root": certificates.unknown_root,
    "issued by leaf": certificates.issued_by_leaf,
    "issuer may not sign": certificates.issuer_may_not_sign,
    "chain too long": certificates.chain_too_long,
    "without identifiers": certificates.without_identifiers,
    "unknown critical extension": certificates.unknown_critical_extension,
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.sockets
def test_the_judges_can_say_no(tmp_path: Path, kind: str) -> None:
    """What is wrong in the kit of bad certificates is refused by both judges."""
    bad, root = BAD[kind](), certificates.root()
    server = root.server(names=["dps.test"])

    assert openssl_verify(tmp_path, bad, root=root)
    with pytest.raises(ssl.SSLError):
        shake_hands(tmp_path, client=bad, server=server, root=root, host="dps.test")


GOOD = (certificates.good_rsa, certificates.good_p384, certificates.good_ed25519)


@pytest.mark.parametrize("make", GOOD, ids=lambda make: make.__name__)
@pytest.mark.sockets
def test_the_kit_can_do_right(tmp_path: Path, make: Callable[[], Credential]) -> None:
    """What is called good in the kit is good."""
    assert not openssl_verify(tmp_path, make(), root=certificates.root())


@pytest.mark.parametrize("name", ["root", "Contoso Röot, Inc. #1", " padded ", "a" * 64])
def test_names_are_used_exactly_as_given(name: str) -> None:
    """The CN is the name, in roots, intermediates and devices."""
    root = Authority.root(name)

    assert root.name == name
    assert Authority.root("another").intermediate(name).name == name
    assert root.device("Sensor:7.a_B-").name == "Sensor:7.a_B-"
    assert root.verification("106A5SD242AF512B").name == "106A5SD242AF512B"


@KEY_TYPES
def test_extensions_of_a_ca(key_type: KeyType) -> None:
    """A CA signs certificates and revocation lists, nothing else; critical where it must be."""
    root = Authority.root("root", key_type=key_type)
    for ca in (root, root.intermediate("intermediate", key_type=key_type)):
        extensions = ca.certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)

        assert constraints.critical
        assert constraints.value.ca
        assert usage.critical
        assert allowed(usage.value) == {"key_cert_sign", "crl_sign"}
        assert _authority_key(ca) == _subject_key(root)


@pytest.mark.parametrize(
    ("key_type", "uses"),
    [
        ("ec", {"digital_signature"}),
        ("ed25519", {"digital_signature"}),
        ("rsa", {"digital_signature", "key_encipherment"}),
    ],
)
def test_extensions_of_a_leaf(key_type: KeyType, uses: set[str]) -> None:
    """A leaf signs handshakes for one purpose and issues nothing."""
    root = certificates.root()
    device = root.device("sensor-7", key_type=key_type)
    extensions = device.certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage)

    assert constraints.critical
    assert not constraints.value.ca
    assert usage.critical
    assert allowed(usage.value) == uses
    assert list(purposes.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert _authority_key(device) == _subject_key(root)


def test_a_foreign_ca_is_named_as_it_names_itself() -> None:
    """The authority key identifier repeats the CA's own, however that was computed."""
    odd = x509.SubjectKeyIdentifier(b"not a digest of the key")
    ca = certificates.certify(
        "foreign", issuer=certificates.root(), ca=True, identifiers=False,
        extensions=[(odd, False)],
    )  # fmt: skip
    bare = certificates.certify("bare", issuer=certificates.root(), ca=True, identifiers=False)
    device = issuing(ca).device("sensor-7")

    assert _authority_key(device) == b"not a digest of the key"
    assert _authority_key(issuing(bare).device("sensor-7"))


def test_validity_begins_in_the_past_and_ends_as_asked() -> None:
    """A device whose clock is behind takes a new certificate."""
    now = dt.datetime.now(dt.UTC)
    root = Authority.root("root", days=10)
    starts = root.certificate.not_valid_before_utc
    ends = root.certificate.not_valid_after_utc

    assert dt.timedelta(minutes=59) < now - starts < dt.timedelta(minutes=61)
    assert abs(ends - now - dt.timedelta(days=10)) < dt.timedelta(minutes=1)


def test_no_certificate_outlives_its_issuer() -> None:
    """Validity is cut at both ends to that of the issuer, all the way down."""
    root = Authority.root("root", days=2)
    intermediate = root.intermediate("intermediate", days=300)
    for child in (intermediate, intermediate.device("d", days=30), root.server(names=["a.test"])):
        assert child.certificate.not_valid_after_utc == root.certificate.not_valid_after_utc
        assert child.certificate.not_valid_before_utc >= root.certificate.not_valid_before_utc


def test_an_expired_ca_issues_nothing() -> None:
    """What an expired CA issues would be refused everywhere."""
    expired = certificates.certify(
        "old", ca=True, starts=-30 * certificates.DAY, ends=-certificates.HOUR
    )

    with pytest.raises(CertificateError, match="'old' expired on") as caught:
        issuing(expired).device("sensor-7")

    assert caught.value.reason == "expired"


@pytest.mark.parametrize("days", [0, -1, 36_501, float("nan"), float("inf")])
def test_impossible_validity_is_refused(days: float) -> None:
    """Days are over 0 and at most a hundred years."""
    with pytest.raises(ConfigurationError) as caught:
        Authority.root("root", days=days)

    assert caught.value.setting == "days"


def test_a_leaf_is_no_authority() -> None:
    """Only a CA's certificate makes an authority."""
    with pytest.raises(CertificateError) as caught:
        issuing(certificates.root().device("sensor-7"))

    assert caught.value.reason == "not_a_ca"


def test_certificate_and_key_of_an_authority_belong_together() -> None:
    """A key of another CA is refused before it signs anything."""
    with pytest.raises(PrivateKeyError) as caught:
        Authority(
            certificate=certificates.root().certificate,
            private_key=certificates.other_root().private_key,
        )

    assert caught.value.reason == "mismatch"


def test_a_certificate_has_another_name_than_its_issuer() -> None:
    """A chain with the same name twice in a row would look like a root."""
    with pytest.raises(ConfigurationError, match="'root' is that of the issuer"):
        Authority.root("root").intermediate("root")


def test_a_key_can_be_certified_again() -> None:
    """A renewal keeps the device's key; serial numbers are never used twice."""
    key = ec.generate_private_key(ec.SECP384R1())
    first = certificates.root().device("sensor-7", private_key=key)
    second = certificates.root().device("sensor-7", private_key=key)

    assert first.certificate.public_key() == second.certificate.public_key()
    assert first.certificate.serial_number != second.certificate.serial_number


def test_strong_curves_sign_with_strong_digests() -> None:
    """A P-384 key signs with SHA-384, as the standards pair them."""
    ca = certificates.certify(
        "p384", issuer=certificates.root(), ca=True, key=ec.generate_private_key(ec.SECP384R1())
    )
    algorithm = issuing(ca).device("sensor-7").certificate.signature_hash_algorithm

    assert algorithm is not None
    assert algorithm.name == "sha384"


def issuing(credential: Credential) -> Authority:
    """Make an authority of any credential."""
    return Authority(
        certificate=credential.certificate,
        private_key=credential.private_key,
        intermediates=credential.intermediates,
    )


def allowed(usage: x509.KeyUsage) -> set[str]:
    """Name what a key may be used for."""
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign"),
    )
    return {name for name in names if getattr(usage, name)}


def _subject_key(credential: Credential) -> bytes:
    extensions = credential.certificate.extensions
    return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _authority_key(credential: Credential) -> bytes | None:
    extensions = credential.certificate.extensions
    return extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier

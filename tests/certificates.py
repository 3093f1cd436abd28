"""Certificates for tests, mostly bad ones: every way in which a certificate can be wrong.

`certify` makes any certificate, right or wrong, without the checks of `aiodps.pki`; the functions
below it name the usual mistakes. All return a `Credential`, whose `certificate_pem`, `chain_pem`
and `private_key_pem` go where a test needs them; `write` puts them into files. The CAs are made
once per process, slow RSA keys too.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import ipaddress
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aiodps.pki import Authority, Credential, PrivateKey

CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)

Names: TypeAlias = Sequence[str | x509.GeneralName]


@functools.cache
def root() -> Authority:
    """The root that the good and bad certificates below come from."""
    return Authority.root("test root")


@functools.cache
def intermediate() -> Authority:
    """A CA under `root`."""
    return root().intermediate("test intermediate")


@functools.cache
def other_root() -> Authority:
    """A root that nobody knows, with the same name as `root` and another key."""
    return Authority.root("test root")


@functools.cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """An RSA key of a size, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def issue(csr: str, *, name: str | None = None) -> list[str]:
    """Issue a certificate below `intermediate` for a request, as DPS does: base64 of DER each."""
    request = x509.load_der_x509_csr(base64.b64decode(csr))
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(request.subject if name is None else _subject(name))
        .issuer_name(intermediate().certificate.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + 30 * DAY)
        .sign(intermediate().private_key, hashes.SHA256())
    )
    return list(map(encode, (leaf, intermediate().certificate, root().certificate)))


def encode(certificate: x509.Certificate) -> str:
    """Write a certificate as base64 of DER."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def certify(
    name: str | None = "device-1",
    *,
    issuer: Credential | None = None,
    self_signed: bool = False,
    key: PrivateKey | None = None,
    starts: dt.timedelta = -HOUR,
    ends: dt.timedelta = 30 * DAY,
    ca: bool = False,
    constraints: bool = True,
    key_cert_sign: bool | None = None,
    path_length: int | None = None,
    names: Names = (),
    usages: Sequence[x509.ObjectIdentifier] | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    identifiers: bool = True,
) -> Credential:
    """Make a certificate, right or wrong.

    Args:
        name: CN, of any length and with any characters; None for an empty subject.
        issuer: Who signs, CA or not; None for `intermediate`.
        self_signed: Sign with its own key, whatever `issuer` is.
        key: Its private key; None makes an EC key.
        starts: When validity begins, relative to now.
        ends: When validity ends, relative to now.
        ca: Whether basic constraints say that it is a CA.
        constraints: Whether basic constraints are there.
        key_cert_sign: Whether its key may sign certificates; None for what `ca` says.
        path_length: How many CAs may stand below it; None for any number.
        names: Subject alternative names: texts as `Authority.server` takes them, or any others.
        usages: Extended key usage; None for servers if there are names, else for clients.
        extensions: More extensions, each with whether it is critical.
        identifiers: Whether subject and authority key identifiers are there.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer = issuer or intermediate()
    signing_key = key if self_signed else issuer.private_key
    subject = _subject(name)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if self_signed else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
    if usages is None:
        usages = () if ca else SERVER if names else CLIENT

    signs = ca if key_cert_sign is None else key_cert_sign
    basic = x509.BasicConstraints(ca=ca, path_length=path_length if ca else None)
    all_extensions = [
        *([(basic, True)] if constraints else ()),
        (_key_usage(key_cert_sign=signs), True),
        *(_identifiers(key, signing_key) if identifiers else ()),
        *([(x509.ExtendedKeyUsage(usages), False)] if usages else ()),
        *([(_alternative_names(names), False)] if names else ()),
        *extensions,
    ]
    for extension, critical in all_extensions:
        builder = builder.add_extension(extension, critical=critical)

    edwards = isinstance(signing_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    certificate = builder.sign(signing_key, None if edwards else hashes.SHA256())
    above = () if self_signed else _chain_above(issuer)
    return Credential(certificate=certificate, private_key=key, intermediates=above)


def write(credential: Credential, directory: Path, name: str = "device") -> tuple[Path, Path]:
    """Write chain and key to files, the key with mode 0600; return their paths."""
    chain, key = directory / f"{name}_chain.pem", directory / f"{name}_key.pem"
    chain.write_bytes(credential.chain_pem)
    key.touch(mode=0o600)
    key.write_bytes(credential.private_key_pem)
    return chain, key


# Devices; with `names`, servers


def expired(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate that ended an hour ago."""
    return certify(name, starts=-30 * DAY, ends=-HOUR, names=names)


def not_yet_valid(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate that begins tomorrow."""
    return certify(name, starts=DAY, names=names)


def wrong_key(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate with the key of another certificate."""
    good = certify(name, names=names)
    return Credential(
        certificate=good.certificate,
        private_key=certify(name, names=names).private_key,
        intermediates=good.intermediates,
    )


def missing_intermediate(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate of `intermediate`, and nothing that leads to `root`."""
    good = certify(name, names=names)
    return Credential(certificate=good.certificate, private_key=good.private_key)


def wrong_intermediate(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate of `intermediate` beside an intermediate that did not issue it."""
    good = certify(name, names=names)
    other = root().intermediate("another intermediate").certificate
    return Credential(
        certificate=good.certificate, private_key=good.private_key, intermediates=(other,)
    )


def expired_intermediate(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A good device certificate under an intermediate that ended an hour ago."""
    ca = certify("expired intermediate", issuer=root(), ca=True, starts=-30 * DAY, ends=-HOUR)
    return certify(name, issuer=ca, names=names)


def self_signed(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate that nobody but itself signed; individual enrollments allow it."""
    return certify(name, self_signed=True, names=names)


def unknown_root(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate of a root with the right name and the wrong key."""
    return certify(name, issuer=other_root(), names=names)


def without_name() -> Credential:
    """A device certificate without any CN."""
    return certify(None)


def long_name(length: int = 65) -> Credential:
    """A device certificate whose CN is longer than X.509 allows.

    `cryptography` warns about it whenever `subject` is read.
    """
    return certify("d" * length)


def illegal_name(name: str = "device 1/ä", *, names: Names = ()) -> Credential:
    """A device certificate whose CN cannot be a registration id."""
    return certify(name, names=names)


def weak_rsa(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate with an RSA key of 1024 bits."""
    return certify(name, key=rsa_key(1024), names=names)


def odd_curve(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate on secp256k1, which no TLS stack offers."""
    return certify(name, key=ec.generate_private_key(ec.SECP256K1()), names=names)


def good_rsa(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A good device certificate with an RSA key of 2048 bits."""
    return certify(name, key=rsa_key(2048), names=names)


def good_p384(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A good device certificate on P-384."""
    return certify(name, key=ec.generate_private_key(ec.SECP384R1()), names=names)


def good_ed25519(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate with an Ed25519 key: TLS takes it, Azure does not list it."""
    return certify(name, key=ed25519.Ed25519PrivateKey.generate(), names=names)


def good_ed448(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A device certificate with an Ed448 key: as with Ed25519."""
    return certify(name, key=ed448.Ed448PrivateKey.generate(), names=names)


# What no strict verification lets through


def issued_by_leaf(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A certificate signed by another device's."""
    return certify(name, issuer=certify("not a ca"), names=names)


def issuer_may_not_sign(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A certificate of a CA whose key usage does not allow to sign certificates."""
    ca = certify("may not sign", issuer=root(), ca=True, key_cert_sign=False)
    return certify(name, issuer=ca, names=names)


def chain_too_long(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A certificate below a CA below a CA that allows none below itself."""
    last = certify("path length 0", issuer=root(), ca=True, path_length=0)
    below = certify("one too many", issuer=last, ca=True)
    return certify(name, issuer=below, names=names)


def without_identifiers(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A certificate without key identifiers: strict verification refuses it."""
    return certify(name, identifiers=False, names=names)


def unknown_critical_extension(name: str = "device-1", *, names: Names = ()) -> Credential:
    """A certificate with a critical extension that nobody can know."""
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return certify(name, extensions=[(unknown, True)], names=names)


def _subject(name: str | None) -> x509.Name:
    if name is None:
        return x509.Name([])

    with warnings.catch_warnings(action="ignore"):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])


def _identifiers(
    key: PrivateKey, signing_key: PrivateKey
) -> list[tuple[x509.ExtensionType, bool]]:
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    return [(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False), (signer, False)]


def _alternative_names(names: Names) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str | x509.GeneralName) -> x509.GeneralName:
    if isinstance(name, x509.GeneralName):
        return name

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _chain_above(issuer: Credential) -> tuple[x509.Certificate, ...]:
    is_root = issuer.certificate.issuer == issuer.certificate.subject
    return () if is_root else (issuer.certificate, *issuer.intermediates)


def _key_usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )

"""Group S of the bad inputs: what is wrong with a server's certificate is told as what it is."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from tests import certificates as certs
from tests.certificates import DAY, HOUR, certify, root
from tests.scripted.server import ScriptedServer
from tests.scripted.tls import serving
from tests.transports.hosts import DPS, hosts

from aiodps.attestation.base import OwnContext
from aiodps.errors import ServerIdentityError
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.network.server_identity import presented_certificates
from aiodps.network.tls_contexts import fresh_context
from aiodps.network.trust import Trust
from aiodps.pki import Authority, Credential

pytestmark = [pytest.mark.sockets, pytest.mark.anyio, pytest.mark.usefixtures("hosts")]

Make: TypeAlias = Callable[[], Credential]

__all__ = ["hosts"]


@dataclass(frozen=True)
class Row:
    """A certificate, and what the user sees."""

    id: str
    make: Make
    reason: str
    says: str = ""
    host: str = DPS


def named(*names: str | x509.GeneralName) -> Make:
    """Make a good certificate for other names than the one asked for."""
    return lambda: certify("server", names=names)


def under(**flaw: object) -> Make:
    """Make a good certificate under an intermediate that has a flaw."""

    def make() -> Credential:
        return certify("server", issuer=certify("flawed", issuer=root(), **flaw), names=[DPS])  # type: ignore[arg-type]  # names of `certify`

    return make


def with_its_root(authority: Authority) -> Credential:
    """Make a certificate of an unknown root, and send the root along."""
    leaf = certify("server", issuer=authority, names=[DPS])
    return Credential(
        certificate=leaf.certificate,
        private_key=leaf.private_key,
        intermediates=(authority.certificate,),
    )


def constrained(*, permitted: Sequence[str] = (), excluded: Sequence[str] = ()) -> Make:
    """Make a certificate under a CA that may not sign for every name."""
    constraints = x509.NameConstraints(
        [x509.DNSName(name) for name in permitted] or None,
        [x509.DNSName(name) for name in excluded] or None,
    )
    return under(ca=True, extensions=[(constraints, True)])


def weakly_signed(good: Credential, algorithm: int) -> Credential:
    """Make a certificate say that it was signed with SHA-1 (5) or MD5 (4).

    The algorithm is judged before the signature, so that need not be true.
    """
    der = good.certificate.public_bytes(Encoding.DER)
    weak = der.replace(SHA256_WITH_RSA, SHA256_WITH_RSA[:-1] + bytes([algorithm]))
    assert weak != der

    return Credential(
        certificate=x509.load_der_x509_certificate(weak),
        private_key=good.private_key,
        intermediates=good.intermediates,
    )


def weak_leaf(algorithm: int) -> Make:
    """Make a leaf that is signed weakly."""
    return lambda: weakly_signed(certify(issuer=rsa_ca(), names=[DPS]), algorithm)


def weak_intermediate(algorithm: int) -> Make:
    """Make a good leaf under an intermediate that is signed weakly."""
    return lambda: certify(
        issuer=weakly_signed(certify("weak", issuer=rsa_ca(), ca=True), algorithm), names=[DPS]
    )


def rsa_ca() -> Credential:
    """Make a good intermediate that signs with RSA."""
    return certify("rsa", issuer=root(), ca=True, key=certs.rsa_key(2048))


SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")

ROWS = [
    Row("S01", lambda: certs.expired("server", names=[DPS]), "expired", "'CN=server', which exp"),
    Row(
        "S02",
        lambda: certs.not_yet_valid("server", names=[DPS]),
        "not_yet_valid",
        "which is valid from",
    ),
    Row("S03", named("other.test", "*.hub.test"), "wrong_host", "for 'other.test', '*.hub.test'"),
    Row("S04", lambda: certs.self_signed("server", names=[DPS]), "self_signed"),
    Row("S05", lambda: with_its_root(Authority.root("stranger")), "untrusted_root", "CN=stranger"),
    Row("S06", lambda: with_its_root(certs.other_root()), "untrusted_root", "CN=test root"),
    Row("S07", lambda: certs.expired_intermediate(names=[DPS]), "expired", "expired intermediate"),
    Row(
        "S08", lambda: certs.missing_intermediate(names=[DPS]), "incomplete_chain", "intermediate"
    ),
    Row("S09", lambda: certify(DPS, usages=certs.SERVER), "wrong_host", "no host (it has no"),
    Row("S10", named("127.0.0.1"), "wrong_host", "127.0.0.1"),
    Row("S11", named(x509.DNSName("127.0.0.1")), "wrong_host", "'127.0.0.1'", "127.0.0.1"),
    Row("S12-one-label", named("*.test"), "wrong_host", "'*.test'"),
    Row("S12-two-stars", named("*.*.test"), "wrong_host"),
    Row("S12-star", named("*"), "wrong_host"),
    Row("S12-inside", named("d*s.example.test"), "wrong_host"),
    Row("S12-two-labels", named("*.example.test"), "wrong_host", host="a.dps.example.test"),
    Row("S13", named(".example.test"), "wrong_host"),
    Row("S14", named(f"{DPS}\0.evil.test"), "wrong_host", r"dps.example.test\x00.evil.test"),
    Row("S15", lambda: certify(names=[DPS], usages=certs.CLIENT), "wrong_purpose"),
    Row("S16-not-ca", under(ca=False, key_cert_sign=True), "bad_chain"),
    Row("S16-leaf", lambda: certs.issued_by_leaf(names=[DPS]), "bad_chain"),
    Row("S17", lambda: certs.issuer_may_not_sign(names=[DPS]), "bad_chain"),
    Row("S18", lambda: certs.chain_too_long(names=[DPS]), "bad_chain"),
    Row("S19-excluded", constrained(excluded=["example.test"]), "name_constraint"),
    Row("S19-not-permitted", constrained(permitted=["else.test"]), "name_constraint"),
    Row("S20-leaf", lambda: certs.unknown_critical_extension(names=[DPS]), "bad_chain"),
    Row("S20-intermediate", under(ca=True, extensions=[(UNKNOWN, True)]), "bad_chain"),
    Row("S21", lambda: certs.without_identifiers(names=[DPS]), "bad_chain"),
    Row("S23-leaf", lambda: certs.weak_rsa(names=[DPS]), "weak_key"),
    Row("S23-intermediate", under(ca=True, key=certs.rsa_key(1024)), "weak_key"),
    Row("S24-leaf-sha1", weak_leaf(5), "weak_signature"),
    Row("S24-leaf-md5", weak_leaf(4), "weak_signature"),
    Row("S24-intermediate-sha1", weak_intermediate(5), "weak_signature"),
    Row("S24-intermediate-md5", weak_intermediate(4), "weak_signature"),
]


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, None], ids=["tls1.2", "tls1.3"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_a_bad_certificate_is_refused_for_its_reason(row: Row, version: int | None) -> None:
    """The reason is the one of the table, and the server gets not one byte of the application."""
    context = serving(row.make(), version=version)
    with ScriptedServer(tls=context) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(endpoint=row.host).at_port(peer.port))

    assert caught.value.reason == row.reason
    assert row.says in caught.value.message
    assert row.host in caught.value.message
    assert caught.value.phase is Phase.TLS
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert peer.lines[0].received == b""
    assert not peer.lines[0].secured


@pytest.mark.parametrize("make", [certs.expired, certs.not_yet_valid])
async def test_wrong_dates_point_at_the_clock(make: Callable[..., Credential]) -> None:
    """S01, S02: a device's clock is wrong more often than a service's certificate."""
    with (
        ScriptedServer(tls=serving(make(names=[DPS]))) as peer,
        pytest.raises(ServerIdentityError) as caught,
    ):
        await dial(peer.target(endpoint=DPS).at_port(peer.port))

    assert "this device's clock" in caught.value.hint
    assert f"{dt.datetime.now(dt.UTC):%Y-%m-%d}" in caught.value.hint


async def test_a_ca_that_was_given_is_not_asked_for_again() -> None:
    """R45: a CA that may not sign must be reissued; giving it once more would not help."""
    leaf = certs.issuer_may_not_sign(names=[DPS])
    with ScriptedServer(tls=serving(leaf)) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(endpoint=DPS).at_port(peer.port))

    assert caught.value.reason == "bad_chain"
    assert "reissued" in caught.value.hint
    assert "keyCertSign" in caught.value.hint


async def test_a_leaf_that_says_it_is_a_ca_is_accepted() -> None:
    """S22: OpenSSL takes it, also when strict. A known gap, the same in every Azure SDK."""
    leaf = certify(names=[DPS], ca=True, key_cert_sign=False, usages=certs.SERVER)
    with ScriptedServer(tls=serving(leaf)) as peer:
        connection = await dial(peer.target(endpoint=DPS).at_port(peer.port))
        connection.close()

    assert peer.lines[0].secured


def crl(
    issuer: Credential, *revoked: Credential, ends: dt.timedelta = DAY
) -> x509.CertificateRevocationList:
    """Make a list of revoked certificates."""
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.certificate.subject, last_update=now - DAY, next_update=now + ends
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, now - HOUR)
        builder = builder.add_revoked_certificate(entry.build())

    return builder.sign(issuer.private_key, hashes.SHA256())


def context_with(crl: x509.CertificateRevocationList, directory: Path) -> ssl.SSLContext:
    """Make a caller's own context that trusts `root` and checks a CRL."""
    file = directory / "crl.pem"
    file.write_bytes(crl.public_bytes(Encoding.PEM))
    context = fresh_context(Trust.of(root().certificate_pem))
    context.load_verify_locations(cafile=file)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda leaf: crl(root(), leaf), "revoked", id="S25"),
        pytest.param(lambda _: crl(root(), ends=-HOUR), "revocation_unknown", id="S27-old"),
        pytest.param(
            lambda _: crl(Authority.root("other")), "revocation_unknown", id="S27-other-ca"
        ),
    ],
)
async def test_the_callers_crl_is_obeyed(
    make: Callable[[Credential], x509.CertificateRevocationList], reason: str, tmp_path: Path
) -> None:
    """S25, S27: whoever brings a context with a CRL learns that a certificate is revoked."""
    leaf = certify(issuer=root(), names=[DPS])
    identity = OwnContext(context_with(make(leaf), tmp_path))
    with ScriptedServer(tls=serving(leaf)) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(endpoint=DPS, identity=identity).at_port(peer.port))

    assert caught.value.reason == reason
    assert not peer.lines[0].secured


async def test_without_a_crl_nothing_is_known_of_revocation() -> None:
    """S26: there is no online check, as in every Azure SDK."""
    with ScriptedServer(tls=serving(certify(issuer=root(), names=[DPS]))) as peer:
        connection = await dial(peer.target(endpoint=DPS).at_port(peer.port))
        connection.close()

    assert peer.lines[0].secured


async def test_a_message_lists_a_few_names_only() -> None:
    """A certificate with many long names makes a message for people all the same."""
    names = ["a" * 60 + "." + "b" * 60 + ".test", *(f"host-{i}.test" for i in range(50))]
    with (
        ScriptedServer(tls=serving(certify(names=names))) as peer,
        pytest.raises(ServerIdentityError) as caught,
    ):
        await dial(peer.target(endpoint=DPS).at_port(peer.port))

    assert "host-3.test' and 46 more" in caught.value.message
    assert len(caught.value.message) < 300


def test_no_connection_no_certificates() -> None:
    """What cannot be seen is left out of the message, and is no error."""
    assert presented_certificates(None) == ()


async def test_the_servers_certificates_are_seen_after_a_refusal() -> None:
    """The private name that makes it possible before Python 3.13 is still there."""
    leaf = certify(names=["other.test"])
    with (
        ScriptedServer(tls=serving(leaf)) as peer,
        pytest.raises(ServerIdentityError) as caught,
    ):
        await dial(peer.target(endpoint=DPS).at_port(peer.port))

    assert "other.test" in caught.value.message


def with_issuer_in_latin1() -> Credential:
    """Make a certificate whose issuer is a T61String, which today's parsers refuse."""
    good = certify("server", issuer=Authority.root("xyzzy"), names=[DPS])
    der = good.certificate.public_bytes(Encoding.DER)
    odd = der.replace(b"\x0c\x05xyzzy", b"\x14\x05xyz\xe9\xe9")
    assert odd != der

    return Credential(
        certificate=x509.load_der_x509_certificate(odd), private_key=good.private_key
    )


def with_name(der: str) -> Make:
    """Make a certificate whose subject alternative names are these bytes."""
    names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, bytes.fromhex(der))
    return lambda: certify("server", usages=certs.SERVER, extensions=[(names, False)])


def by_issuer_with_long_name() -> Credential:
    """Make a certificate by an unknown issuer whose name is longer than allowed."""
    with warnings.catch_warnings(action="ignore"):
        return certify("server", issuer=certify("x" * 300, ca=True), names=[DPS])


STRANGE = [
    pytest.param(with_issuer_in_latin1, id="t61-issuer"),
    pytest.param(with_name("3002a300"), id="x400-address"),
    pytest.param(with_name("3002a500"), id="edi-party-name"),
    pytest.param(with_name("300387011f"), id="ip-of-one-byte"),
    pytest.param(with_name("30038201ff"), id="name-not-ascii"),
    pytest.param(with_name("0500"), id="no-names-at-all"),
    pytest.param(by_issuer_with_long_name, id="name-of-300-characters"),
]


@pytest.mark.parametrize("make", STRANGE)
async def test_explaining_a_refusal_raises_nothing_else(make: Make) -> None:
    """Whatever the certificate of a stranger contains; warnings are errors here."""
    with ScriptedServer(tls=serving(make())) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(endpoint="else.example.test").at_port(peer.port))

    assert "else.example.test" in caught.value.message
    assert not peer.lines[0].secured

"""Whom a device believes: what may be given, what is refused, and what it costs."""

from __future__ import annotations

import hashlib
import os
import ssl
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from tests.certificates import certify, root
from tests.scripted.server import ScriptedServer
from tests.scripted.tls import serving

from aiodps.errors import ConfigurationError, ServerIdentityError
from aiodps.network import trust as trust_module
from aiodps.network.dial import dial
from aiodps.network.tls_contexts import fresh_context
from aiodps.network.trust import AZURE_ROOTS, Trust


def authorities(trust: Trust) -> list[str]:
    """Name the CAs that a context made from a trust has."""
    ders = context(trust).get_ca_certs(binary_form=True)
    return [
        x509.load_der_x509_certificate(der).subject.rfc4514_string().removeprefix("CN=")
        for der in ders
    ]


def context(trust: Trust) -> ssl.SSLContext:
    """Make the context that a trust is for."""
    return fresh_context(trust)


@pytest.mark.parametrize("value", [None, "azure"])
def test_azures_two_roots_are_the_default(value: str | None) -> None:
    """They come out of certifi by fingerprint, and nothing else does."""
    ders = context(Trust.of(value)).get_ca_certs(binary_form=True)

    assert sorted(hashlib.sha256(der).hexdigest() for der in ders) == sorted(AZURE_ROOTS.values())


def test_a_root_that_has_gone_from_certifi_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error names the root, instead of every handshake failing for no clear reason."""
    bundle = tmp_path / "cacert.pem"
    bundle.write_bytes(root().certificate_pem)
    monkeypatch.setattr(certifi, "where", lambda: str(bundle))
    trust_module._azure_roots.cache_clear()
    with pytest.raises(ConfigurationError) as caught:
        Trust.of("azure")

    trust_module._azure_roots.cache_clear()
    assert "DigiCert Global Root G2" in caught.value.message
    assert "Microsoft RSA Root" in caught.value.message
    assert caught.value.setting == "trust"


def test_certifi_is_all_of_it() -> None:
    """The keyword takes every root of the package."""
    assert len(context(Trust.of("certifi")).get_ca_certs()) > 100


def test_a_file_may_be_a_text_or_a_path(tmp_path: Path) -> None:
    """A text that is no keyword is a path."""
    file = tmp_path / "ca.pem"
    file.write_bytes(b"Subject: CN=test root\n" + root().certificate_pem)

    assert authorities(Trust.of(file)) == ["test root"]
    assert Trust.of(str(file)) == Trust.of(file)


def test_pem_bytes_may_hold_several() -> None:
    """All certificates in them are believed."""
    other = certify("other", self_signed=True, ca=True)

    trust = Trust.of(root().certificate_pem + other.certificate_pem)

    assert authorities(trust) == ["test root", "other"]


def test_a_trust_is_a_value() -> None:
    """Equal ones share contexts; `of` leaves one as it is; the certificates are not in `repr`."""
    one, same = Trust.of(root().certificate_pem), Trust.of(root().certificate_pem)

    assert one == same
    assert hash(one) == hash(same)
    assert Trust.of(one) is one
    assert repr(one) == "Trust(name='the given PEM bytes')"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"rubbish", "is not a certificate", id="rubbish"),
        pytest.param(root().certificate_pem[:200], "is truncated", id="cut short"),
        pytest.param(root().private_key_pem, "contains a private key", id="a key"),
        pytest.param(
            root().certificate_pem.replace(b"MII", b"MIJ"), "OpenSSL cannot read", id="broken"
        ),
        pytest.param(root().certificate_pem.replace(b"MII", b"\xff"), "base64", id="not ascii"),
        pytest.param(root().certificate_pem.decode().encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param("/nowhere/ca.pem", "'/nowhere/ca.pem' cannot be read", id="no file"),
        pytest.param(os.devnull, "not a regular file", id="a device"),
        pytest.param(Path("/"), "is a directory", id="a directory"),
        pytest.param("a\0b", "not a path", id="NUL"),
        pytest.param(root().certificate_pem.decode(), "not a path", id="PEM as text"),
        pytest.param(5, "'int'", id="a number"),
        pytest.param(False, "'bool'", id="a way to switch it off"),
    ],
)
def test_what_is_no_trust_is_refused(value: object, says: str) -> None:
    """One error, which names the setting and shows no contents."""
    with pytest.raises(ConfigurationError) as caught:
        Trust.of(value)  # type: ignore[arg-type]  # as careless callers do

    assert caught.value.setting == "trust"
    assert says in caught.value.message
    assert "BEGIN" not in caught.value.message


def test_the_system_without_authorities_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Python built elsewhere may look where there is nothing."""
    paths = ssl.get_default_verify_paths()._replace(
        openssl_cafile=str(tmp_path / "none.pem"), openssl_capath=str(tmp_path / "none")
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    with pytest.raises(ConfigurationError) as caught:
        Trust.of("system")

    assert "ca-certificates" in caught.value.hint


@pytest.mark.anyio
@pytest.mark.sockets
async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`SSL_CERT_FILE` and `SSL_CERT_DIR` add nobody to the system's authorities, nor to any."""
    file = tmp_path / "ca.pem"
    file.write_bytes(root().certificate_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    system = tmp_path / "system.pem"
    system.write_bytes(certify("system", self_signed=True, ca=True).certificate_pem)
    real = ssl.get_default_verify_paths()
    paths = real._replace(openssl_cafile=str(system), openssl_capath=str(tmp_path / "none"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    trust = Trust("system", None)
    with ScriptedServer(tls=serving()) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(trust=trust).at_port(peer.port))

    assert caught.value.reason == "incomplete_chain"
    assert authorities(trust) == ["system"]
    assert not (tmp_path / "keys.log").exists()

"""References to keys in tokens: recognised, handed over untouched, and each mistake named."""

from __future__ import annotations

import json
import pickle
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import certificates as kit
from tests import tokens

from aiodps import testing
from aiodps.attestation.base import ClientCertificate
from aiodps.attestation.key_reference import KeyReference, find_reference, make_reference
from aiodps.attestation.x509 import X509
from aiodps.errors import CredentialError, PrivateKeyError
from aiodps.input_files.origin import Origin
from aiodps.pki.files import read_authority

URI = "pkcs11:token=press;object=key;type=private"
PEM = make_reference(URI)
DEVICE = kit.intermediate().device("device-1")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate, and a reference to a key that is nowhere."""
    certificate, reference = tmp_path / "device.crt", tmp_path / "device.pem"
    certificate.write_bytes(DEVICE.chain_pem)
    reference.write_bytes(PEM)
    return certificate, reference


def read(path: Path, pin: str | None = None) -> KeyReference:
    """Read a reference alone, without loading the key."""
    origin = Origin(what="private key file", kind=PrivateKeyError, path=path)
    block = find_reference(path.read_bytes(), origin)
    assert block is not None
    return KeyReference.read(block, pin, origin)


def test_the_form() -> None:
    """As the provider reads it: a description, and the URI."""
    assert PEM == (
        b"-----BEGIN PKCS#11 PROVIDER URI-----\n"
        b"MEcaGVBLQ1MjMTEgUHJvdmlkZXIgVVJJIHYxLjAMKnBrY3MxMTp0b2tlbj1wcmVz\n"
        b"cztvYmplY3Q9a2V5O3R5cGU9cHJpdmF0ZQ==\n"
        b"-----END PKCS#11 PROVIDER URI-----\n"
    )


class Recorder(ssl.SSLContext):
    """A context that only notes what it is to load."""

    loaded: tuple[bytes, str, bytes]

    def load_cert_chain(  # type: ignore[override]  # as it is called
        self, certfile: str, keyfile: str, password: Callable[[], bytes]
    ) -> None:
        """Note the arguments, and what OpenSSL is told if it asks for the PIN."""
        self.loaded = Path(certfile).read_bytes(), keyfile, password()


@pytest.mark.parametrize("pin", [None, "1234"])
def test_handed_over_untouched(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, pin: str | None
) -> None:
    """OpenSSL gets the user's own file, also from another directory and in another process."""
    monkeypatch.chdir(files[1].parent)
    reference = pickle.loads(pickle.dumps(read(Path("device.pem"), pin)))
    monkeypatch.chdir("/")
    context = Recorder(ssl.PROTOCOL_TLS_CLIENT)
    reference.load_into(context, DEVICE.chain_pem)

    assert context.loaded == (DEVICE.chain_pem, str(files[1]), (pin or "").encode())
    assert "1234" not in repr(reference)


def test_the_certificate_of_the_key(files: tuple[Path, Path]) -> None:
    """The one that has issued none of the others, so that a token is asked for one key only."""
    asked: list[bytes] = []

    class Asked(KeyReference):
        def load_into(self, _: ssl.SSLContext, chain: bytes, *, mismatch: str = "") -> None:
            asked.append(chain)

    chain = [kit.root().certificate, *DEVICE.intermediates, DEVICE.certificate]

    assert Asked(path=str(files[1])).leaf(chain, str) == DEVICE.certificate
    assert asked == [DEVICE.certificate_pem]


@pytest.mark.parametrize(
    ("configuration", "fault", "reason"),
    [
        (None, "OPENSSL_CONF is not set", "provider"),
        ("nowhere.cnf", "which is not a file", "provider"),
        ("device.crt", "provider pkcs11 is not active, or the token does not have it", "token"),
    ],
)
def test_no_provider(
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    configuration: str | None,
    fault: str,
    reason: str,
) -> None:
    """K33: what is missing is named, with the next step, before anything is sent."""
    monkeypatch.chdir(files[1].parent)
    if configuration is None:
        monkeypatch.delenv("OPENSSL_CONF", raising=False)
    else:
        monkeypatch.setenv("OPENSSL_CONF", configuration)

    with pytest.raises(PrivateKeyError, match=fault) as caught:
        X509.from_files(*files)

    assert caught.value.reason == reason
    assert str(files[1]) in str(caught.value)


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        pytest.param(PEM.replace(b"ME", b"M*"), "bad_base64", id="base64"),
        pytest.param(PEM.replace(b"MEca", b"MEcb"), "unreadable", id="form"),
        pytest.param(PEM[:60], "truncated", id="cut off"),
        pytest.param(PEM.replace(b"cHJpdmF0ZQ", b"cHVibGljIA"), "unreadable", id="public"),
    ],
)
def test_damaged(files: tuple[Path, Path], pem: bytes, reason: str) -> None:
    """K32: it is said here, because OpenSSL says the same of everything."""
    files[1].write_bytes(pem)
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_files(*files)

    assert caught.value.reason == reason


def test_not_a_file(files: tuple[Path, Path]) -> None:
    """K32: OpenSSL reads it again for each connection, so neither bytes nor a pipe will do."""
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_bytes(certificate=DEVICE.chain_pem, private_key=PEM)

    assert caught.value.reason == "not_regular"
    for given in (URI, files[0].parent / URI):  # as settings files and manifests make it
        with pytest.raises(PrivateKeyError, match="aiodps keys reference") as caught:
            X509.from_files(files[0], given)

        assert caught.value.reason == "not_a_path"


@pytest.mark.parametrize("uri", ["token=t", "pkcs11:object=o;type=cert", "pkcs11:type=public"])
def test_uris_of_other_things(uri: str) -> None:
    """No reference is made of them."""
    with pytest.raises(ValueError, match="URI"):
        make_reference(uri)


def test_a_pin_makes_it_a_secret(files: tuple[Path, Path]) -> None:
    """Then others should not read the file; otherwise they may."""
    assert not read(files[1]).is_secret
    files[1].write_bytes(make_reference(f"{URI}?pin-value=1234"))
    assert read(files[1]).is_secret


def test_a_key_beside_it(files: tuple[Path, Path]) -> None:
    """A key that is in the file is taken."""
    files[1].touch(mode=0o600)
    files[1].chmod(0o600)
    files[1].write_bytes(PEM + DEVICE.private_key_pem)

    assert X509.from_files(*files).registration_id == "device-1"


def test_not_for_a_ca(files: tuple[Path, Path]) -> None:
    """A CA signs with the key itself; what was given is named."""
    with pytest.raises(CredentialError, match="a reference to a key in a token"):
        read_authority(certificate=files[0], private_key=files[1], password=None)


def test_the_configuration_of_the_page() -> None:
    """What docs/keys-in-tokens.md shows is what the tests with a token are run with."""
    here = Path(tokens.__file__).parent
    page = (here.parent / "docs" / "keys-in-tokens.md").read_text("utf-8")
    _, configuration = (here / "tokens.cnf").read_text("utf-8").split("\n", 1)

    assert f"```ini\n{configuration}```" in page


@pytest.mark.pkcs11
def test_another_key(tmp_path: Path) -> None:
    """Of another certificate, or one that the token does not have."""
    certificate = tmp_path / "device.crt"
    certificate.write_bytes(DEVICE.chain_pem)
    other = tokens.import_key(kit.root().device("other"))
    for reference in (other, tokens.write_reference("nothing")):
        with pytest.raises(PrivateKeyError) as caught:
            X509.from_files(certificate, reference, password=tokens.PIN)

        assert caught.value.reason in {"token", "mismatch"}


@pytest.mark.parametrize(("pin", "reason"), [(None, "password_missing"), ("4321", "token")])
@pytest.mark.pkcs11
def test_another_pin(tmp_path: Path, pin: str | None, reason: str) -> None:
    """It is an error before anything is sent; and nobody is asked."""
    label = tokens.import_key(DEVICE).stem
    certificate, file = tmp_path / "device.crt", tmp_path / "pin"
    certificate.write_bytes(DEVICE.chain_pem)
    file.touch(mode=0o600)
    file.write_text(pin or "")
    words = ["--cert", str(certificate), "--key", str(tokens.write_reference(label))]
    words += ["--key-password-file", str(file)] if pin else []
    done = aiodps("provision", "--id-scope", "0ne00000000", "--json", *words)

    assert (done.returncode, json.loads(done.stdout)["reason"]) == (2, reason)
    assert b"Enter" not in done.stderr


@pytest.mark.pkcs11
def test_a_file_that_is_gone() -> None:
    """It is read again for each connection."""
    identity = tokens.in_token(DEVICE).tls_identity()
    assert isinstance(identity, ClientCertificate)
    identity.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    for reference in tokens.token().glob("*.pem"):
        reference.unlink()

    with pytest.raises(PrivateKeyError) as caught:
        identity.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    assert caught.value.reason == "unreadable"


@pytest.mark.pkcs11
def test_the_command(tmp_path: Path) -> None:
    """As docs/keys-in-tokens.md says it: the PIN in a file that the URI names."""
    device = kit.root().device("in-a-token")
    label = tokens.import_key(device).stem
    certificate, pin, reference = (tmp_path / name for name in ("device.crt", "pin", "key.pem"))
    certificate.write_bytes(device.chain_pem)
    pin.write_text(tokens.PIN)
    uri = f"pkcs11:token=aiodps;object={label};type=private?pin-source=file:{pin}"
    assert aiodps("keys", "reference", uri, "--out", str(reference)).returncode == 0
    with testing.running(ca=kit.root(), directory=tmp_path) as dps:
        dps.enroll(
            {
                "enrollmentGroupId": "tokens",
                "attestation": {
                    "type": "x509",
                    "x509": {
                        "signingCertificates": {
                            "primary": {"certificate": kit.root().certificate_pem.decode()}
                        }
                    },
                },
            }
        )
        for transport, port in (("rest", dps.https_port), ("mqtt", dps.mqtt_port)):
            done = aiodps(
                *("provision", "--id-scope", dps.id_scope, "--endpoint", dps.host),
                *("--port", str(port), "--transport", transport, "--trust", str(dps.ca_file)),
                *("--cert", str(certificate), "--key", str(reference)),
            )
            assert done.returncode == 0, done.stderr

        assert dps.register_requests("in-a-token") == 2


def aiodps(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own, without a terminal to ask for a PIN."""
    command = [sys.executable, "-m", "aiodps", *words]
    return subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True
    )

"""Group K: each way for certificate and key to be wrong has a reason of its own."""

from __future__ import annotations

import os
import pickle
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from tests import certificates as kit
from tests.scripted.tls import handshake

from aiodps.attestation.base import ClientCertificate, KeyType, OwnContext
from aiodps.attestation.memory_file import as_file
from aiodps.attestation.x509 import X509
from aiodps.errors import (
    CertificateError,
    ConfigurationError,
    CredentialError,
    PrivateKeyError,
)
from aiodps.input_files import reading
from aiodps.input_files.reading import InsecureKeyFileWarning
from aiodps.pki import Credential

PASSWORD = b"canary-password"
NOW = time.time()


def good() -> Credential:
    """A device certificate under an intermediate."""
    return kit.intermediate().device("device-1")


def files(
    directory: Path, *, certificate: bytes | None = None, key: bytes | None = None
) -> tuple[Path, Path]:
    """Write certificate and key files; None for good ones."""
    device = good()
    paths = directory / "device.pem", directory / "device.key"
    paths[0].write_bytes(device.chain_pem if certificate is None else certificate)
    paths[1].touch(mode=0o600)
    paths[1].write_bytes(device.private_key_pem if key is None else key)
    return paths


def encrypted(credential: Credential, password: bytes = PASSWORD) -> bytes:
    """Encrypt a private key (PKCS#8)."""
    return credential.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
    )


def broken_base64() -> bytes:
    """A certificate with a character that is not base64."""
    lines = good().certificate_pem.splitlines()
    lines[2] = b"*" + lines[2][1:]
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("certificate", "error", "reason"),
    [
        pytest.param(b"", CertificateError, "empty", id="K03"),
        pytest.param(b"\x8f\x12random", CertificateError, "not_pem", id="K05"),
        pytest.param(
            lambda: good().certificate_pem[:-30], CertificateError, "truncated", id="K08"
        ),
        pytest.param(broken_base64, CertificateError, "bad_base64", id="K09"),
        pytest.param(
            lambda: good().certificate_pem.decode().encode("utf-16"),
            CertificateError,
            "utf16",
            id="K10",
        ),
        pytest.param(lambda: good().private_key_pem, CertificateError, "swapped", id="K12"),
        pytest.param(b" \n", CertificateError, "empty", id="blank"),
        pytest.param(b"x" * 2**20 + b"x", CertificateError, "too_large", id="too-large"),
        pytest.param(b"\x30\x03\x02\x01\x01", CertificateError, "not_pem", id="other-der"),
        pytest.param(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            CertificateError,
            "not_pem",
            id="other-pem",
        ),
        pytest.param(
            b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            CertificateError,
            "not_pem",
            id="crl",
        ),
    ],
)
def test_bad_certificate_files(
    certificate: bytes | Callable[[], bytes],
    error: type[CredentialError],
    reason: str,
    tmp_path: Path,
) -> None:
    """What is wrong with a certificate file is told by its own reason, with the file's name."""
    data = certificate if isinstance(certificate, bytes) else certificate()
    paths = files(tmp_path, certificate=data)
    with pytest.raises(error) as caught:
        X509.from_files(*paths)

    assert caught.value.reason == reason
    assert "device.pem" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "password", "reason"),
    [
        pytest.param(b"", None, "empty", id="K04"),
        pytest.param(lambda: good().private_key_pem[:-30], None, "truncated", id="K08-key"),
        pytest.param(
            lambda: (
                good()
                .private_key.public_key()
                .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            ),
            None,
            "public_key",
            id="K11",
        ),
        pytest.param(lambda: good().certificate_pem, None, "swapped", id="K12-key"),
        pytest.param(lambda: kit.good_rsa().private_key_pem, None, "mismatch", id="K13"),
        pytest.param(lambda: encrypted(good()), b"wrong", "wrong_password", id="K14"),
        pytest.param(lambda: encrypted(good()), None, "password_missing", id="K15"),
        pytest.param(lambda: encrypted(good()), lambda: 1 // 0, "password_callback", id="K16"),
        pytest.param(
            lambda: good().private_key_pem.replace(b"MIG", b"AAA"), None, "unreadable", id="junk"
        ),
        pytest.param(b"\x30\x03\x02\x01\x01", None, "not_pem", id="other-der"),
    ],
)
def test_bad_key_files(
    key: bytes | Callable[[], bytes], password: object, reason: str, tmp_path: Path
) -> None:
    """What is wrong with a key file is told by its own reason; nobody is asked, nothing shown."""
    paths = files(tmp_path, key=key if isinstance(key, bytes) else key())
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_files(*paths, password=password)  # type: ignore[arg-type]  # one is broken

    assert caught.value.reason == reason
    assert "wrong" not in str(caught.value) or reason == "wrong_password"


@pytest.mark.parametrize("which", [0, 1], ids=["K01", "K02"])
@pytest.mark.parametrize("how", ["missing", "directory"])
def test_files_that_are_not_there(which: int, how: str, tmp_path: Path) -> None:
    """The message names which of the two files it is about."""
    paths = files(tmp_path)
    paths[which].unlink()
    if how == "directory":
        paths[which].mkdir()

    with pytest.raises((CertificateError, PrivateKeyError)[which]) as caught:
        X509.from_files(*paths)

    assert paths[which].name in caught.value.message
    assert caught.value.reason in {"unreadable", "not_regular"}


def test_fifo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K17: a FIFO that nobody writes to ends in an error."""
    monkeypatch.setattr(reading, "PIPE_TIMEOUT", 0.0)
    paths = files(tmp_path)
    paths[1].unlink()
    os.mkfifo(paths[1])
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_files(*paths)

    assert caught.value.reason == "timeout"


def test_both_from_one_pipe(tmp_path: Path) -> None:
    """Certificate and key may come through one pipe, which is read once."""
    device = good()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    handle = os.open(fifo, os.O_RDWR)
    os.write(handle, device.chain_pem + device.private_key_pem)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.close(handle)
    path = f"/proc/self/fd/{reader}"
    identity = X509.from_files(path, path)
    os.close(reader)

    assert len(identity.chain) == 2


@pytest.mark.parametrize("same", [False, True])
def test_no_key_at_all(*, same: bool, tmp_path: Path) -> None:
    """A certificate alone is not "swapped": the key is missing."""
    certificate, _ = files(tmp_path)
    certificate.chmod(0o644)
    with pytest.raises(PrivateKeyError, match="no private key was given") as caught:
        X509.from_files(certificate, str(certificate) if same else None)

    assert caught.value.reason == "no_key"
    assert "device.pem" in caught.value.message


@pytest.mark.parametrize("which", [0, 1])
def test_a_key_in_place_of_a_path(which: int, tmp_path: Path) -> None:
    """The key is not repeated, in no way in which the error may be shown."""
    paths: list[str | Path] = [*files(tmp_path)]
    key = good().private_key_pem.decode()
    paths[which] = key
    with pytest.raises((CertificateError, PrivateKeyError)[which], match="not a path") as caught:
        X509.from_files(*paths)

    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.facts())
    assert not any(line in said for line in key.splitlines()[1:])


@pytest.mark.parametrize("link", [False, True], ids=["K18", "K19"])
def test_keys_that_others_can_read(*, link: bool, tmp_path: Path) -> None:
    """K18, K19: a key file that others can read is warned about, judged by its target."""
    certificate, key = files(tmp_path)
    key.chmod(0o644)
    if link:
        target = key.rename(tmp_path / "target.key")
        key.symlink_to(target)

    with pytest.warns(InsecureKeyFileWarning, match="chmod 600"):
        X509.from_files(certificate, key)


def test_der(tmp_path: Path) -> None:
    """K06, K07: DER is taken as well as PEM."""
    device = kit.root().device("device-1")
    key = device.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    der = device.certificate.public_bytes(Encoding.DER)

    assert (
        X509.from_files(*files(tmp_path, certificate=der, key=key)).registration_id == "device-1"
    )


def load(credential: Credential) -> X509:
    """Load a credential from bytes."""
    return X509.from_bytes(
        certificate=credential.chain_pem, private_key=credential.private_key_pem
    )


@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.decode(), lambda: PASSWORD])
def test_encrypted_keys(password: object, tmp_path: Path) -> None:
    """A password is a text, bytes, or a function; both ways of encrypting PEM are taken."""
    device = good()
    traditional = device.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSWORD)
    )
    for key in (encrypted(device), traditional):
        identity = X509.from_bytes(
            certificate=device.chain_pem,
            private_key=key,
            password=password,  # type: ignore[arg-type]  # one of three
        )
        assert identity.registration_id == "device-1"


def test_encrypted_der() -> None:
    """A DER key may be encrypted too, and a missing password is told as that."""
    device = good()
    key = device.private_key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD)
    )
    X509.from_bytes(certificate=device.chain_pem, private_key=key, password=PASSWORD)
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_bytes(certificate=device.chain_pem, private_key=key)

    assert caught.value.reason == "password_missing"


def test_key_and_certificate_in_one_file(tmp_path: Path) -> None:
    """One file may hold everything."""
    device = good()
    path = tmp_path / "all.pem"
    path.touch(mode=0o600)
    path.write_bytes(device.private_key_pem + device.chain_pem)

    assert X509.from_files(path).registration_id == "device-1"


def bundle(password: bytes | None = PASSWORD) -> bytes:
    """Make a PKCS#12 bundle."""
    device = good()
    protection = NoEncryption() if password is None else BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(
        b"device", device.private_key, device.certificate, device.intermediates, protection
    )


def test_pkcs12(tmp_path: Path) -> None:
    """A bundle gives certificate, key and intermediates, from bytes or a file."""
    path = tmp_path / "device.pfx"
    path.touch(mode=0o600)
    path.write_bytes(bundle())

    assert len(X509.from_pkcs12(path, password=PASSWORD.decode()).chain) == 2
    assert X509.from_pkcs12(bundle(None)).registration_id == "device-1"


@pytest.mark.parametrize(
    ("data", "password", "error", "reason"),
    [
        (bundle, b"wrong", PrivateKeyError, "wrong_password"),
        (bundle, None, PrivateKeyError, "password_missing"),
        (lambda: b"junk", None, CertificateError, "not_pem"),
        (
            lambda: pkcs12.serialize_key_and_certificates(
                b"x", None, good().certificate, None, NoEncryption()
            ),
            None,
            PrivateKeyError,
            "empty",
        ),
        (
            lambda: pkcs12.serialize_key_and_certificates(
                b"x", kit.good_rsa().private_key, None, None, NoEncryption()
            ),
            None,
            CertificateError,
            "empty",
        ),
    ],
    ids=["wrong", "missing", "junk", "no-key", "no-certificate"],
)
def test_bad_bundles(
    data: Callable[[], bytes], password: bytes | None, error: type[CredentialError], reason: str
) -> None:
    """What is wrong with a bundle is told."""
    with pytest.raises(error) as caught:
        X509.from_pkcs12(data(), password=password)

    assert caught.value.reason == reason


def test_callers_context() -> None:
    """A context of the caller's is used as it is; it does not tell whose certificate it holds."""
    context = ssl.create_default_context()
    identity = X509.from_context(context)
    identity.check(registration_id="anything", wall_time=NOW)

    assert identity.registration_id is None
    assert identity.tls_identity() == OwnContext(context)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(identity)


@pytest.mark.parametrize("fault", ["verify", "host", "version"])
def test_lax_contexts_are_refused(fault: str) -> None:
    """A context that does not verify, or allows old TLS, is refused."""
    context = ssl.create_default_context()
    if fault in {"verify", "host"}:
        context.check_hostname = False

    if fault == "verify":
        context.verify_mode = ssl.CERT_NONE
    elif fault == "version":
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED

    with pytest.raises(ConfigurationError):
        X509.from_context(context)


@pytest.mark.parametrize(
    ("make", "key_type"),
    [
        (good, KeyType.EC),
        (kit.good_p384, KeyType.EC),
        (kit.good_rsa, KeyType.RSA),
        (kit.good_ed25519, KeyType.ED25519),
        (kit.good_ed448, KeyType.ED448),
    ],
)
def test_what_is_shown(make: Callable[[], Credential], key_type: KeyType) -> None:
    """The server sees leaf and intermediates, no more and no less, for every type of key."""
    credential = make()
    identity = load(credential).tls_identity()

    assert isinstance(identity, ClientCertificate)
    assert identity.key_type is key_type
    assert shown(identity) == [
        one.public_bytes(Encoding.DER)
        for one in (credential.certificate, *credential.intermediates)
    ]


def shown(identity: ClientCertificate) -> list[bytes]:
    """Do a TLS handshake, and return what the server saw."""
    server_name = kit.certify("server", usages=kit.SERVER, names=[])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    identity.load(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_verify_locations(cadata=kit.root().certificate_pem.decode())
    server.verify_mode = ssl.CERT_REQUIRED
    with as_file(server_name.chain_pem + server_name.private_key_pem) as path:
        server.load_cert_chain(path)

    return handshake(client, server, host="localhost")


def test_it_crosses_process_borders() -> None:
    """An identity can be pickled, for process pools."""
    twin = pickle.loads(pickle.dumps(load(good())))

    assert twin.registration_id == "device-1"
    assert len(twin.chain) == 2


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    """Neither key nor password is in repr, error or traceback with locals."""
    device = good()
    secret = device.private_key_pem.splitlines()[1].decode()
    identity = load(device)
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_bytes(
            certificate=device.chain_pem, private_key=encrypted(device, b"x"), password=PASSWORD
        )

    texts = [repr(identity), repr(identity.tls_identity()), str(caught.value), repr(caught.value)]
    texts += [repr(caught.value.__cause__), "".join(traceback.format_exception(caught.value))]
    assert not any(secret in text or "canary" in text for text in texts)
    assert repr(identity) == "<X509 'device-1' ec, 2 certificates>"


AUDIT = """
import os, sys, ssl, pickle
written = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        written.append(arguments[0])
sys.addaudithook(hook)
identity = pickle.loads(sys.stdin.buffer.read())
identity.tls_identity().load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
print([path for path in written if not isinstance(path, int) and path != os.devnull])
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux keeps it in memory")
@pytest.mark.sockets
def test_keys_in_memory_stay_in_memory() -> None:
    """X5: loading a key from bytes opens no file for writing."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", AUDIT],  # keeps no bytecode, which is written to files
        input=pickle.dumps(load(good())),
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode().strip() == "[]"


def test_openssl_has_the_last_word() -> None:
    """A certificate that OpenSSL refuses to load is told as ours."""
    device = kit.good_rsa()
    identity = load(device)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT@SECLEVEL=5")
    loaded = identity.tls_identity()
    assert isinstance(loaded, ClientCertificate)
    with pytest.raises(PrivateKeyError, match="OpenSSL"):
        loaded.load(context)


def test_other_kinds_of_keys() -> None:
    """A key of a kind that TLS does not use is refused."""
    key = x25519.X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_bytes(certificate=good().chain_pem, private_key=key)

    assert caught.value.reason == "weak"

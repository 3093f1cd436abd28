"""What lies on disk: names, modes, nothing overwritten, and back again."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from tests import certificates

from aiodps.errors import CertificateError, ConfigurationError, CredentialError, PrivateKeyError
from aiodps.pki import Authority
from aiodps.pki.files import CredentialFiles, read_authority


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Let every mode through, so that only ours counts."""
    before = os.umask(0)
    yield
    os.umask(before)


def files_for(directory: Path, name: str) -> CredentialFiles:
    """Return the files of a name in a directory."""
    return CredentialFiles(directory=directory, name=name)


def test_a_device_has_three_files(tmp_path: Path) -> None:
    """Certificate, key and chain carry the name, exactly; the directory is made."""
    files = files_for(tmp_path / "a" / "b", "Sensor:7")
    device = certificates.intermediate().device("Sensor:7")
    written = files.write(device)

    assert [path.name for path in written] == [
        "Sensor:7_cert.pem",
        "Sensor:7_key.pem",
        "Sensor:7_chain.pem",
    ]
    assert [path.read_bytes() for path in written] == [
        device.certificate_pem,
        device.private_key_pem,
        device.chain_pem,
    ]
    assert sorted(written) == sorted((tmp_path / "a" / "b").iterdir())


def test_a_root_has_no_chain(tmp_path: Path) -> None:
    """Nobody sends a root."""
    files_for(tmp_path, "root").write(certificates.root())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["root_cert.pem", "root_key.pem"]


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("overwrite", [False, True])
def test_keys_are_never_readable_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, overwrite: bool
) -> None:
    """A key has mode 0600 from the moment that its file exists."""
    born: dict[str, int] = {}
    real_open = os.open

    def watched(path: Any, flags: int, mode: int = 0o777) -> int:
        handle = real_open(path, flags, mode)
        born[Path(path).name] = stat.S_IMODE(os.fstat(handle).st_mode)
        return handle

    monkeypatch.setattr(os, "open", watched)
    files = files_for(tmp_path, "d")
    files.write(certificates.root().device("d"), overwrite=overwrite)

    assert [mode for name, mode in born.items() if "_key.pem" in name] == [0o600]
    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.certificate.stat().st_mode) == 0o644


@pytest.mark.parametrize("suffix", ["cert", "key", "chain"])
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    """If one file is in the way, even a dangling link, none is written."""
    files = files_for(tmp_path, "d")
    (tmp_path / f"d_{suffix}.pem").symlink_to(tmp_path / "nowhere")

    with pytest.raises(ConfigurationError, match=f"d_{suffix}.pem") as caught:
        files.write(certificates.root().device("d"))

    assert "--force" in caught.value.hint
    assert len(list(tmp_path.iterdir())) == 1


def test_overwriting_replaces_files_and_their_modes(tmp_path: Path) -> None:
    """A new key does not inherit a wide mode, and links are replaced, not followed."""
    files = files_for(tmp_path, "d")
    files.private_key.touch(mode=0o644)
    (tmp_path / "target").write_text("kept")
    files.certificate.symlink_to(tmp_path / "target")
    device = certificates.root().device("d")
    files.write(device, overwrite=True)

    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600
    assert (tmp_path / "target").read_text() == "kept"
    assert files.certificate.read_bytes() == device.certificate_pem
    assert len(list(tmp_path.iterdir())) == 4


def test_a_root_leaves_no_stale_chain(tmp_path: Path) -> None:
    """A root in the place of an intermediate is read back as the root."""
    files = files_for(tmp_path, "ca")
    files.write(certificates.root().intermediate("ca"))
    root = Authority.root("ca")
    files.write(root, overwrite=True)

    assert files.read_authority().certificate == root.certificate


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    """A file in the place of the directory is a configuration error."""
    (tmp_path / "file").touch()

    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError) as caught:
            files_for(directory, "d").write(certificates.root())

        assert caught.value.setting == "out"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failed_write_leaves_nothing(tmp_path: Path, *, overwrite: bool) -> None:
    """Without a whole file there is no file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        with pytest.raises(ConfigurationError, match="File too large"):
            files_for(tmp_path, "root").write(certificates.root(), overwrite=overwrite)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("password", [None, b"secret"])
def test_an_authority_survives_the_disk(tmp_path: Path, password: bytes | None) -> None:
    """What is read back issues the same chains, with or without a password."""
    ca = certificates.intermediate().intermediate("second")
    files = files_for(tmp_path, "second")
    files.write(ca, password=password)
    again = files.read_authority(password=password)

    assert again.certificate == ca.certificate
    assert again.device("d").intermediates == ca.device("d").intermediates
    assert len(again.device("d").intermediates) == 2


def test_a_needless_password_is_not_used(tmp_path: Path) -> None:
    """A key that is not encrypted opens with any password."""
    files = files_for(tmp_path, "root")
    files.write(certificates.root())

    assert files.read_authority(password=b"x").certificate == certificates.root().certificate


def test_a_bundle_with_the_root_gives_no_root_to_devices(tmp_path: Path) -> None:
    """A foreign chain that ends in the root is cut before it."""
    bundle, key = tmp_path / "bundle.pem", tmp_path / "key.pem"
    ca = certificates.intermediate()
    bundle.write_bytes(ca.chain_pem + certificates.root().certificate_pem)
    key.write_bytes(ca.private_key_pem)

    assert not read_authority(certificate=bundle, private_key=key).intermediates


def _dsa_key() -> bytes:
    key = dsa.generate_private_key(1024)  # noqa: S505 (weak on purpose)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("certificate", "key", "kind", "reason"),
    [
        (b"", None, CertificateError, "empty"),
        (b"junk", None, CertificateError, "not_pem"),
        (None, b"", PrivateKeyError, "empty"),
        (None, b"-----BEGIN PRIVATE KEY-----\n", PrivateKeyError, "truncated"),
        (None, _dsa_key(), PrivateKeyError, "weak"),
        (None, certificates.other_root().private_key_pem, PrivateKeyError, "mismatch"),
        (certificates.certify().certificate_pem, None, CertificateError, "not_a_ca"),
    ],
    ids=["empty", "junk", "no key", "cut key", "dsa", "other key", "leaf"],
)
def test_bad_authorities_on_disk(
    tmp_path: Path,
    certificate: bytes | None,
    key: bytes | None,
    kind: type[CredentialError],
    reason: str,
) -> None:
    """Each way to be wrong has its error and a hint."""
    files = files_for(tmp_path, "root")
    root = certificates.root()
    files.certificate.write_bytes(root.certificate_pem if certificate is None else certificate)
    files.private_key.write_bytes(root.private_key_pem if key is None else key)

    with pytest.raises(kind) as caught:
        files.read_authority()

    assert caught.value.reason == reason
    assert caught.value.hint


@pytest.mark.parametrize(
    ("password", "reason"), [(None, "password_missing"), (b"wrong-secret", "wrong_password")]
)
def test_passwords_are_asked_for_in_the_error(
    tmp_path: Path, password: bytes | None, reason: str
) -> None:
    """A person is never prompted, and no message repeats a password."""
    files = files_for(tmp_path, "root")
    files.write(certificates.root(), password=b"secret")

    with pytest.raises(PrivateKeyError) as caught:
        files.read_authority(password=password)

    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)


@given(st.text(min_size=1, max_size=64))
def test_laws_of_any_name_on_disk(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """A name is refused, or its files lie in the directory and give the same CN back."""
    directory = tmp_path_factory.mktemp("any")
    try:
        files = files_for(directory, name)
    except ConfigurationError:
        return

    files.write(Authority.root(name))

    assert {path.parent for path in directory.rglob("*")} == {directory}
    assert files.read_authority().name == name

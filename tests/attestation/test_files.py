"""Files of a credential: exactly one kind, loaded as their attestation."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.certificates import root
from tests.sas_vectors import C_KEY
from tests.software_tpms import software_tpm

from aiodps.attestation.files import AttestationFiles, load_in_order, load_tpm
from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.attestation.tpm import Tpm
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError
from aiodps.pki.files import CredentialFiles


def secret(path: Path, content: str) -> Path:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    return path


def test_certificate(tmp_path: Path) -> None:
    """With its key, which may be encrypted."""
    files = CredentialFiles(directory=tmp_path, name="dev-1")
    files.write(root().device("dev-1"), password=b"open", overwrite=True)
    device = AttestationFiles(
        certificate=files.chain,
        private_key=files.private_key,
        key_password_file=secret(tmp_path / "password", "open\n"),
    ).load(None)

    assert isinstance(device, X509)
    assert device.registration_id == "dev-1"


@pytest.mark.parametrize("name", ["symmetric_key_file", "group_key_file"])
def test_symmetric_keys(tmp_path: Path, name: str) -> None:
    """They are for the registration id that is given, and need one."""
    files = AttestationFiles(**{name: secret(tmp_path / "key", C_KEY)})
    device = files.load("dev-1")

    assert isinstance(device, SymmetricKey)
    assert device.registration_id == "dev-1"
    with pytest.raises(ConfigurationError) as caught:
        files.load(None)

    assert caught.value.setting == "registration_id"


@pytest.mark.parametrize(
    ("names", "setting"),
    [
        ((), "attestation"),
        (("certificate", "symmetric_key_file"), "symmetric_key_file"),
        (("certificate", "group_key_file"), "group_key_file"),
        (("symmetric_key_file", "group_key_file"), "group_key_file"),
    ],
)
def test_one_kind(names: tuple[str, ...], setting: str) -> None:
    """C11: neither is an error, and so are two."""
    with pytest.raises(ConfigurationError) as caught:
        AttestationFiles(**{name: Path("absent") for name in names}).load("dev-1")

    assert caught.value.setting == setting


def test_two_in_order(tmp_path: Path) -> None:
    """The second has the same names with a prefix; it is not a credential alone."""
    key = secret(tmp_path / "key", C_KEY)
    files = CredentialFiles(directory=tmp_path, name="dev-1")
    files.write(root().device("dev-1"), overwrite=True)
    first = {"certificate": files.chain, "private_key": files.private_key}
    second = {"secondary_symmetric_key_file": key}

    assert [type(each) for each in load_in_order(first, "dev-1")] == [X509]
    assert [type(each) for each in load_in_order(first | second, "dev-1")] == [X509, SymmetricKey]
    assert [each.registration_id for each in load_in_order(first | second, None)] == ["dev-1"] * 2
    with pytest.raises(ConfigurationError, match="no credential"):
        load_in_order(second, "dev-1")


def test_a_tpm_first(tmp_path: Path) -> None:
    """It takes the place of the first credential's files."""
    second = {"secondary_symmetric_key_file": secret(tmp_path / "key", C_KEY)}
    loaded = load_in_order(second, "dev-1", tpm=software_tpm())

    assert [type(each) for each in loaded] == [Tpm, SymmetricKey]
    assert [each.registration_id for each in loaded] == ["dev-1", "dev-1"]


@pytest.mark.anyio
@pytest.mark.parametrize("setting", ["certificate", "tpm_owner_auth_file"])
async def test_files_that_a_tpm_cannot_have(tmp_path: Path, setting: str) -> None:
    """Those of another credential, and a password that is not there: before the TPM is used."""
    with pytest.raises(ConfigurationError) as caught:
        await load_tpm("device:/dev/tpmrm0", {setting: tmp_path / "absent"})

    assert caught.value.setting == setting

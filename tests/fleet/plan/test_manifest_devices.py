"""Devices of a list, with their credentials."""

from __future__ import annotations

import functools
import json
import pickle
import stat
from pathlib import Path

import anyio
import pytest
from tests.certificates import intermediate, root, write
from tests.sas_vectors import DERIVED

from aiodps.attestation.credentials import Attestations, Credentials
from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError, ProvisioningError
from aiodps.fleet.plan.manifest import ManifestError
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.input_files.reading import InsecureKeyFileWarning
from aiodps.pki.files import CredentialFiles, create_file


def listed(
    folder: Path,
    *rows: dict[str, object],
    issuer: Issuer | None = None,
    group_key_file: Path | None = None,
) -> ManifestDevices:
    """Write a list and read it."""
    path = folder / "devices.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return ManifestDevices.read(path, issuer=issuer, group_key_file=group_key_file)


def row(folder: Path, name: str) -> dict[str, object]:
    """Make a device with files, and its row."""
    index = folder / name
    index.mkdir()
    certificate, key = write(root().device(name), index)
    return {
        "registration_id": name,
        "certificate": str(certificate),
        "private_key": str(key),
    }


def issuer(folder: Path) -> Issuer:
    """Write a CA and say where it issues to."""
    files = CredentialFiles(directory=folder / "ca", name="ca")
    files.write(intermediate())
    return Issuer(
        certificate=files.certificate, private_key=files.private_key, keys=folder / "keys"
    )


def test_credentials_from_files(tmp_path: Path) -> None:
    """A row's files become a device that proves to be its registration id."""
    devices = listed(
        tmp_path, row(tmp_path, "dev-1"), row(tmp_path, "dev-2") | {"payload": {"a": 1}}
    )
    devices.prepare([0, 1])
    loaded = devices.load([1])

    assert devices.registration_ids() == ["dev-1", "dev-2"]
    assert [device.registration_id for device in loaded] == ["dev-2"]
    assert Credentials(loaded[0].attestation).registration_id == "dev-2"
    assert loaded[0].payload == {"a": 1}


def test_every_bad_credential_is_named(tmp_path: Path) -> None:
    """A missing file, another device's certificate, another's key, no certificate and no CA."""
    good = row(tmp_path, "dev-1")
    other = row(tmp_path, "dev-2")
    devices = listed(
        tmp_path,
        good,
        other | {"certificate": "nowhere.pem"},
        good | {"registration_id": "dev-3"},
        good | {"registration_id": "dev-4", "private_key": other["private_key"]},
        {"registration_id": "dev-5"},
    )
    with pytest.raises(ManifestError) as caught:
        devices.prepare(range(5))

    lines = [
        fault.removeprefix(f"{tmp_path / 'devices.jsonl'}:") for fault in caught.value.bad_rows
    ]
    assert [line.split(":")[0] for line in lines] == ["2", "3", "4", "5"]
    for line, reason in zip(
        lines, ("cannot be read", "CN is", "does not belong", "neither a CA"), strict=True
    ):
        assert reason in line


def test_bad_rows_and_bad_credentials_are_named_at_once(tmp_path: Path) -> None:
    """Whoever corrects a list does it once; what a CA will issue is no fault."""
    good = row(tmp_path, "dev-1")
    with pytest.raises(ManifestError) as caught:
        listed(
            tmp_path,
            good | {"registration_id": "dev-3"},
            {"registration_id": "a b"},
            {"registration_id": "dev-4"},
            good,
            issuer=issuer(tmp_path),
        )

    assert [fault.split(":")[1] for fault in caught.value.bad_rows] == ["1", "2"]
    assert "CN is" in caught.value.bad_rows[0]


def test_a_ca_issues_what_is_missing_once(tmp_path: Path) -> None:
    """Keys are written where told, for their owner alone, and used again the next time."""
    devices = listed(tmp_path, {"registration_id": "dev-1"}, issuer=issuer(tmp_path))
    devices.prepare([0])
    key = tmp_path / "keys" / "dev-1_key.pem"
    first = key.read_bytes()
    devices.prepare([0])

    assert key.read_bytes() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    (device,) = devices.load([0])
    assert Credentials(device.attestation).registration_id == "dev-1"


def key_file(folder: Path, name: str, key: str) -> Path:
    """Write a symmetric key."""
    path = folder / name
    create_file(path, key.encode(), mode=0o600, overwrite=False)
    return path


def test_symmetric_keys(tmp_path: Path) -> None:
    """A device's own key from its file, or derived from the group's, in memory alone."""
    vector = DERIVED["C"]
    key_file(tmp_path, "own.key", vector.key)
    group_key_file = key_file(tmp_path, "group.key", vector.group_key)
    own: dict[str, object] = {"registration_id": "dev-1", "symmetric_key_file": "own.key"}
    derived: dict[str, object] = {"registration_id": vector.registration_id}
    devices = listed(tmp_path, own, derived, group_key_file=group_key_file)
    devices.prepare([0, 1])
    before = sorted(tmp_path.iterdir())
    carried = pickle.dumps(devices)
    loaded = pickle.loads(carried).load([0, 1])

    assert vector.group_key.encode() not in carried
    assert sorted(tmp_path.iterdir()) == before
    assert [device.registration_id for device in loaded] == ["dev-1", vector.registration_id]
    expected = SymmetricKey(registration_id="dev-1", key=vector.key)
    tokens = {token(each) for each in (*(device.attestation for device in loaded), expected)}
    assert len(tokens) == 1


def test_a_second_credential(tmp_path: Path) -> None:
    """Another key, or anything else that a first may be."""
    key_file(tmp_path, "own.key", DERIVED["C"].key)
    second: dict[str, object] = {"secondary_symmetric_key_file": "own.key"}
    devices = listed(tmp_path, row(tmp_path, "dev-1") | second)
    devices.prepare([0])
    (device,) = devices.load([0])

    assert isinstance(device.attestation, tuple)
    assert [type(each) for each in device.attestation] == [X509, SymmetricKey]


def token(attestations: Attestations) -> str | None:
    """Ask for the same token of each."""
    return anyio.run(functools.partial(Credentials(attestations).authorization, "a", expires=1))


def test_bad_keys_are_named(tmp_path: Path) -> None:
    """As bad certificates are: each with its line."""
    key_file(tmp_path, "bad.key", "no key")
    devices = listed(
        tmp_path,
        {"registration_id": "dev-1", "symmetric_key_file": "bad.key"},
        row(tmp_path, "dev-2") | {"symmetric_key_file": "bad.key"},
    )
    with pytest.raises(ManifestError) as caught:
        devices.prepare([0, 1])

    first, second = caught.value.bad_rows
    assert "is not base64" in first
    assert "different credentials" in second


def test_only_what_is_asked_for_is_issued(tmp_path: Path) -> None:
    """A shard makes no keys for devices of another."""
    rows = [{"registration_id": "dev-1"}, {"registration_id": "dev-2"}]
    devices = listed(tmp_path, *rows, issuer=issuer(tmp_path))  # type: ignore[arg-type]  # invariance
    devices.prepare([1])

    assert not (tmp_path / "keys" / "dev-1_key.pem").exists()
    with pytest.raises(ProvisioningError):
        devices.load([0])


def test_open_keys_are_told_once(tmp_path: Path) -> None:
    """One warning with the number of files, not one for each of them."""
    rows = [row(tmp_path, name) for name in ("dev-1", "dev-2")]
    for each in rows:
        Path(str(each["private_key"])).chmod(0o644)

    with pytest.warns(InsecureKeyFileWarning, match="2 key files") as told:
        listed(tmp_path, *rows).prepare([0, 1])

    assert len(told) == 1


def test_it_travels_by_name(tmp_path: Path) -> None:
    """Another process reads the list for itself, and no secret goes there; a changed list is told."""
    devices = listed(tmp_path, row(tmp_path, "dev-1"))
    carried = pickle.dumps(devices)
    assert b"PRIVATE" not in carried
    assert pickle.loads(carried).load([0])[0].registration_id == "dev-1"

    devices.path.write_text(devices.path.read_text() + '{"registration_id": "dev-2"}\n')
    with pytest.raises(ConfigurationError, match="has changed"):
        pickle.loads(carried).registration_ids()

"""Where devices come from."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from tests.certificates import expired, root
from tests.emulated import attestation
from tests.fleet.fleets import given
from tests.sas_vectors import DERIVED

from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.errors import CertificateError, ConfigurationError
from aiodps.fleet.plan.devices import Device, DeviceSlice, GeneratedDevices, InMemoryDevices
from aiodps.pki.files import CredentialFiles, create_file


def issued(folder: Path, count: int, *, prefix: str = "device") -> GeneratedDevices:
    """Make devices of a CA in a folder."""
    files = CredentialFiles(directory=folder, name="ca")
    files.write(root(), overwrite=True)
    return GeneratedDevices(
        count=count, certificate=files.certificate, private_key=files.private_key, prefix=prefix
    )


def test_devices_are_issued_where_they_are_needed(tmp_path: Path) -> None:
    """Names are fixed by number; each certificate is of the CA, for its own device."""
    source = pickle.loads(pickle.dumps(issued(tmp_path, 3)))
    source.prepare(range(3))
    loaded = source.load([2, 0])

    assert source.registration_ids() == ["device-00000", "device-00001", "device-00002"]
    assert [device.registration_id for device in loaded] == ["device-00002", "device-00000"]
    assert [device.attestation.registration_id for device in loaded] == [
        *("device-00002", "device-00000"),
    ]


def test_keys_are_derived_where_they_are_needed(tmp_path: Path) -> None:
    """In memory, each for its own device; nothing but the file's name is pickled."""
    vector = DERIVED["C"]
    path = tmp_path / "group.key"
    create_file(path, vector.group_key.encode(), mode=0o600, overwrite=False)
    source = GeneratedDevices(count=2, group_key_file=path)
    pickled = pickle.dumps(source)
    (device,) = pickle.loads(pickled).load([1])

    assert vector.group_key.encode() not in pickled
    assert isinstance(device.attestation, SymmetricKey)
    assert device.attestation.registration_id == device.registration_id == "device-00001"
    assert [each.name for each in tmp_path.iterdir()] == ["group.key"]


@pytest.mark.parametrize("more", [{}, {"certificate": Path("a"), "group_key_file": Path("b")}])
def test_one_kind_of_credential(more: dict[str, Path]) -> None:
    """Certificates or keys."""
    with pytest.raises(ConfigurationError):
        GeneratedDevices(count=1, **more)  # type: ignore[arg-type]  # names of paths


def test_names_are_as_long_as_the_number(tmp_path: Path) -> None:
    """They sort as they are counted."""
    source = issued(tmp_path, 10_001)

    assert source.registration_ids()[-1] == "device-10000"
    assert source.registration_ids()[0] == "device-00000"


@pytest.mark.parametrize(
    ("count", "prefix"), [(0, "d"), (-1, "d"), (10**9, "d"), (True, "d"), (3, "d/")]
)
def test_nonsense(count: int, prefix: str, tmp_path: Path) -> None:
    """Numbers and names that make no sense are refused."""
    with pytest.raises(ConfigurationError):
        issued(tmp_path, count, prefix=prefix)


def test_given_devices_are_told_apart() -> None:
    """None, and two that the service would take for one, are refused."""
    devices = given(2).devices
    with pytest.raises(ConfigurationError, match="no device"):
        InMemoryDevices(())

    twin = Device(registration_id="FLEET-000", attestation=devices[0].attestation)
    with pytest.raises(ConfigurationError, match="twice"):
        InMemoryDevices((*devices, twin))


def test_given_devices_are_checked() -> None:
    """A certificate that has expired is told before anything is sent."""
    credential = expired()
    device = Device(registration_id=credential.name, attestation=attestation(credential))
    with pytest.raises(CertificateError):
        InMemoryDevices((device,)).prepare([0])


def test_a_slice_is_some_of_a_source() -> None:
    """Its indices are its own; the source prepares and loads them."""
    some = DeviceSlice(devices=given(9, prefix="d"), begin=4, count=3)

    assert list(some.registration_ids()) == ["d-004", "d-005", "d-006"]
    assert [one.registration_id for one in some.load([0, 2])] == ["d-004", "d-006"]
    some.prepare([1])

"""What `aiodps emulator` reads: every fault names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests import certificates as kit
from tests.sas_vectors import C_KEY

from aiodps.cli.emulator_files import (
    enrollments_with_keys,
    groups_by_ca,
    read_enrollments_file,
    read_faults_file,
    read_server_credential,
    trust_cas,
)
from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.errors import ConfigurationError, PrivateKeyError, SymmetricKeyError

ENROLLMENTS = json.dumps(
    [{"registrationId": "ä"[:0] + "a", "attestation": {"type": "symmetricKey"}}]
)
FAULTS = '[[rule]]\noperation = "register"\nstatus = 500\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_enrollments(encoding: str, tmp_path: Path) -> None:
    """JSON in any of its encodings."""
    path = tmp_path / "e.json"
    path.write_bytes(ENROLLMENTS.encode(encoding))

    assert [each.id for each in read_enrollments_file(str(path))] == ["a"]
    assert read_enrollments_file(None) == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_faults(encoding: str, tmp_path: Path) -> None:
    """TOML, with or without a byte order mark."""
    path = tmp_path / "f.toml"
    path.write_bytes(FAULTS.encode(encoding))
    plan = read_faults_file(str(path))

    assert plan is not None
    assert len(plan.rules) == 1
    assert read_faults_file(None) is None


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (read_enrollments_file, b"", "line 1, column 1"),
        (read_enrollments_file, b"[1 2]", "line 1, column 4"),
        (read_enrollments_file, b"{}\n{}", "line 2, column 1"),
        (read_enrollments_file, b"[" * 5000 + b"]" * 5000, "too deep"),
        (read_enrollments_file, b"[{}]", "enrollment 0"),
        (read_enrollments_file, b"\xe4", "is not UTF-8"),
        (read_faults_file, b"= 1", "line 1"),
        (read_faults_file, FAULTS.encode("utf-16"), "UTF-16"),
        (read_faults_file, b"a = " + b"[" * 5000, "TOML"),
        (read_faults_file, b"[[rule]]\nx = 1", "rule 1"),
    ],
)
def test_bad_files(
    read: Callable[[str], object], content: bytes, says: str, tmp_path: Path
) -> None:
    """The file, and the place in it."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read(str(path))

    assert says in caught.value.message
    assert str(path) in caught.value.message


def test_a_group_by_its_ca(tmp_path: Path) -> None:
    """A group of that name, for the first certificate of the file, which is uploaded as well."""
    (tmp_path / "root.pem").write_bytes(kit.root().certificate_pem)
    ((group, path),) = groups_by_ca((f"line-4={tmp_path / 'root.pem'}",))

    assert (group.id, path) == ("line-4", str(tmp_path / "root.pem"))
    with pytest.raises(ConfigurationError, match="not a name and a file") as caught:
        [*groups_by_ca((path,))]

    assert caught.value.setting == "group_ca"


def test_cas(tmp_path: Path) -> None:
    """Every certificate of a bundle, in PEM or DER."""
    ders = [
        each.certificate.public_bytes(Encoding.DER) for each in (kit.root(), kit.intermediate())
    ]
    (tmp_path / "b.cer").write_bytes(b"".join(ders))
    dps = Emulator()
    trust_cas(dps, str(tmp_path / "b.cer"))

    assert [each.name for each in dps.service.certificates] == ["b", "b-2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (kit.certify().certificate_pem, "'CN=device-1', which is not a CA"),
        (kit.root().certificate_pem.decode().encode("utf-16"), "UTF-16"),
        (kit.root().private_key_pem, "contains a private key"),
    ],
)
def test_what_is_not_a_ca(content: bytes, says: str, tmp_path: Path) -> None:
    """It is told at the start, and not by a 401 later."""
    (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match=says) as caught:
        trust_cas(Emulator(), str(tmp_path / "ca.pem"))

    assert caught.value.setting == "verified_ca"
    assert "ca.pem" in caught.value.message


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with a key."""
    path = tmp_path / "a=b.key"
    path.touch(mode=0o600)
    path.write_text(C_KEY, encoding="utf-8")
    return path


def test_enrollments_with_keys(key: Path) -> None:
    """The key is the primary one; a path may contain `=`."""
    device, group = enrollments_with_keys((f"dev-1={key}",), (f"line-4={key}",))

    assert isinstance(device, IndividualEnrollment)
    assert isinstance(group, EnrollmentGroup)
    assert (device.id, group.id) == ("dev-1", "line-4")
    for each in (device, group):
        assert isinstance(each.attestation, SymmetricKeys)
        assert each.attestation.primary == C_KEY


@pytest.mark.parametrize("option", ["dev-1", "=key", "dev-1=", "dev 1=KEY"])
def test_bad_options(key: Path, option: str) -> None:
    """The option is named."""
    with pytest.raises(ConfigurationError):
        list(enrollments_with_keys((option.replace("KEY", str(key)),), ()))


def test_bad_files_of_keys(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(SymmetricKeyError):
        list(enrollments_with_keys((), (f"line-4={tmp_path / 'absent'}",)))


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """The key in a file of its own, or behind the certificates."""
    server = kit.intermediate().server(["dps.example"])
    chain, key = kit.write(server, tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(server.chain_pem + server.private_key_pem)

    for read in (
        read_server_credential(str(chain), str(key)),
        read_server_credential(str(both), None),
    ):
        assert read is not None
        assert (read.chain_pem, read.private_key_pem) == (
            server.chain_pem,
            server.private_key_pem,
        )

    assert read_server_credential(None, None) is None


def test_a_key_without_its_certificate(tmp_path: Path) -> None:
    """Nor with one of another key."""
    chain, key = kit.write(kit.intermediate().server(["dps.example"]), tmp_path)
    with pytest.raises(ConfigurationError, match="without --tls-cert"):
        read_server_credential(None, str(key))

    _, other = kit.write(kit.certify(), tmp_path, "other")
    with pytest.raises(PrivateKeyError, match="does not belong") as caught:
        read_server_credential(str(chain), str(other))

    assert caught.value.reason == "mismatch"

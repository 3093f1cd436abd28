"""Enrollments from `--device-key` and `--group-key`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sas_vectors import C_KEY

from aiodps.cli.emulator_keys import enrollments_with_keys
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.errors import ConfigurationError, SymmetricKeyError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with a key."""
    path = tmp_path / "a=b.key"
    path.touch(mode=0o600)
    path.write_text(C_KEY, encoding="utf-8")
    return path


def test_enrollments(key: Path) -> None:
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


def test_bad_files(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(SymmetricKeyError):
        list(enrollments_with_keys((), (f"line-4={tmp_path / 'absent'}",)))

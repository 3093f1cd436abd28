"""A folder is checked before a certificate is asked for, and a full disk is an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.attestation.issuance.test_chain import GOOD, REQUEST, assigned

from aiodps import errors
from aiodps.attestation.issuance.saving import check_keys_folder, save_issued
from aiodps.models import Phase

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


async def test_what_was_issued_is_saved(tmp_path: Path) -> None:
    """If anything was."""
    folder, assignment = tmp_path / "a" / "b", assigned(GOOD)
    check_keys_folder(folder)

    assert await save_issued(assignment, folder) is None
    path = await save_issued(assignment.with_issued(REQUEST.accept(assignment)), folder)
    assert [*folder.iterdir()] == [path]


async def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """Said before anything is sent."""
    (tmp_path / "file").touch()
    with pytest.raises(errors.ConfigurationError) as caught:
        check_keys_folder(tmp_path / "file" / "keys")

    assert caught.value.setting == "keys_out"


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The device is assigned, and where is said."""
    (tmp_path / "file").touch()
    assignment = assigned(GOOD)
    with pytest.raises(errors.IssuanceError) as caught:
        await save_issued(assignment.with_issued(REQUEST.accept(assignment)), tmp_path / "file")

    error = caught.value
    assert (error.reason, error.device_id, error.registration_id) == (
        *("unwritable", "press-4", "dev-1"),
    )
    assert error.phase is not Phase.CONFIGURATION
    assert str(tmp_path / "file") in error.message

"""What a failed TPM command means: each cause has a reason and a next step."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from aiodps.errors import TpmError
from aiodps.tpm.failures import check_device, failure_of, failure_to_open


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x9A2, "auth"),  # TPM_RC_BAD_AUTH of the first session
        (0x98E, "auth"),  # TPM_RC_AUTH_FAIL, likewise
        (0x921, "locked"),
        (0x922, "busy"),
        (0xB0922, "busy"),  # from a resource manager
        (0x101, "failure_mode"),
        (0x185, "disabled"),  # TPM_RC_HIERARCHY of the first handle
        (0x902, "full"),
        (0xA000A, "missing"),  # I/O error of a TCTI
    ],
)
def test_codes_with_a_cause_of_their_own(code: int, reason: str) -> None:
    """Whatever handle, parameter or session they number, and whoever hands them on."""
    failure = failure_of(code)

    assert failure is not None
    error = failure.error("what it says")
    assert (error.reason, error.message) == (reason, f"{failure.message}: what it says")
    assert error.hint == failure.hint


@pytest.mark.parametrize("code", [0x1DF, 0x184, 0x70002])
def test_codes_about_what_a_command_was_given(code: int) -> None:
    """Integrity, value, and our own mistakes: who called says what was refused."""
    assert failure_of(code) is None


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EBUSY, "busy"),
        (errno.EACCES, "missing"),
        (errno.ENOENT, "missing"),
        (errno.ENODEV, "missing"),
    ],
)
def test_a_device_that_cannot_be_opened(number: int, reason: str) -> None:
    """Another program has it, this user may not, or there is none."""
    failure = failure_to_open(number)

    assert failure is not None
    assert failure.reason == reason
    assert failure_to_open(errno.EINTR) is None


def test_only_devices_are_looked_at(tmp_path: Path) -> None:
    """Other TCTIs say themselves what is wrong."""
    present = tmp_path / "tpm"
    present.touch()
    for tcti in ("", "device", f"device:{present}", "swtpm:port=1", "tabrmd:"):
        check_device(tcti)

    with pytest.raises(TpmError, match="no TPM at this TCTI") as missing:
        check_device(f"device:{tmp_path / 'tpmrm0'}")

    assert missing.value.reason == "missing"
    assert isinstance(missing.value.__cause__, FileNotFoundError)

"""What a failed TPM command means, and what to do about it.

Codes: TCG, "TPM 2.0 Library, Part 2: Structures", 6.6, and "TSS 2.0 Overview", 3 (the layers).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

from aiodps.errors import TpmError

_LAYER: Final = 0xFF0000
_TPM_LAYERS: Final = frozenset({0, 0x0B0000, 0x0C0000})
"""The TPM itself, and resource managers, which hand its codes on."""
_TCTI: Final = 0x0A0000
_OF_HANDLE_OR_SESSION: Final = 0x80
"""Set in codes that also number the handle, parameter or session that is at fault."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A cause, as it is worded in an error."""

    reason: str
    message: str
    hint: str

    def error(self, why: str = "") -> TpmError:
        """Return the error, with what the TPM says of it, if it says anything."""
        message = f"{self.message}: {why}" if why else self.message
        return TpmError(message, reason=self.reason, hint=self.hint)


NO_PACKAGE: Final = Failure(
    "package",
    "tpm2-pytss is not installed, or does not find the libraries of tpm2-tss",
    "pip install 'aiodps[tpm]', with Debian's libtss2-dev, a C compiler and pkg-config",
)
NO_KEY: Final = Failure(
    "sign", "the TPM has no key of a challenge", "provision the device again, or activate first"
)
MISSING: Final = Failure(
    "missing",
    "there is no TPM at this TCTI",
    "enable the TPM in the firmware, and give its TCTI, for example device:/dev/tpmrm0",
)
FORBIDDEN: Final = Failure(
    "missing",
    "this user may not open the TPM's device",
    "add the user to the group of the device, usually `tss`",
)
BUSY: Final = Failure(
    "busy",
    "another program uses the TPM",
    "use the kernel's resource manager, device:/dev/tpmrm0, or stop the other program",
)
AUTH: Final = Failure(
    "auth",
    "the TPM refused the password of its owner or of its endorsement hierarchy",
    "give owner_auth= and endorsement_auth= (tpm_owner_auth_file, tpm_endorsement_auth_file)",
)
LOCKED: Final = Failure(
    "locked",
    "the TPM is locked after too many wrong passwords",
    "wait until it lets go, or run `tpm2_dictionarylockout --clear-lockout`",
)
DISABLED: Final = Failure(
    "disabled",
    "the owner's or the endorsement hierarchy of the TPM is disabled",
    "enable the hierarchy in the firmware",
)
FULL: Final = Failure(
    "full",
    "the TPM has no memory left",
    "flush what other programs left there: `tpm2_flushcontext -t -l -s`, or restart the machine",
)
BROKEN: Final = Failure(
    "failure_mode", "the TPM is in failure mode", "restart the machine; if it stays, replace it"
)
_KEYS: Final = Failure(
    "keys",
    "the TPM's keys cannot be used",
    "the keys at 0x81010001 and 0x81000001 have to be RSA-2048 storage keys (tpm2_readpublic)",
)
_CHALLENGE: Final = Failure(
    "activation",
    "the TPM refused the service's challenge",
    "it is for another TPM, or was changed: was this one cleared since it was enrolled?",
)
_SIGNATURE: Final = Failure(
    "sign", "the TPM did not sign", "provision again: another program may have replaced its key"
)
REFUSED: Final = {each.reason: each for each in (_KEYS, _CHALLENGE, _SIGNATURE)}
"""By what was asked of the TPM, if nothing else is known of the cause."""
_BY_CODE: Final = {
    0x08E: AUTH,
    0x0A2: AUTH,
    0x12F: AUTH,  # no authorization value was given, and one is needed
    0x085: DISABLED,
    0x101: BROKEN,
    0x14B: FULL,
    0x902: FULL,
    0x903: FULL,
    0x904: FULL,
    0x908: BUSY,
    0x921: LOCKED,
    0x922: BUSY,
}


def failure_of(code: int) -> Failure | None:
    """Return what a response code means; None if it is about what the command was given."""
    if code & _LAYER == _TCTI:
        return MISSING

    if code & _LAYER not in _TPM_LAYERS:
        return None

    own = code & 0xFFFF
    return _BY_CODE.get(own & 0xBF if own & _OF_HANDLE_OR_SESSION else own)


def failure_to_open(number: int) -> Failure | None:
    """Return what an `errno` of opening a TPM's device means; None if it is not known."""
    match number:
        case errno.EBUSY:
            return BUSY
        case errno.EACCES | errno.EPERM:
            return FORBIDDEN
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR:
            return MISSING
        case _:
            return None


def check_device(tcti: str) -> None:
    """Check that a TCTI's device can be opened: tpm2-tss does not say why it cannot be.

    Raises:
        TpmError: "missing" or "busy", if the TCTI is `device:PATH` and it cannot.
    """
    name, _, path = tcti.partition(":")
    if name != "device" or not path:
        return

    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as exc:
        failure = failure_to_open(exc.errno or 0)
        if failure is not None:
            raise failure.error() from exc

"""The TPM of this machine, by tpm2-pytss (extra `tpm`): the `TpmDevice` that devices have."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, final

from anyio import to_thread

from aiodps.argument_types import check_type
from aiodps.errors import ConfigurationError
from aiodps.tpm.failures import NO_PACKAGE, REFUSED, check_device, failure_of
from aiodps.tpm.structures import StructureError

if TYPE_CHECKING:
    from aiodps.tpm.commands import Tpm2

DEFAULT_TCTI: Final = "device:/dev/tpmrm0"
"""Linux's resource manager, which lets programs share the TPM."""
IDENTITY_HANDLE: Final = 0x81000100
"""Persistent handle where Microsoft's clients store the key of a challenge."""
PERSISTENT_HANDLES: Final = range(0x81000000, 0x82000000)
MOST_PASSWORD_BYTES: Final = 64
"""Of a `TPM2B_AUTH`: the largest digest."""

_ONE_AT_A_TIME: Final = threading.Lock()
"""Held by the thread that is connected to a TPM."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Password:
    """A password, which a traceback with locals does not show."""

    value: Any = field(repr=False)

    def check(self, setting: str) -> None:
        if not isinstance(self.value, bytes) or len(self.value) > MOST_PASSWORD_BYTES:
            raise ConfigurationError(
                f"{setting} is not a password of at most {MOST_PASSWORD_BYTES} bytes",
                setting=setting,
                hint="give it as bytes, without a line end",
            )


@final
class HardwareTpm:
    """A TPM 2.0, or a simulator such as swtpm; see `load`.

    It holds no connection: each call makes one in a thread, while no other call of this process
    has one, and leaves nothing in the TPM but keys at persistent handles. A cancelled call ends
    with its commands: after some milliseconds, or some seconds while a key is made.
    """

    __slots__ = ("_tpm", "endorsement_key", "storage_root_key")

    def __init__(self, tpm: Tpm2, endorsement_key: bytes, storage_root_key: bytes) -> None:
        """Not for users: `load` reads the keys."""
        self._tpm = tpm
        self.endorsement_key: bytes = endorsement_key
        """The public endorsement key, a `TPM2B_PUBLIC`."""
        self.storage_root_key: bytes = storage_root_key
        """The public storage root key, a `TPM2B_PUBLIC`."""

    @classmethod
    async def load(
        cls,
        tcti: str = DEFAULT_TCTI,
        *,
        owner_auth: bytes = b"",
        endorsement_auth: bytes = b"",
        identity_handle: int = IDENTITY_HANDLE,
    ) -> Self:
        """Read the TPM's public keys; a key that is missing is made, which can take seconds.

        Args:
            tcti: How to reach the TPM, as tpm2-tss and tpm2-tools write it: `device:/dev/tpmrm0`,
                `swtpm:host=127.0.0.1,port=2321`.
            owner_auth: Password of the owner hierarchy; empty if it has none.
            endorsement_auth: Password of the endorsement hierarchy; empty if it has none.
            identity_handle: Persistent handle where the key of a challenge is stored. What is
                there is replaced.

        Raises:
            TpmError: With the reason: see `TpmError`.
            ConfigurationError: If an argument is not valid.
        """
        owner, endorsement = _Password(owner_auth), _Password(endorsement_auth)
        del owner_auth, endorsement_auth
        check_type(tcti, str, "tcti")
        owner.check("owner_auth")
        endorsement.check("endorsement_auth")
        if identity_handle not in PERSISTENT_HANDLES:
            raise ConfigurationError(
                "the identity handle is not a persistent handle",
                setting="identity_handle",
                hint=f"give one of 0x81000000 to 0x81ffffff, such as 0x{IDENTITY_HANDLE:x}",
            )

        tpm = _commands()(
            tcti=tcti,
            owner_auth=owner.value,
            endorsement_auth=endorsement.value,
            identity_handle=identity_handle,
        )
        return cls(tpm, *await _call(tpm.tcti, tpm.public_keys, reason="keys"))

    def __repr__(self) -> str:
        """Return how it is reached, and no password."""
        return f"<HardwareTpm {self._tpm.tcti!r}>"

    async def activate(self, challenge: bytes) -> None:
        """Import the HMAC key of a challenge, in place of an earlier one.

        Raises:
            TpmError: "activation", if the challenge is not for this TPM, or was changed on its
                way; or another reason.
        """
        await _call(self._tpm.tcti, lambda: self._tpm.activate(challenge), reason="activation")

    async def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes with the key that was imported last, by any process.

        Raises:
            TpmError: "sign", if there is none; or another reason.
        """
        return await _call(self._tpm.tcti, lambda: self._tpm.sign(data), reason="sign")


def _commands() -> type[Tpm2]:
    try:
        from aiodps.tpm.commands import Tpm2  # noqa: PLC0415 (an extra)
    except (ImportError, OSError, RuntimeError) as exc:
        raise NO_PACKAGE.error() from exc

    return Tpm2


async def _call(tcti: str, command: Callable[[], Answer], *, reason: str) -> Answer:
    """Run commands in a thread, while no other thread is connected to a TPM."""

    def run() -> Answer:
        with _ONE_AT_A_TIME:
            check_device(tcti)
            return command()

    try:
        return await to_thread.run_sync(run)
    except StructureError as exc:
        raise REFUSED[reason].error(str(exc)) from exc
    except RuntimeError as exc:  # tpm2_pytss.TSS2_Exception
        code = getattr(exc, "rc", None)
        if code is None:
            raise

        failure = failure_of(int(code)) or REFUSED[reason]
        raise failure.error(f"{exc}, 0x{code:x}") from exc

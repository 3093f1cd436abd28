"""Enrollments with symmetric keys, from `--device-key ID=FILE` and `--group-key NAME=FILE`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiodps.attestation.symmetric_key import read_key
from aiodps.errors import ConfigurationError

if TYPE_CHECKING:
    from aiodps.emulator.service.enrollments.store import Enrollment


def enrollments_with_keys(
    device_keys: tuple[str, ...], group_keys: tuple[str, ...]
) -> Iterator[Enrollment]:
    """Yield an enrollment for each option; the key in its file is the primary one.

    Raises:
        ConfigurationError: If an option has no `=`, or its id is not valid.
        SymmetricKeyError: If a key cannot be read.
    """
    for option in device_keys:
        yield _enrollment(option, "registrationId", setting="device_key")

    for option in group_keys:
        yield _enrollment(option, "enrollmentGroupId", setting="group_key")


def _enrollment(option: str, member: str, *, setting: str) -> Enrollment:
    from aiodps.emulator.service.enrollments.json import read_enrollment  # noqa: PLC0415 (an extra)

    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise ConfigurationError(
            f"{option!r} is not an id and a file",
            setting=setting,
            hint=f"give --{setting.replace('_', '-')} ID=FILE",
        )

    document: dict[str, Any] = {member: name, "attestation": _mechanism(Path(path))}
    return read_enrollment(document, source=f"--{setting.replace('_', '-')}")


def _mechanism(path: Path) -> dict[str, Any]:
    return {"type": "symmetricKey", "symmetricKey": {"primaryKey": read_key(path).text()}}

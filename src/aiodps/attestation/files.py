"""The files of a credential, as settings and manifests name them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from aiodps.attestation.base import Attestation
from aiodps.attestation.symmetric_key import SymmetricKey, read_key
from aiodps.attestation.tpm import Tpm, TpmDevice
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError
from aiodps.input_files.private_keys import hidden
from aiodps.input_files.text import read_password
from aiodps.tpm.hardware import HardwareTpm

_log = logging.getLogger("aiodps.attestation")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationFiles:
    """The files of one credential; each None if it was not given."""

    certificate: Path | None = None
    private_key: Path | None = None
    key_password_file: Path | None = None
    symmetric_key_file: Path | None = None
    group_key_file: Path | None = None

    @classmethod
    def of(cls, files: Mapping[str, Path | None], *, prefix: str = "") -> Self:
        """Return the files that a mapping has under the names of the fields, with a prefix."""
        return cls(**{each.name: files.get(f"{prefix}{each.name}") for each in fields(cls)})

    @property
    def given(self) -> bool:
        """Whether there is any file."""
        return self != AttestationFiles()

    def load(self, registration_id: str | None) -> Attestation:
        """Read the files.

        Args:
            registration_id: Registration id of the device; None for that in its certificate.

        Raises:
            ConfigurationError: If there is no file, if they belong to different credentials, or
                if a symmetric key lacks a registration id.
            CredentialError: If a file cannot be read or used.
        """
        self._check_kinds()
        if self.certificate is not None:
            return self._x509(self.certificate)

        if registration_id is None:
            raise ConfigurationError(
                "a symmetric key requires a registration id, and none was given",
                setting="registration_id",
                hint="give registration_id= (--registration-id), or set AIODPS_REGISTRATION_ID",
            )

        if self.group_key_file is not None:
            group_key = read_key(self.group_key_file)
            return SymmetricKey.member(group_key, registration_id=registration_id)

        assert self.symmetric_key_file is not None  # noqa: S101 (checked above)
        key = read_key(self.symmetric_key_file)
        return SymmetricKey(registration_id=registration_id, sign=key)

    def _check_kinds(self) -> None:
        kinds = ("certificate", "symmetric_key_file", "group_key_file")
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) > 1:
            raise _contradiction(given[0], given[1])

        if not given:
            raise ConfigurationError(
                "the device has no credential: neither a certificate nor a symmetric key",
                setting="attestation",
                hint="give attestation= (--cert, --symmetric-key-file, --group-key-file or "
                "--tpm), or set AIODPS_CERTIFICATE or another of these",
            )

    def _x509(self, certificate: Path) -> X509:
        file = self.key_password_file
        password = hidden(
            None if file is None else read_password(file, setting="key_password_file")
        )
        return X509.from_files(certificate, self.private_key, password=password)


SECONDARY = "secondary_"
"""Prefix of the names of the second credential's files."""


def load_in_order(
    files: Mapping[str, Path | None],
    registration_id: str | None,
    *,
    tpm: TpmDevice | None = None,
) -> tuple[Attestation, ...]:
    """Read the files of a device's first credential, and those of its second if there is one.

    Args:
        files: By the names of the settings.
        registration_id: Registration id of the device; None for that of its first credential.
        tpm: The first credential; None to read it from files.

    Raises:
        ConfigurationError: If there is no first credential, or files contradict each other.
        CredentialError: If a file cannot be read or used.
    """
    first, second = AttestationFiles.of(files), AttestationFiles.of(files, prefix=SECONDARY)
    primary = (
        first.load(registration_id) if tpm is None else Tpm(tpm, registration_id=registration_id)
    )
    if not second.given:
        return (primary,)

    return primary, second.load(registration_id or primary.registration_id)


async def load_attestations(
    settings: Mapping[str, Any], registration_id: str | None
) -> tuple[Attestation, ...]:
    """Load the credentials that settings name, and log the remarks about them.

    Args:
        settings: By name.
        registration_id: Registration id of the device; None for that of its first credential.

    Raises:
        ConfigurationError: If there is no first credential, or settings contradict each other.
        CredentialError: If a file or the TPM cannot be used.
    """
    tpm = None if settings["tpm"] is None else await load_tpm(settings["tpm"], settings)
    loaded = load_in_order(settings, registration_id, tpm=tpm)
    for each in loaded:
        for remark in each.remarks if isinstance(each, X509) else ():
            _log.warning(remark)

    return loaded


async def load_tpm(tcti: str, files: Mapping[str, Path | None]) -> HardwareTpm:
    """Read the keys of the TPM that is the first credential.

    Args:
        tcti: How to reach it.
        files: By the names of the settings; those with the TPM's passwords are read.

    Raises:
        ConfigurationError: If there are files of another first credential, or one with a password
            cannot be read.
        TpmError: If the TPM cannot be used.
    """
    given = [each.name for each in fields(AttestationFiles) if files.get(each.name) is not None]
    if given:
        raise _contradiction("tpm", given[0])

    return await HardwareTpm.load(
        tcti,
        owner_auth=_password(files, "tpm_owner_auth_file"),
        endorsement_auth=_password(files, "tpm_endorsement_auth_file"),
    )


def _password(files: Mapping[str, Path | None], setting: str) -> bytes:
    path = files.get(setting)
    return b"" if path is None else read_password(path, setting=setting)


def _contradiction(one: str, other: str) -> ConfigurationError:
    return ConfigurationError(
        f"{one} and {other} are both set, but they are different credentials",
        setting=other,
        hint="leave out one of them, also in the environment and in the settings file",
    )

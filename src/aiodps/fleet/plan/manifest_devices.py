"""`ManifestDevices`: the devices of a manifest, with credentials from files or from a CA."""

from __future__ import annotations

import functools
import logging
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiodps.attestation.credentials import Attestations, Credentials
from aiodps.attestation.files import load_in_order
from aiodps.attestation.symmetric_key import HmacKey, read_key
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.devices import Device, member
from aiodps.fleet.plan.manifest import (
    ManifestError,
    Row,
    failing_rows,
    read_manifest,
    write_manifest,
)
from aiodps.input_files.reading import InsecureKeyFileWarning
from aiodps.input_files.text import read_password
from aiodps.pki.files import CredentialFiles, read_authority

_log = logging.getLogger("aiodps.attestation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA that issues certificates to devices that have none."""

    certificate: Path
    private_key: Path
    keys: Path
    """The folder that certificates and keys are written to, for the devices. It is not the run
    folder, which holds no secret."""
    key_password_file: Path | None = None
    """Password of the CA's key; None if the key is not encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDevices:
    """The devices of a manifest; a `DeviceSource`."""

    path: Path
    digest: str
    """SHA-256 of the manifest."""
    issuer: Issuer | None = None
    """Issues certificates for rows without a credential; None if no CA was given."""
    group_key_file: Path | None = None
    """Symmetric key of a group, from which those of rows without a credential are derived, in
    memory; None if none was given."""
    ignore_columns: bool = False
    """Whether columns that are not known are ignored."""
    rows: tuple[Row, ...] | None = field(default=None, repr=False)
    """None until the file is read; not pickled: other processes read the manifest themselves."""

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        issuer: Issuer | None = None,
        group_key_file: Path | None = None,
        ignore_columns: bool = False,
    ) -> ManifestDevices:
        """Read a manifest.

        Args:
            path: The manifest.
            issuer: Issues certificates for rows without a credential; None if there is no CA.
            group_key_file: Key of a group, from which keys are derived; None if there is none.
            ignore_columns: Whether columns that are not known are ignored.

        Raises:
            ManifestError: If rows cannot be used; it lists all of them.
            ConfigurationError: If the file cannot be read.
        """
        unread = cls(
            path=path.absolute(),
            digest="",
            issuer=issuer,
            group_key_file=group_key_file,
            ignore_columns=ignore_columns,
        )
        with warnings.catch_warnings(action="ignore", category=InsecureKeyFileWarning):
            digest, rows = read_manifest(path, check=unread._check, ignore_columns=ignore_columns)

        return replace(unread, digest=digest, rows=rows)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle without the rows."""
        names = ("path", "digest", "issuer", "group_key_file", "ignore_columns")
        fields: dict[str, Any] = {name: getattr(self, name) for name in names}
        return functools.partial(ManifestDevices, **fields), ()

    def registration_ids(self) -> Sequence[str]:
        """Return the registration id of every device."""
        return [row.registration_id for row in self._rows()]

    def write_failed(self, path: Path, errors: Mapping[str, str]) -> None:
        """Write a manifest of the devices that have failed, which can be given to another run.

        Args:
            path: The file.
            errors: Why each has failed, by registration id.

        Raises:
            ConfigurationError: If this manifest cannot be read again.
            OSError: If the file cannot be written.
        """
        failed = [row for row in self._rows() if row.registration_id in errors]
        write_manifest(path, failed, errors)

    def prepare(self, indices: Sequence[int]) -> None:
        """Issue missing certificates, and check every credential.

        Raises:
            ManifestError: If credentials cannot be used; it lists all of them.
        """
        rows = self._rows()
        self._issue([rows[index] for index in indices])
        remarks: list[str] = []

        group_key = self._group_key()

        def check(row: Row) -> None:
            attestation = self._device(group_key, row).attestation
            remarks.extend(attestation.remarks if isinstance(attestation, X509) else ())

        with warnings.catch_warnings(record=True) as open_keys:
            warnings.simplefilter("always")
            errors = list(failing_rows([rows[index] for index in indices], check))

        if errors:
            raise ManifestError(self.path, errors)

        if remarks:
            _log.warning("%d certificates may be refused, the first: %s", len(remarks), remarks[0])

        if open_keys:
            warnings.warn(
                f"{len(open_keys)} key files can be read by others, the first: "
                f"{open_keys[0].message}",
                InsecureKeyFileWarning,
                stacklevel=2,
            )

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Read the credentials of devices."""
        rows = self._rows()
        with warnings.catch_warnings(action="ignore", category=InsecureKeyFileWarning):
            group_key = self._group_key()
            return [self._device(group_key, rows[index]) for index in indices]

    def _rows(self) -> tuple[Row, ...]:
        if self.rows is not None:
            return self.rows

        digest, rows = read_manifest(self.path, ignore_columns=self.ignore_columns)
        if digest != self.digest:
            raise ConfigurationError(
                f"{str(self.path)!r} has changed since the run was created",
                setting="manifest",
                hint="restore the manifest, or start a new run with the changed one",
            )

        object.__setattr__(self, "rows", rows)
        return rows

    def _check(self, row: Row) -> None:
        """Check the credential of a row, unless it is yet to be issued."""
        if row.files or self.issuer is None:
            self._device(self._group_key(), row)

    def _group_key(self) -> HmacKey | None:
        return None if self.group_key_file is None else read_key(self.group_key_file)

    def _device(self, group_key: HmacKey | None, row: Row) -> Device:
        """Read the credential of a row, and check it as the client would."""
        if row.files:
            _check_regular(row.files.values())
            attestation: Attestations = load_in_order(row.files, row.registration_id)
        elif group_key is not None:
            attestation = member(group_key, row.registration_id)
        else:
            files = self._files(row)
            attestation = X509.from_files(files.chain, files.private_key)

        credentials = Credentials(attestation)
        credentials.check(registration_id=row.registration_id, wall_time=time.time())
        return Device(
            registration_id=row.registration_id, attestation=attestation, payload=row.payload
        )

    def _files(self, row: Row) -> CredentialFiles:
        if self.issuer is None:
            raise ConfigurationError(
                "the credential is missing, and there is neither a CA (--ca, --ca-key and"
                " --keys-out) nor a group's key (--group-key-file)",
                setting="certificate",
                hint="give a certificate or a symmetric_key_file in the row, or one of these",
            )

        return CredentialFiles(directory=self.issuer.keys, name=row.registration_id)

    def _issue(self, rows: Sequence[Row]) -> None:
        """Issue a certificate to each device that has none, unless an earlier call did."""
        missing = [row for row in rows if not row.files]
        issuer = self.issuer
        if not missing or issuer is None:
            return

        authority = read_authority(
            certificate=issuer.certificate,
            private_key=issuer.private_key,
            password=_password(issuer.key_password_file),
            again=True,
        )
        issuer.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        for row in missing:
            files = self._files(row)
            # The chain is written last: if it exists, all files do.
            if not os.path.lexists(files.chain):
                files.write(authority.device(row.registration_id), overwrite=True)


def _password(path: Path | None) -> bytes | None:
    if path is None:
        return None

    return read_password(path, setting="key_password_file", again=True)


def _check_regular(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_fifo():
            raise ConfigurationError(
                f"{str(path)!r} is a pipe, and it is read more than once",
                setting="manifest",
                hint="give a regular file",
            )

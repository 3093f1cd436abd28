"""Devices of a manifest: their credentials from files, or issued into files by a CA."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiodps.attestation.x509 import X509
from aiodps.credential_files import InsecureKeyFileWarning, read_password
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.devices import Device
from aiodps.fleet.plan.manifest import ManifestError, Row, failing, read_manifest
from aiodps.pki.files import CredentialFiles, read_authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA that issues certificates to devices that have none."""

    certificate: Path
    private_key: Path
    keys: Path
    """The folder that certificates and keys are written to: the devices need them. It is not the
    run folder, which holds no secret."""
    key_password_file: Path | None = None
    """Opens the CA's key; None if it is not encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDevices:
    """Devices that a manifest names; a `DeviceSource`."""

    path: Path
    digest: str
    """SHA-256 of the manifest."""
    issuer: Issuer | None = None
    """For rows without a certificate; None if there are none."""
    rows: tuple[Row, ...] | None = field(default=None, repr=False)
    """Filled in when read; not carried to other processes, which read for themselves."""

    @classmethod
    def read(cls, path: Path, *, issuer: Issuer | None = None) -> ManifestDevices:
        """Read a manifest.

        Raises:
            ManifestError: If a row cannot be used; it names them all.
            ConfigurationError: If the file cannot be read.
        """
        unread = cls(path=path, digest="", issuer=issuer)
        with warnings.catch_warnings(action="ignore", category=InsecureKeyFileWarning):
            manifest = read_manifest(path, check=unread._check)

        return cls(path=manifest.path, digest=manifest.digest, issuer=issuer, rows=manifest.rows)

    def __reduce__(self) -> tuple[object, ...]:
        """Carry names only; the other side reads the manifest itself."""
        return _revive, (self.path, self.digest, self.issuer)

    def names(self) -> Sequence[str]:
        """Return every registration id."""
        return [row.registration_id for row in self._rows()]

    def prepare(self, indices: Sequence[int]) -> None:
        """Issue what is missing, and check every credential.

        Raises:
            ManifestError: If a device cannot prove who it is; it names them all.
        """
        rows = self._rows()
        self._issue([rows[index] for index in indices])
        with warnings.catch_warnings(record=True) as open_keys:
            warnings.simplefilter("always")
            faults = list(failing([rows[index] for index in indices], self._device))

        if faults:
            raise ManifestError(self.path, faults)

        if open_keys:
            warnings.warn(
                f"{len(open_keys)} private key files can be read by others, the first: "
                f"{open_keys[0].message}",
                InsecureKeyFileWarning,
                stacklevel=2,
            )

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Read credentials."""
        rows = self._rows()
        with warnings.catch_warnings(action="ignore", category=InsecureKeyFileWarning):
            return [self._device(rows[index]) for index in indices]

    def _rows(self) -> tuple[Row, ...]:
        if self.rows is not None:
            return self.rows

        manifest = read_manifest(self.path)
        if manifest.digest != self.digest:
            raise ConfigurationError(
                f"{str(self.path)!r} has changed since the run began",
                setting="manifest",
                hint="restore the manifest, or start a new run with the changed one",
            )

        object.__setattr__(self, "rows", manifest.rows)
        return manifest.rows

    def _check(self, row: Row) -> None:
        """Check a credential that is there already, or that nobody will issue."""
        if row.certificate is not None or self.issuer is None:
            self._device(row)

    def _device(self, row: Row) -> Device:
        """Read one device's credential, and check it as the client would."""
        certificate, private_key = row.certificate, row.private_key
        if certificate is None:
            files = self._files(row)
            certificate, private_key = files.chain, files.private_key

        password = _password(row.key_password_file)
        attestation = X509.from_files(certificate, private_key, password=password)
        attestation.check(registration_id=row.registration_id, wall_time=time.time())
        return Device(
            registration_id=row.registration_id, attestation=attestation, payload=row.payload
        )

    def _files(self, row: Row) -> CredentialFiles:
        if self.issuer is None:
            raise ConfigurationError(
                "there is no certificate, and no CA to issue one",
                setting="certificate",
                hint="name a certificate in the row, or give --ca, --ca-key and --keys-out",
            )

        return CredentialFiles(directory=self.issuer.keys, name=row.registration_id)

    def _issue(self, rows: Sequence[Row]) -> None:
        """Issue certificates to devices that have none, once and for all."""
        bare = [row for row in rows if row.certificate is None]
        issuer = self.issuer
        if not bare or issuer is None:
            return

        authority = read_authority(
            certificate=issuer.certificate,
            private_key=issuer.private_key,
            password=_password(issuer.key_password_file),
        )
        issuer.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        for row in bare:
            files = self._files(row)
            # The chain is written last: where it is, all is there.
            if not os.path.lexists(files.chain):
                files.write(authority.device(row.registration_id), overwrite=True)


def _password(path: Path | None) -> bytes | None:
    return None if path is None else read_password(path, setting="key_password_file")


def _revive(path: Path, digest: str, issuer: Issuer | None) -> ManifestDevices:
    return ManifestDevices(path=path, digest=digest, issuer=issuer)

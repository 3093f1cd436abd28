"""The devices of `aiodps demo`, their enrollments, and the folder of their files."""

from __future__ import annotations

import base64
import itertools
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiodps.attestation.base import Attestation
from aiodps.attestation.files import AttestationFiles
from aiodps.attestation.symmetric_key import HmacKey
from aiodps.attestation.tpm import Tpm, TpmDevice
from aiodps.pki import Authority, Credential
from aiodps.pki.files import CredentialFiles, create_file
from aiodps.tpm.software import SoftwareTpm

TRANSPORTS: Final = ("rest", "mqtt")
GROUP_KEY: Final = "demo-group.key"
ISSUED: Final = "issued"
_POLICY: Final = {
    "namespaceName": "demo",
    "certificateAuthorityName": "demo-ca",
    "certificatePolicyName": "demo-policy",
}
"""Certificates are issued to the devices of an enrollment that ask for one."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the demo: a way to authenticate and a transport."""

    way: str
    transport: str
    files: AttestationFiles
    """Of its credential."""
    mechanism: dict[str, Any] | None = field(default=None, repr=False)
    """The `attestation` of its own enrollment; None if it belongs to a group."""
    keys_out: Path | None = None
    """Folder for the certificate that it asks for, with its key; None if it asks for none."""

    tpm: TpmDevice | None = field(default=None, repr=False)
    """Its credential in place of files; None if it has files."""

    @property
    def registration_id(self) -> str:
        """The device's registration id."""
        return f"{self.way}-{self.transport}"

    def attestation(self) -> Attestation:
        """Return how it authenticates; reads its files."""
        if self.tpm is not None:
            return Tpm(self.tpm, registration_id=self.registration_id)

        return self.files.load(self.registration_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDevices:
    """The demo's devices, and what their groups have in common."""

    folder: Path
    root: Authority
    intermediate: Authority
    group_key: HmacKey
    devices: tuple[Device, ...]

    @classmethod
    def make(cls, folder: Path, *, issue: bool = False, tpm: bool = False) -> DemoDevices:
        """Make root, intermediate, group key and ten devices, and write their files.

        Args:
            folder: For the files.
            issue: Whether to make two more, which ask for a certificate.
            tpm: Whether to make one more, with a TPM in software.
        """
        root = Authority.root("demo-root")
        intermediate = root.intermediate("demo-intermediate")
        for authority in (root, intermediate):
            _write(folder, authority)

        ways = {
            "individual": lambda name: _with_certificate(folder, root.device(name), own=True),
            "root": lambda name: _with_certificate(folder, root.device(name)),
            "intermediate": lambda name: _with_certificate(folder, intermediate.device(name)),
            "key": lambda name: _with_key(folder, name),
            "group-key": lambda _: (AttestationFiles(group_key_file=folder / GROUP_KEY), None),
        }
        devices = tuple(
            Device(way, transport, *make(f"{way}-{transport}"))
            for (way, make), transport in itertools.product(ways.items(), TRANSPORTS)
        )
        if issue:
            devices += tuple(
                Device(ISSUED, each, *_with_key(folder, f"{ISSUED}-{each}"), keys_out=folder)
                for each in TRANSPORTS
            )

        if tpm:
            devices += (_with_tpm(),)

        group_key = _new_key(folder / GROUP_KEY)
        return cls(
            folder=folder,
            root=root,
            intermediate=intermediate,
            group_key=group_key,
            devices=devices,
        )

    def enrollments(self) -> list[dict[str, Any]]:
        """Return the enrollments as the service API writes them."""
        individual = [
            {
                "registrationId": each.registration_id,
                "attestation": each.mechanism,
                **({} if each.keys_out is None else _POLICY),
            }
            for each in self.devices
            if each.mechanism is not None
        ]
        # The service goes up the chain of a device and takes the first group it finds.
        groups = {
            "root": _x509("signingCertificates", self.root),
            "intermediate": _x509("signingCertificates", self.intermediate),
            "group-key": _symmetric_key(self.group_key),
        }
        return [
            *individual,
            *({"enrollmentGroupId": name, "attestation": each} for name, each in groups.items()),
        ]


Made = tuple[AttestationFiles, dict[str, Any] | None]


def _with_certificate(folder: Path, credential: Credential, *, own: bool = False) -> Made:
    files = _write(folder, credential)
    mechanism = _x509("clientCertificates", credential) if own else None
    return AttestationFiles(certificate=files.chain, private_key=files.private_key), mechanism


def _with_key(folder: Path, name: str) -> Made:
    path = folder / f"{name}.key"
    key = _new_key(path)
    return AttestationFiles(symmetric_key_file=path), _symmetric_key(key)


def _with_tpm() -> Device:
    """Make a device with a TPM, which MQTT cannot challenge."""
    tpm = SoftwareTpm()
    key = base64.b64encode(tpm.endorsement_key).decode()
    mechanism = {"type": "tpm", "tpm": {"endorsementKey": key}}
    return Device("tpm", "rest", AttestationFiles(), mechanism, tpm=tpm)


def _write(folder: Path, credential: Credential) -> CredentialFiles:
    files = CredentialFiles(directory=folder, name=credential.name)
    files.write(credential, overwrite=True)
    return files


def _new_key(path: Path) -> HmacKey:
    key = HmacKey(secrets.token_bytes(64))
    create_file(path, f"{key.text()}\n".encode(), mode=0o600, overwrite=True)
    return key


def _x509(kind: str, credential: Credential) -> dict[str, Any]:
    certificate = {"certificate": credential.certificate_pem.decode()}
    return {"type": "x509", "x509": {kind: {"primary": certificate}}}


def _symmetric_key(key: HmacKey) -> dict[str, Any]:
    return {"type": "symmetricKey", "symmetricKey": {"primaryKey": key.text()}}

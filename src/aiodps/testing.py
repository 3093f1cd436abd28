"""A Device Provisioning Service for a test suite: the objects of the pytest fixtures.

The fixtures themselves are in `aiodps_pytest`, which pytest finds by itself.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiodps.emulator import Emulator
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.request_log.log import NO_STATUS, Exchange
from aiodps.emulator.service.authentication.sas import derive_key
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority, Credential, KeyType
from aiodps.tpm.software import SoftwareTpm

Attestation: TypeAlias = Literal["x509", "symmetric_key", "tpm"]
"""Attestation mechanism of a device."""

_T = TypeVar("_T")

_POLICY: Final = {
    "namespaceName": "dps-device",
    "certificateAuthorityName": "dps-device",
    "certificatePolicyName": "dps-device",
}

CA_NAME: Final = "dps_ca"
"""CN of the fixtures' root, and its name on the emulated instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device for a test to provision."""

    registration_id: str
    certificate_file: Path | None = None
    """PEM, with the intermediate if there is one; None if it has no certificate."""
    key_file: Path | None = None
    """PEM, not encrypted; None if it has no certificate."""
    symmetric_key: str | None = field(default=None, repr=False)
    """Base64; None if it has none."""
    symmetric_key_file: Path | None = None
    """The same in a file; None if it has none."""
    tpm: SoftwareTpm | None = None
    """For `aiodps.Tpm`; None if it has none."""


class RunningEmulator:
    """An emulator that runs in a thread of its own, so that any test may block.

    Every method may be called from any thread, in synchronous and asynchronous tests.
    """

    def __init__(
        self, emulator: Emulator, portal: BlockingPortal, *, ca: Authority, directory: Path
    ) -> None:
        self._emulator = emulator
        self._portal = portal
        self.ca = ca
        """The devices' CA, which is verified on it."""
        self.directory = directory
        """Where its files are, and those of devices."""
        self.ca_file: Path = directory / "ca.pem"
        """PEM file with the CA that clients must trust."""
        self.ca_file.write_bytes(emulator.ca_pem)
        self.ca_pem: bytes = emulator.ca_pem
        """The same as bytes."""
        self.host: str = emulator.host
        """Address it listens on."""
        self.https_port: int = emulator.https_port
        """Port of HTTPS, and of MQTT over WebSocket."""
        self.mqtt_port: int = emulator.mqtt_port
        """Port of MQTT."""
        self.id_scope: str = emulator.id_scope
        """Id scope of the instance."""
        self.hub: str = emulator.hub
        """IoT hub that devices are assigned to, unless their enrollment names another."""
        self.connection_string: str = emulator.connection_string
        """Connection string of the service API; holds a secret."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The requests so far, with their responses; oldest first."""
        return tuple(self._emulator.request_log)

    def exchanges_after(self, number: int) -> tuple[int, tuple[Exchange, ...]]:
        """Return the requests after one of them.

        Args:
            number: The number of the last one that is known; 0 for none.

        Returns:
            The number of the latest request, and those that are not known, oldest first.
        """
        entries = self._emulator.request_log.after(number)
        return entries[-1][0] if entries else number, tuple(each for _, each in entries)

    def register_requests(self, registration_id: str) -> int:
        """Return the number of register requests for a device; the service bills each."""
        return self._emulator.counts.register_requests[registration_id]

    def enroll(self, document: Mapping[str, Any]) -> None:
        """Add an enrollment or group, or replace the one with its id.

        Args:
            document: As the service API takes it.

        Raises:
            ConfigurationError: If it cannot be read, or the service would refuse it.
        """
        enrollment = read_enrollment(document, source="the enrollment")
        try:
            self.call(lambda emulator: emulator.service.enroll(enrollment, now=time.time()))
        except Refusal as exc:
            raise ConfigurationError(exc.message, setting="enrollments") from exc

    def trust(self, ca: Credential, *, name: str) -> None:
        """Upload a CA certificate, as verified."""
        self.call(
            lambda emulator: emulator.service.certificates.upload(
                name, ca.certificate, verified=True, now=time.time()
            )
        )

    def misbehave(self, faults: str) -> None:
        """Replace the faults on demand.

        Args:
            faults: TOML as in a fault file; empty for none.

        Raises:
            ConfigurationError: If the TOML is invalid; the message names rule and member.
        """
        plan = Plan.read(faults)
        self.call(lambda emulator: setattr(emulator.faults, "plan", plan))

    def call(self, function: Callable[[Emulator], _T]) -> _T:
        """Call a function with the emulator, in the emulator's thread, and return its result."""
        return self._portal.call(function, self._emulator)


@contextmanager
def running(
    *, ca: Authority | None = None, directory: Path | None = None, **options: Any
) -> Iterator[RunningEmulator]:
    """Run an emulator in a thread of its own.

    Args:
        ca: The devices' CA, verified from the start; None for a new one.
        directory: For the CA file and the files of devices; None for one that is removed.
        options: Of `aiodps.emulator.Emulator`.
    """
    if directory is None:
        with (
            TemporaryDirectory(prefix="aiodps-") as made,
            running(ca=ca, directory=Path(made), **options) as dps,
        ):
            yield dps

        return

    ca = Authority.root(CA_NAME) if ca is None else ca
    emulator = Emulator(**{"retry_after": 0, **options})
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(emulator),
    ):
        dps = RunningEmulator(emulator, portal, ca=ca, directory=directory)
        dps.trust(ca, name=CA_NAME)
        yield dps


def transcript(exchanges: Iterable[Exchange]) -> str:
    """Return a line for each request: seconds since the first, response, reason and fault."""
    lines = []
    began: float | None = None
    for each in exchanges:
        began = each.time if began is None else began
        words = (
            f"{each.time - began:8.3f} s ",
            each.transport,
            str(each.status_code) if each.status_code != NO_STATUS else "no response",
            each.what,
            each.registration_id or "-",
            each.message or "",
            f"[fault: {each.fault}]" if each.fault else "",
        )
        lines.append(" ".join(word for word in words if word))

    return "\n".join(lines)


class DeviceFactory:
    """Makes devices and enrolls them, on one emulator."""

    def __init__(
        self, dps: RunningEmulator, *, ca: Authority | None = None, directory: Path | None = None
    ) -> None:
        """Make a factory.

        Args:
            dps: The emulator.
            ca: The devices' CA; None for that of the emulator.
            directory: For the files of devices; None for that of the emulator.
        """
        self._dps = dps
        self._ca = dps.ca if ca is None else ca
        self._directory = dps.directory if directory is None else directory
        self._group_key = _new_key()
        self._made = 0

    def __call__(
        self,
        registration_id: str | None = None,
        *,
        attestation: Attestation = "x509",
        chain: bool = False,
        key_type: KeyType = "ec",
        group: bool = False,
        issue: bool = False,
        enrolled: bool = True,
        enrollment: Mapping[str, Any] | None = None,
    ) -> Device:
        """Make a device.

        Args:
            registration_id: None for a new one.
            attestation: Certificate, symmetric key, or a TPM in software.
            chain: Issue the certificate from an intermediate below `dps_ca`, which the device
                sends along, instead of from `dps_ca` itself.
            key_type: Of its certificate's key.
            group: Enroll it by a group instead of individually: `x509_group` for `dps_ca`,
                `symmetric_key_group` for derived keys.
            issue: Whether its enrollment has a policy by which it is issued a certificate, if it
                asks for one.
            enrolled: Whether to enroll it at all.
            enrollment: More members of the enrollment, or of the group, as the service API takes
                them: `{"provisioningStatus": "disabled"}`.

        Raises:
            ConfigurationError: If the registration id or a member of the enrollment is invalid, or
                a device with a TPM is to be in a group.
        """
        _check_attestation(attestation, group=group)
        self._made += 1
        name = registration_id or f"device-{self._made}"
        match attestation:
            case "x509":
                credential = self._issuer(name, chain=chain).device(name, key_type=key_type)
                device, mechanism = self._with_certificate(credential, name, group=group)
            case "symmetric_key":
                device, mechanism = self._with_key(name, group=group)
            case "tpm":
                device, mechanism = _with_tpm(name)

        if enrolled:
            group_id, own_id = (
                {"enrollmentGroupId": f"{attestation}_group"},
                {"registrationId": name},
            )
            named = group_id if group else own_id
            policy = _POLICY if issue else {}
            self._dps.enroll({**named, "attestation": mechanism, **policy, **(enrollment or {})})

        return device

    def _with_certificate(
        self, credential: Credential, name: str, *, group: bool
    ) -> tuple[Device, Mapping[str, Any]]:
        """Return a device, and the attestation mechanism of its enrollment or group."""
        signing = _x509("signingCertificates", self._ca)
        mechanism = signing if group else _x509("clientCertificates", credential)
        return self._write(credential, name), mechanism

    def _with_key(self, name: str, *, group: bool) -> tuple[Device, Mapping[str, Any]]:
        key = self._group_key if group else _new_key()
        device = self._write_key(derived_key(key, name) if group else key, name)
        keys = {"primaryKey": key, "secondaryKey": _new_key()}
        return device, {"type": "symmetricKey", "symmetricKey": keys}

    def _issuer(self, name: str, *, chain: bool) -> Authority:
        return self._ca.intermediate(f"above {name}"[:64]) if chain else self._ca

    def _write(self, credential: Credential, name: str) -> Device:
        certificate_file = self._directory / f"{self._made}_chain.pem"
        key_file = self._directory / f"{self._made}_key.pem"
        certificate_file.write_bytes(credential.chain_pem)
        key_file.touch(mode=0o600)
        key_file.write_bytes(credential.private_key_pem)
        return Device(registration_id=name, certificate_file=certificate_file, key_file=key_file)

    def _write_key(self, key: str, name: str) -> Device:
        path = self._directory / f"{self._made}_symmetric.key"
        path.touch(mode=0o600)
        path.write_text(key, encoding="utf-8")
        return Device(registration_id=name, symmetric_key=key, symmetric_key_file=path)


def _check_attestation(attestation: str, *, group: bool) -> None:
    kinds = get_args(Attestation)
    if attestation not in kinds:
        raise ConfigurationError(
            f"{attestation!r} is not an attestation",
            setting="attestation",
            hint=f"give one of {', '.join(kinds)}",
        )

    if attestation == "tpm" and group:
        raise ConfigurationError(
            "a device with a TPM cannot be enrolled by a group",
            setting="group",
            hint="leave group=True out: the service has individual enrollments only for TPMs",
        )


def _x509(kind: str, credential: Credential) -> dict[str, Any]:
    primary = {"certificate": credential.certificate_pem.decode()}
    return {"type": "x509", "x509": {kind: {"primary": primary}}}


def derived_key(group_key: str, registration_id: str) -> str:
    """Derive a device's key from its group's; both base64.

    Source: Microsoft Learn, "Symmetric key attestation", group enrollments.
    """
    return base64.b64encode(derive_key(base64.b64decode(group_key), registration_id)).decode()


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


def _with_tpm(name: str) -> tuple[Device, Mapping[str, Any]]:
    tpm = SoftwareTpm()
    endorsement_key = base64.b64encode(tpm.endorsement_key).decode()
    mechanism = {"type": "tpm", "tpm": {"endorsementKey": endorsement_key}}
    return Device(registration_id=name, tpm=tpm), mechanism

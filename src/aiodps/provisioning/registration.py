"""`PreparedRegistration`: the registration of one device, from the arguments to the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, final

import anyio

from aiodps.argument_types import check_type
from aiodps.assignments.cache import AssignmentCache, CacheEntry
from aiodps.attestation.credentials import Attestations
from aiodps.attestation.issuance.key_spec import KeySpec
from aiodps.errors import ProvisioningError
from aiodps.models import Assignment, JsonObject, Phase
from aiodps.observe import Observer, StepKind
from aiodps.protocol.identifiers import check_operation_id
from aiodps.protocol.payload_mask import PayloadMask
from aiodps.protocol.payloads import check_payload
from aiodps.provisioning.configuration import Configuration
from aiodps.provisioning.device import Device, Runner
from aiodps.registration.machine import Registration

if TYPE_CHECKING:
    from aiodps.attestation.issuance.request import CertificateRequest


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRegistration:
    """A registration that is checked and composed. Nothing was sent."""

    runner: Runner
    machine: Registration
    request: CertificateRequest | None
    """The request for a certificate; None if none is asked for."""
    entry: CacheEntry | None
    """Where the assignment is stored; None without a cache."""
    bypasses_cache: bool
    """Whether the device registers even if its assignment is stored."""

    @classmethod
    async def prepare(
        cls,
        configuration: Configuration,
        *,
        attestation: Attestations | None,
        registration_id: str | None,
        payload: JsonObject | None,
        issue: KeySpec | None,
        csr: str | bytes | None,
        cache: AssignmentCache | None,
        force: bool,
        on_step: Observer | None,
        operation_id: str | None,
    ) -> Self:
        """Check the arguments of `ProvisioningClient.provision`, and compose the registration.

        Raises:
            ConfigurationError: If an argument is not valid.
            CredentialError: If the device's credential cannot be used.
        """
        requested = configuration.requested_id(registration_id)
        try:
            device = await Device.load(configuration, attestation, requested)
            checked = check_payload(payload)
            check_type(issue, KeySpec | None, "issue")
            check_operation_id(operation_id)
            check_type(cache, AssignmentCache | None, "cache")
            check_type(force, bool, "force")
            request = await _certificate_request(
                device, issue, csr, resumed=operation_id is not None
            )
            runner = device.runner(
                on_step,
                needs_rest=device.credentials.has_tpm,
                mask=_payload_mask(device, checked),
                csr=request is not None,
            )
            entry = None if cache is None else await _entry(cache, runner, checked)
        except ProvisioningError as error:
            error.locate(registration_id=requested)
            raise

        machine = Registration(
            runner.params,
            payload=checked,
            csr=None if request is None else request.csr,
            operation_id=operation_id,
        )
        return cls(
            runner=runner,
            machine=machine,
            request=request,
            entry=entry,
            bypasses_cache=force or request is not None or operation_id is not None,
        )

    @property
    def registration_id(self) -> str:
        """The registration id of the device."""
        return self.runner.params.registration_id

    async def find_stored(self) -> Assignment | None:
        """Return the assignment that is stored; None if there is none, or it is not wanted."""
        if self.entry is None or self.bypasses_cache:
            return None

        return await self.entry.find(self.runner.credentials.assigned)

    async def register(self) -> Assignment:
        """Register the device, and return its assignment with the certificate it asked for.

        Raises:
            ProvisioningError: If the registration failed, or what the service returned for the
                TPM or as a certificate cannot be used.
        """
        runner = self.runner
        runner.report(StepKind.STARTED, Phase.CONFIGURATION, text=runner.target.endpoint)
        assignment = await runner.run(self.machine)
        try:
            await runner.credentials.assigned(assignment)
            issued = None if self.request is None else self.request.accept(assignment)
        except ProvisioningError as error:
            self.machine.locate(error.locate(phase=runner.report.phase), anyio.current_time())
            error.locate(transport=runner.report.transport)
            raise

        used = self._with_what_was_used(assignment)
        return used if issued is None else used.with_issued(issued)

    def _with_what_was_used(self, assignment: Assignment) -> Assignment:
        """Name the credential and the transport, which the machine does not know."""
        credential, transport = self.runner.credentials.index, self.runner.report.transport
        if (credential, transport) == (assignment.credential, assignment.transport):
            return assignment

        return replace(assignment, credential=credential, transport=transport)

    async def store(self, assignment: Assignment) -> None:
        """Store an assignment in the cache, if there is one."""
        if self.entry is not None:
            await self.entry.store(assignment)


async def _certificate_request(
    device: Device, issue: KeySpec | None, csr: str | bytes | None, *, resumed: bool
) -> CertificateRequest | None:
    spec = device.configuration.settings.issue if issue is None else issue
    if spec is None and csr is None:
        return None

    from aiodps.attestation.issuance import request  # noqa: PLC0415 (loads cryptography)

    return await request.certificate_request(
        spec, csr, registration_id=device.registration_id, resumed=resumed
    )


def _payload_mask(device: Device, payload: JsonObject | None) -> PayloadMask:
    ours = device.configuration
    public = [device.registration_id, ours.settings.endpoint, ours.id_scope]
    return PayloadMask(payload, public=public)


async def _entry(cache: AssignmentCache, runner: Runner, payload: JsonObject | None) -> CacheEntry:
    return await CacheEntry.of(
        cache, runner.target, runner.credentials.usable, payload, runner.params.hub_suffixes
    )

"""The look-up of one device's registration record, from the arguments to the result."""

from __future__ import annotations

from aiodps.attestation.credentials import Attestations
from aiodps.errors import ProvisioningError
from aiodps.models import Phase, RegistrationRecord
from aiodps.observe import Observer, StepKind
from aiodps.provisioning.configuration import Configuration
from aiodps.provisioning.device import Device
from aiodps.registration.status_look_up import StatusLookUp


async def look_up(
    configuration: Configuration,
    *,
    attestation: Attestations | None,
    registration_id: str | None,
    on_step: Observer | None,
) -> RegistrationRecord:
    """Look up one device; see `aiodps.registration_status` for arguments and errors."""
    requested = configuration.requested_id(registration_id)
    try:
        device = await Device.load(configuration, attestation, requested)
        runner = device.runner(on_step, needs_rest=True, look_up=True)
    except ProvisioningError as error:
        error.locate(registration_id=requested)
        raise

    runner.report(StepKind.LOOK_UP_STARTED, Phase.CONFIGURATION, text=runner.target.endpoint)
    return await runner.run(StatusLookUp(runner.params))

"""The public interface: `provision`, `registration_status` and `ProvisioningClient`.

What a client composes is in `provisioning`. What runs a registration is imported by the first one:
`import aiodps` must be fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self, Unpack

from aiodps.assignments.cache import AssignmentCache
from aiodps.attestation.credentials import Attestations
from aiodps.attestation.issuance.key_spec import KeySpec
from aiodps.models import Assignment, JsonObject, RegistrationRecord
from aiodps.observe import Observer
from aiodps.provisioning.configuration import Configuration
from aiodps.provisioning.in_progress import InProgress
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings, SettingsArguments


async def provision(
    *,
    attestation: Attestations | None = None,
    payload: JsonObject | None = None,
    csr: str | bytes | None = None,
    cache: AssignmentCache | None = None,
    force: bool = False,
    retry: RetryPolicy | None = None,
    on_step: Observer | None = None,
    config: str | Path | None = None,
    **settings: Unpack[SettingsArguments],
) -> Assignment:
    """Provision one device: register it, wait until it is assigned, and return the assignment.

    Args:
        attestation: How the device authenticates, or a list in order: the next is tried if the
            service refuses the credential, or if a certificate has expired. None to load the
            files named by the settings `certificate`, `symmetric_key_file` or `group_key_file`,
            or the TPM named by `tpm`, and the files named by settings with `secondary_`.
        payload: A JSON object for the custom allocation webhook; None to send none.
        csr: A certificate request for a key of the caller: PKCS#10 in base64 of DER, or as DER.
            None to ask for no certificate, or to have the request made (`issue=KeySpec()`). The
            certificate is `Assignment.issued`.
        cache: Stores the assignment. If it has one for this device, credential and payload, that
            is returned and nothing is sent. None to register in any case, as does a device that
            asks for a certificate.
        force: Register even if the cache has an assignment, and store the new one: after
            `should_reprovision`.
        retry: When and how often to retry; None for `RetryPolicy()`.
        on_step: Called with each `Step` as it happens.
        config: TOML file with settings; None for the one named by `AIODPS_CONFIG`, if any.
        **settings: `id_scope`, `transport`, `timeout` and all others of `Settings`. If one is
            missing or None, the environment (`AIODPS_*`) applies, then the settings file, then
            the default.

    Raises:
        ConfigurationError: If an argument or setting is not valid. Nothing was sent.
        CredentialError: If the device's credential cannot be used. Nothing was sent.
        IssuanceError: If the device is assigned, but did not get the certificate it asked for.
        ProvisioningError: For everything else, as one of its subclasses; see `aiodps.errors`.
    """
    client = ProvisioningClient(retry=retry, config=config, **settings)
    return await client.provision(
        attestation=attestation,
        payload=payload,
        csr=csr,
        cache=cache,
        force=force,
        on_step=on_step,
    )


async def registration_status(
    *,
    attestation: Attestations | None = None,
    retry: RetryPolicy | None = None,
    on_step: Observer | None = None,
    config: str | Path | None = None,
    **settings: Unpack[SettingsArguments],
) -> RegistrationRecord:
    """Look up the service's record of one device; changes nothing, and is not billed.

    One request over REST, which is the only transport that has it: "auto" is "rest" here. The
    device authenticates as if it registered. The status may be any: a registration that failed,
    or a disabled enrollment, is a result and not an error.

    Args:
        attestation: See `provision`.
        retry: See `provision`.
        on_step: See `provision`.
        config: See `provision`.
        **settings: See `provision`.

    Raises:
        NotFoundError: If the service has no record: the device has never registered, its record
            was deleted, or id scope or registration id are wrong.
        ConfigurationError: If an argument or setting is not valid, or the transport is MQTT.
            Nothing was sent.
        ProvisioningError: For everything else, as one of its subclasses; see `aiodps.errors`.
    """
    client = ProvisioningClient(retry=retry, config=config, **settings)
    return await client.registration_status(attestation=attestation, on_step=on_step)


class ProvisioningClient:
    """A client that is configured once and provisions any number of devices.

    A client holds settings, but no socket, task or thread. It does not have to be closed, may be
    shared by tasks, event loops and threads, and provisions any number of devices concurrently.
    Only concurrent registrations of the same registration id are rejected.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        seed: int | None = None,
        config: str | Path | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """See `provision`; `seed` makes the jitter reproducible, None draws a random one."""
        loaded = Settings.load(config=config, **settings)
        self._configure(Configuration(loaded, retry=retry, seed=seed))

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        seed: int | None = None,
        loud: bool = True,
    ) -> Self:
        """Create a client from settings that are loaded already.

        If it is not `loud`, assignments and retries are logged at DEBUG only, for callers that
        provision many devices and count them instead.
        """
        client = cls.__new__(cls)
        configuration = Configuration(settings, retry=retry, seed=seed, loud=loud)
        client._configure(configuration)  # noqa: SLF001 (its own)
        return client

    def _configure(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._in_progress = InProgress()
        self.settings: Settings = configuration.settings
        self.retry: RetryPolicy = configuration.retry
        self.seed: int = configuration.seed

    def __repr__(self) -> str:
        """Return endpoint, id scope and transport, for debugging."""
        settings = self.settings
        return (
            f"<ProvisioningClient {settings.endpoint} {settings.id_scope} {settings.transport!r}>"
        )

    async def provision(
        self,
        *,
        attestation: Attestations | None = None,
        registration_id: str | None = None,
        payload: JsonObject | None = None,
        issue: KeySpec | None = None,
        csr: str | bytes | None = None,
        cache: AssignmentCache | None = None,
        force: bool = False,
        on_step: Observer | None = None,
        operation_id: str | None = None,
    ) -> Assignment:
        """Provision one device; see `aiodps.provision` for arguments and errors.

        `issue` is the key to make for a certificate, None for the setting of that name.
        `operation_id` is an operation that an earlier process started and did not finish: it is
        polled, which is free, and a register request is sent only if the service has forgotten
        it.
        """
        from aiodps.provisioning.registration import (  # noqa: PLC0415 (see above)
            PreparedRegistration,
        )

        registration = await PreparedRegistration.prepare(
            self._configuration,
            attestation=attestation,
            registration_id=registration_id,
            payload=payload,
            issue=issue,
            csr=csr,
            cache=cache,
            force=force,
            on_step=on_step,
            operation_id=operation_id,
        )
        with self._in_progress.only(registration.registration_id):
            stored = await registration.find_stored()
            if stored is not None:
                return stored

            assignment = await registration.register()
            await registration.store(assignment)
            return assignment

    async def registration_status(
        self,
        *,
        attestation: Attestations | None = None,
        registration_id: str | None = None,
        on_step: Observer | None = None,
    ) -> RegistrationRecord:
        """Look up one device; see `aiodps.registration_status` for arguments and errors.

        It may be called while the same device registers.
        """
        from aiodps.provisioning.look_up import look_up  # noqa: PLC0415 (see above)

        return await look_up(
            self._configuration,
            attestation=attestation,
            registration_id=registration_id,
            on_step=on_step,
        )

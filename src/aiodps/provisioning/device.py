"""`Device`: one device of a client, and what its state machines are run with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self, final

from aiodps.argument_types import check_callable
from aiodps.attestation.credentials import Attestations, Credentials
from aiodps.errors import ProvisioningError, RegistrationFailedError, UnauthorizedError
from aiodps.observe import Observer, Reporter
from aiodps.provisioning.configuration import Configuration
from aiodps.registration.actions import R
from aiodps.registration.driver import drive
from aiodps.registration.retrying import RequestParams, RetryingMachine
from aiodps.settings import Settings
from aiodps.transports.base import Target, Transport


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A registration id, and the credentials that are checked for it."""

    configuration: Configuration
    registration_id: str
    credentials: Credentials

    @classmethod
    async def load(
        cls, configuration: Configuration, attestation: Attestations | None, requested: str | None
    ) -> Self:
        """Check the credentials of a device.

        Args:
            configuration: Of the client.
            attestation: The credentials; None to load those that the settings name.
            requested: Registration id of the device; None for that of its first credential.

        Raises:
            ConfigurationError: If there is no credential, or no registration id.
            CredentialError: If a credential cannot be used.
        """
        settings = configuration.settings
        if attestation is None:
            from aiodps.attestation.files import (  # noqa: PLC0415 (loads cryptography)
                load_attestations,
            )

            values = {each.name: getattr(settings, each.name) for each in fields(Settings)}
            attestation = await load_attestations(values, requested)

        credentials = Credentials(attestation)
        name = credentials.registration_id_or(requested)
        credentials.check(registration_id=name, wall_time=time.time())
        credentials.check_contexts(trust=settings.trust)
        return cls(configuration=configuration, registration_id=name, credentials=credentials)

    def runner(
        self,
        on_step: Observer | None,
        *,
        needs_rest: bool,
        mask: Callable[[str], str] | None = None,
        csr: bool = False,
        look_up: bool = False,
    ) -> Runner:
        """Open a transport for this device; it is not connected yet.

        Args:
            on_step: Observes the steps; None for nobody.
            needs_rest: Whether it is for what only rest has.
            mask: Masks what must not be shown in steps; None for nothing.
            csr: Whether the device asks for a certificate.
            look_up: Whether its registration record is looked up.

        Raises:
            ConfigurationError: If the observer is not a function, or the transport cannot do what
                it is for.
        """
        check_callable(on_step, "on_step")
        ours = self.configuration
        factory = ours.transport(needs_rest=needs_rest)
        report = Reporter(self.registration_id, factory.name, on_step, mask, ours.loud)
        target = self._target(report, csr=csr, look_up=look_up)
        return Runner(
            params=self._params(factory.name),
            target=target,
            transport=factory.open(target),
            credentials=self.credentials,
        )

    def _target(self, report: Reporter, *, csr: bool, look_up: bool) -> Target:
        ours, settings = self.configuration, self.configuration.settings
        return Target(
            endpoint=settings.endpoint,
            address=settings.address,
            proxy=ours.proxy,
            id_scope=ours.id_scope,
            registration_id=self.registration_id,
            attestation=self.credentials,
            trust=ours.trust,
            report=report,
            timeout=settings.timeout,
            csr=csr,
            look_up=look_up,
        )

    def _params(self, transport: str) -> RequestParams:
        ours, settings = self.configuration, self.configuration.settings
        return RequestParams(
            registration_id=self.registration_id,
            transport=transport,
            timeout=settings.timeout,
            exchange_timeout=settings.exchange_timeout,
            retry=ours.retry,
            seed=ours.seed,
            hub_suffixes=settings.hub_suffixes,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs the state machine of one device."""

    params: RequestParams
    """The parameters of the machine."""
    target: Target
    transport: Transport
    """Opened for the target."""
    credentials: Credentials
    """The attestation of the target."""

    @property
    def report(self) -> Reporter:
        """The reporter of the steps."""
        return self.target.report

    async def run(self, machine: RetryingMachine[R]) -> R:
        """Run a machine to its end, close the transport, and return the result.

        Raises:
            ProvisioningError: If it failed; it names the transport that was used, and remarks
                about a refused certificate.
        """
        try:
            return await drive(
                machine, self.transport, self.report, self.credentials.reauthenticate
            )
        except ProvisioningError as error:
            error.locate(transport=self.report.transport)
            if isinstance(error, UnauthorizedError | RegistrationFailedError):
                self.credentials.add_remarks(error)

            raise

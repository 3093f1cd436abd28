"""The public interface: `provision`, `registration_status` and `ProvisioningClient`.

They validate and compose. What runs a registration is imported by the first: who only imports
`provision` has not to wait for it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import anyio

from aiodps.argument_types import check_callable, check_type
from aiodps.assignments.cache import AssignmentCache, CacheEntry
from aiodps.attestation.base import Attestation
from aiodps.attestation.credentials import Attestations, Credentials
from aiodps.attestation.issuance.key_spec import KeySpec
from aiodps.errors import (
    ConfigurationError,
    ProvisioningError,
    RegistrationFailedError,
    UnauthorizedError,
    UsageError,
)
from aiodps.models import Assignment, JsonObject, Phase, RegistrationRecord
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.observe import Observer, Reporter, StepKind
from aiodps.protocol.identifiers import check_operation_id
from aiodps.protocol.payload_mask import PayloadMask
from aiodps.protocol.payloads import check_payload
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings, SettingsArguments
from aiodps.transports import transport_by_name
from aiodps.transports.base import AUTO, Target, Transport, TransportFactory

if TYPE_CHECKING:
    from aiodps.attestation.issuance.request import CertificateRequest
    from aiodps.registration.machine import Registration


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
        attestation: How the device authenticates, or a list of ways in order: the next is tried if
            the service refuses one for what it is, or if a certificate has expired. None to load
            the files named by the settings `certificate`, `symmetric_key_file` or
            `group_key_file`, or the TPM named by `tpm`, and the files named with `secondary_`.
        payload: A JSON object for the custom allocation webhook; None to send none.
        csr: A request for a certificate that the caller made and has the key of: PKCS#10 in base64
            of DER, or as DER; None to ask for none, or to have it made (`issue=KeySpec()`). The
            certificate is `Assignment.issued`.
        cache: Where the assignment is stored, and taken from if there is one for this device,
            credential and payload: nothing is sent then. None to register in any case, as does
            a device that asks for a certificate.
        force: Register even if there is one, and store the new one: after `should_reprovision`.
        retry: When and how often to retry; None for `RetryPolicy()`.
        on_step: Called with each `Step` as it happens.
        config: TOML file with settings; None for the one named by `AIODPS_CONFIG`, if any.
        **settings: `id_scope`, `transport`, `timeout` and all others of `Settings`. If one is
            missing or None, the environment (`AIODPS_*`) applies, then the settings file, then
            the default.

    Raises:
        ConfigurationError: If an argument or setting is not valid. Nothing was sent.
        CredentialError: If the device's credential cannot be used. Nothing was sent.
        IssuanceError: If the device is assigned, but has not got the certificate it asked for.
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
    """Look up how the service's record of one device stands; changes nothing, and is not billed.

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
        self._set_up(Settings.load(config=config, **settings), retry, seed)

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

        If it is not `loud`, assignments and retries are logged at DEBUG only: whoever provisions
        many devices counts them instead.
        """
        client = cls.__new__(cls)
        client._set_up(settings, retry, seed, loud=loud)  # noqa: SLF001 (its own)
        return client

    def _set_up(
        self, settings: Settings, retry: RetryPolicy | None, seed: int | None, *, loud: bool = True
    ) -> None:
        check_type(settings, Settings, "settings")
        check_type(retry, RetryPolicy | None, "retry")
        check_type(seed, int | None, "seed")
        self._loud = loud
        self.settings = settings
        self.retry: RetryPolicy = RetryPolicy() if retry is None else retry
        self.seed: int = secrets.randbits(64) if seed is None else seed
        self._id_scope = _require_id_scope(settings)
        self._trust = Trust.of(settings.trust)
        self._proxy = Proxy.load(settings.proxy, settings.proxy_password_file)
        self._race: TransportFactory | None = None
        self._in_progress: set[str] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Return endpoint, id scope and transport, for debugging."""
        settings = self.settings
        return f"<ProvisioningClient {settings.endpoint} {self._id_scope} {settings.transport!r}>"

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
        from aiodps.registration.machine import (  # noqa: PLC0415 (see above)
            Registration,
            RegistrationParams,
        )

        requested = self.settings.registration_id if registration_id is None else registration_id
        try:
            credentials, name = await self._credentials(attestation, requested)
            checked = check_payload(payload)
            check_callable(on_step, "on_step")
            check_type(issue, KeySpec | None, "issue")
            check_operation_id(operation_id)
            check_type(cache, AssignmentCache | None, "cache")
            check_type(force, bool, "force")
            request = await _certificate_request(
                self.settings.issue if issue is None else issue,
                csr,
                registration_id=name,
                resumed=operation_id is not None,
            )
            factory = self._factory(needs_rest=credentials.has_tpm)
            mask = PayloadMask(checked, public=[name, self.settings.endpoint, self._id_scope])
            report = Reporter(name, factory.name, on_step, mask, self._loud)
            target = self._target(name, credentials, report, csr=request is not None)
            entry = None
            if cache is not None:
                entry = await CacheEntry.of(
                    cache, target, credentials.usable, checked, self.settings.hub_suffixes
                )

            transport = factory.open(target)
        except ProvisioningError as error:
            error.locate(registration_id=requested)
            raise

        with self._exclusive(name):
            anew = force or request is not None or operation_id is not None
            if entry is not None and not anew:
                stored = await entry.find(credentials.assigned)
                if stored is not None:
                    return stored

            params = RegistrationParams(
                **self._params(name, factory.name),
                payload=checked,
                csr=None if request is None else request.csr,
                operation_id=operation_id,
            )
            machine = Registration(params)
            report(StepKind.STARTED, Phase.CONFIGURATION, text=self.settings.endpoint)
            assignment = await _register(machine, transport, report, credentials, request)
            if entry is not None:
                await entry.store(assignment)

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
        from aiodps.registration.driver import drive  # noqa: PLC0415 (see above)
        from aiodps.registration.retrying import RequestParams  # noqa: PLC0415
        from aiodps.registration.status_look_up import StatusLookUp  # noqa: PLC0415

        requested = self.settings.registration_id if registration_id is None else registration_id
        try:
            credentials, name = await self._credentials(attestation, requested)
            check_callable(on_step, "on_step")
            factory = self._factory(needs_rest=True)
            report = Reporter(name, factory.name, on_step, loud=self._loud)
            transport = factory.open(self._target(name, credentials, report, look_up=True))
        except ProvisioningError as error:
            error.locate(registration_id=requested)
            raise

        machine = StatusLookUp(RequestParams(**self._params(name, factory.name)))
        report(StepKind.LOOK_UP_STARTED, Phase.CONFIGURATION, text=self.settings.endpoint)
        try:
            return await drive(machine, transport, report, credentials.reauthenticate)
        except UnauthorizedError as error:
            credentials.add_remarks(error)
            raise

    async def _credentials(
        self, attestation: Attestations | None, requested: str | None
    ) -> tuple[Credentials, str]:
        """Return checked credentials, and the registration id that they are for."""
        if attestation is None:
            from aiodps.attestation.files import load_attestations  # noqa: PLC0415 (see above)

            settings = {each.name: getattr(self.settings, each.name) for each in fields(Settings)}
            attestation = await load_attestations(settings, requested)

        credentials = Credentials(attestation)
        name = credentials.registration_id_or(requested)
        credentials.check(registration_id=name, wall_time=time.time())
        credentials.check_contexts(trust=self.settings.trust)
        return credentials, name

    def _target(
        self,
        name: str,
        attestation: Attestation,
        report: Reporter,
        *,
        csr: bool = False,
        look_up: bool = False,
    ) -> Target:
        return Target(
            endpoint=self.settings.endpoint,
            address=self.settings.address,
            proxy=self._proxy,
            id_scope=self._id_scope,
            registration_id=name,
            attestation=attestation,
            trust=self._trust,
            report=report,
            timeout=self.settings.timeout,
            csr=csr,
            look_up=look_up,
        )

    def _params(self, name: str, transport: str) -> dict[str, Any]:
        """Return the arguments of `RequestParams`."""
        return {
            "registration_id": name,
            "transport": transport,
            "timeout": self.settings.timeout,
            "exchange_timeout": self.settings.exchange_timeout,
            "retry": self.retry,
            "seed": self.seed,
            "hub_suffixes": self.settings.hub_suffixes,
        }

    def _factory(self, *, needs_rest: bool) -> TransportFactory:
        settings = self.settings
        match settings.transport:
            case str(name):
                made = transport_by_name(
                    name, port=settings.port, needs_rest=needs_rest, session=settings.mqtt_session
                )
                if made.name != AUTO:
                    return made

                self._race = self._race or made  # it remembers its winners
                return self._race
            case factory if settings.port is None:
                return factory
            case factory:
                raise ConfigurationError(
                    f"port cannot be combined with the transport {factory!r}, which has its own",
                    setting="port",
                    hint="set the port of the transport instead",
                )

    @contextmanager
    def _exclusive(self, registration_id: str) -> Iterator[None]:
        """Reject a second registration of the same id: it would take over the MQTT session."""
        name = registration_id.casefold()
        with self._lock:
            if name in self._in_progress:
                raise UsageError(
                    f"this client is registering {registration_id!r} already",
                    hint="await the first registration, or use a separate id for each device",
                ).locate(registration_id=registration_id)

            self._in_progress.add(name)

        try:
            yield
        finally:
            with self._lock:
                self._in_progress.discard(name)


async def _certificate_request(
    spec: KeySpec | None, csr: str | bytes | None, *, registration_id: str, resumed: bool
) -> CertificateRequest | None:
    if spec is None and csr is None:
        return None

    from aiodps.attestation.issuance import request  # noqa: PLC0415 (see above)

    return await request.certificate_request(
        spec, csr, registration_id=registration_id, resumed=resumed
    )


async def _register(
    machine: Registration,
    transport: Transport,
    report: Reporter,
    credentials: Credentials,
    request: CertificateRequest | None,
) -> Assignment:
    from aiodps.registration.driver import drive  # noqa: PLC0415 (see above)

    try:
        assignment = await drive(machine, transport, report, credentials.reauthenticate)
    except ProvisioningError as error:
        error.locate(transport=report.transport)
        if isinstance(error, UnauthorizedError | RegistrationFailedError):
            credentials.add_remarks(error)

        raise

    try:
        await credentials.assigned(assignment)
        issued = None if request is None else request.accept(assignment)
    except ProvisioningError as error:
        machine.locate(error.locate(phase=report.phase), anyio.current_time())
        error.locate(transport=report.transport)
        raise

    if credentials.index or report.transport != assignment.transport:
        index, transport_used = credentials.index, report.transport
        assignment = replace(assignment, credential=index, transport=transport_used)

    return assignment if issued is None else assignment.with_issued(issued)


def _require_id_scope(settings: Settings) -> str:
    if settings.id_scope is not None:
        return settings.id_scope

    raise ConfigurationError(
        "no id scope was given",
        setting="id_scope",
        hint="give id_scope= (--id-scope), or set AIODPS_ID_SCOPE",
    )

"""The public face: `provision` and `ProvisioningClient` validate and compose, nothing else."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, Unpack

from aiodps.attestation.base import Attestation, OwnContext
from aiodps.attestation.x509 import X509
from aiodps.credential_files import read_password
from aiodps.errors import ConfigurationError, ProvisioningError, UsageError
from aiodps.models import Assignment, JsonObject
from aiodps.network.trust import Trust
from aiodps.observe import Observer, Reporter, Step, log_step
from aiodps.protocol.identifiers import check_registration_id
from aiodps.protocol.payloads import check_payload, is_operation_id
from aiodps.registration.driver import drive
from aiodps.registration.machine import Registration, RegistrationParams
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings, SettingsArguments
from aiodps.transports import transport_by_name
from aiodps.transports.base import Target, TransportFactory

_log = logging.getLogger("aiodps.registration")


async def provision(
    *,
    attestation: Attestation | None = None,
    payload: JsonObject | None = None,
    retry: RetryPolicy | None = None,
    on_step: Observer | None = None,
    config: str | Path | None = None,
    **settings: Unpack[SettingsArguments],
) -> Assignment:
    """Provision one device: register it, wait until it is assigned, say where.

    Args:
        attestation: How the device proves who it is; None to load the files that the settings
            `certificate`, `private_key` and `key_password_file` name.
        payload: A JSON object for the custom allocation webhook; None to send none.
        retry: When to try again; None for `RetryPolicy()`.
        on_step: Called with each `Step` as it happens.
        config: TOML file with settings; None for the one that `AIODPS_CONFIG` names, if any.
        **settings: `id_scope`, `transport`, `timeout` and all others of `Settings`. One that is
            left out or None is taken from `AIODPS_*` in the environment, else from the settings
            file, else from its default.

    Raises:
        ConfigurationError: If an argument or setting is not allowed. Nothing was sent.
        CredentialError: If the device cannot prove who it is. Nothing was sent.
        ProvisioningError: One of its classes for everything else; see `aiodps.errors`.
    """
    client = ProvisioningClient(retry=retry, config=config, **settings)
    return await client.provision(attestation=attestation, payload=payload, on_step=on_step)


class ProvisioningClient:
    """The same, configured once for any number of devices.

    A client holds settings and nothing else: no socket, task or thread. It needs no closing, may
    be shared by any number of tasks, event loops and threads, and provisions any number of
    devices at once; two registrations of the same registration id at once are refused.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        seed: int | None = None,
        config: str | Path | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """See `provision`; `seed` makes the jitter repeatable, None draws one."""
        self._set_up(Settings.load(config=config, **settings), retry=retry, seed=seed)

    @classmethod
    def from_settings(
        cls, settings: Settings, *, retry: RetryPolicy | None = None, seed: int | None = None
    ) -> Self:
        """Make a client from settings that are loaded already."""
        client = cls.__new__(cls)
        client._set_up(settings, retry=retry, seed=seed)  # noqa: SLF001 (its own)
        return client

    def _set_up(self, settings: Settings, *, retry: RetryPolicy | None, seed: int | None) -> None:
        self.settings = settings
        self.retry: RetryPolicy = retry or RetryPolicy()
        self.seed: int = secrets.randbits(64) if seed is None else seed
        self._id_scope = _needed_id_scope(settings)
        self._trust = Trust.of(settings.trust)
        self._under_way: set[str] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Tell where the client goes, for debugging."""
        settings = self.settings
        return f"<ProvisioningClient {settings.endpoint} {self._id_scope} {settings.transport!r}>"

    async def provision(
        self,
        *,
        attestation: Attestation | None = None,
        registration_id: str | None = None,
        payload: JsonObject | None = None,
        on_step: Observer | None = None,
        operation_id: str | None = None,
    ) -> Assignment:
        """Provision one device; see `aiodps.provision` for arguments and errors.

        `operation_id` names an operation that an earlier process began and did not see the end
        of: it is polled, which is free, and only if the service has forgotten it the device is
        registered again.
        """
        wanted = self.settings.registration_id if registration_id is None else registration_id
        try:
            attestation = attestation or _attestation_from_files(self.settings)
            name = _registration_id(attestation, wanted)
            attestation.check(registration_id=name, wall_time=time.time())
            checked = check_payload(payload)
            _check_operation_id(operation_id)
            self._check_trust(attestation)
            factory = _factory(self.settings)
            report = Reporter(name, factory.name, _observer(on_step))
            transport = factory.open(self._target(name, attestation, report))
        except ProvisioningError as error:
            error.locate(registration_id=wanted)
            raise

        with self._alone(name):
            machine = Registration(self._plan(name, checked, factory.name, operation_id))
            return await drive(machine, transport, report)

    def _target(self, name: str, attestation: Attestation, report: Reporter) -> Target:
        return Target(
            endpoint=self.settings.endpoint,
            id_scope=self._id_scope,
            registration_id=name,
            attestation=attestation,
            trust=self._trust,
            report=report,
            timeout=self.settings.timeout,
        )

    def _plan(
        self, name: str, payload: JsonObject | None, transport: str, operation_id: str | None
    ) -> RegistrationParams:
        return RegistrationParams(
            registration_id=name,
            transport=transport,
            payload=payload,
            timeout=self.settings.timeout,
            exchange_timeout=self.settings.exchange_timeout,
            retry=self.retry,
            seed=self.seed,
            hub_suffixes=self.settings.hub_suffixes,
            operation_id=operation_id,
        )

    def _check_trust(self, attestation: Attestation) -> None:
        identity = attestation.tls_identity()
        if isinstance(identity, OwnContext) and self.settings.trust is not None:
            raise ConfigurationError(
                "trust cannot be given together with an SSLContext, which has its own",
                setting="trust",
                hint="load the CA into the SSLContext instead",
            )

    @contextmanager
    def _alone(self, registration_id: str) -> Iterator[None]:
        """Keep a second registration of the same id out: it would take over the MQTT session."""
        name = registration_id.casefold()
        with self._lock:
            if name in self._under_way:
                raise UsageError(
                    f"{registration_id!r} is being registered by this client already",
                    hint="await the first registration, or give each device an id of its own",
                ).locate(registration_id=registration_id)

            self._under_way.add(name)

        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(name)


def _needed_id_scope(settings: Settings) -> str:
    if settings.id_scope is not None:
        return settings.id_scope

    raise ConfigurationError(
        "no id scope was given",
        setting="id_scope",
        hint="give id_scope= (--id-scope), or set AIODPS_ID_SCOPE",
    )


def _attestation_from_files(settings: Settings) -> Attestation:
    if settings.certificate is None:
        raise ConfigurationError(
            "the device has nothing to prove who it is with",
            setting="attestation",
            hint="give attestation=X509.from_files(...) (--cert), or set AIODPS_CERTIFICATE",
        )

    file = settings.key_password_file
    password = None if file is None else read_password(file, setting="key_password_file")
    return X509.from_files(settings.certificate, settings.private_key, password=password)


def _check_operation_id(operation_id: str | None) -> None:
    if operation_id is not None and not is_operation_id(operation_id):
        raise ConfigurationError(
            f"{ascii(operation_id)[:60]} is no operation id",
            setting="operation_id",
            hint="give the id that the service answered the register request with",
        )


def _registration_id(attestation: Attestation, wanted: str | None) -> str:
    name = attestation.registration_id if wanted is None else wanted
    if name is None:
        raise ConfigurationError(
            "no registration id was given, and the SSLContext does not tell its certificate's",
            setting="registration_id",
            hint="give registration_id= (--registration-id), the CN of the certificate",
        )

    return check_registration_id(name)


def _factory(settings: Settings) -> TransportFactory:
    match settings.transport:
        case str(name):
            return transport_by_name(name, port=settings.port)
        case factory if settings.port is None:
            return factory
        case factory:
            raise ConfigurationError(
                f"port is set, but the transport {factory!r} has a port of its own",
                setting="port",
                hint="give the port to the transport",
            )


def _observer(on_step: Observer | None) -> Observer | None:
    """Add logging to the caller's observer, if anybody reads the log."""
    if not _log.isEnabledFor(logging.DEBUG):
        return on_step

    if on_step is None:
        return log_step

    def both(step: Step) -> None:
        log_step(step)
        on_step(step)

    return both

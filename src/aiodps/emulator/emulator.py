"""The emulator as a whole: `async with Emulator() as dps:`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import anyio
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.admin.api import AdminApi
from aiodps.emulator.admin.metrics import Metrics
from aiodps.emulator.admin.page.page import Page
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.admin.server import HOST as ADMIN_HOST
from aiodps.emulator.admin.server import AdminPort
from aiodps.emulator.azure_api.access_policies import Access, AccessPolicy
from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.connections.hosts import check_host, reachable_name
from aiodps.emulator.connections.tls import server_context
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.faults.presets import plan
from aiodps.emulator.identity import InstanceIdentity
from aiodps.emulator.ports import Ports
from aiodps.emulator.request_log.json_lines import write_to
from aiodps.emulator.request_log.log import Counts, Exchange, ExchangeListener, RequestLog
from aiodps.emulator.service.enrollments.store import Enrollment
from aiodps.emulator.service.issuance.issuers import ISSUED_DAYS
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.sqlite import SqliteStore
from aiodps.emulator.state.store import MemoryStore, Store, StoreError
from aiodps.emulator.webhook_client import Webhooks
from aiodps.errors import ConfigurationError
from aiodps.pki import Credential

log: Final = logging.getLogger(__name__)

LONGEST_WAIT: Final = 366 * 86400
"""Seconds; more than any test waits, and within the range of dates."""


class Emulator:
    """A Device Provisioning Service on this machine, with real ports and real TLS.

        async with Emulator(enrollments=[...]) as dps:
            ...  # dps.host, dps.https_port, dps.mqtt_port, dps.ca_pem

    Runs during the block, on asyncio or trio; nothing is left after it.

    Args:
        id_scope: Id scope of the instance; None for that of the state file, or `0ne00000000`.
        hub: IoT hub that devices are assigned to, unless their enrollment names another.
        host: Address to listen on.
        https_port: Port of HTTPS; 0 for any free one.
        mqtt_port: Port of MQTT; 0 for any free one.
        assign_after: Seconds from a register request to the assignment; with 0 the response
            is still `assigning`, as it always is.
        retry_after: Whole seconds that devices are asked to wait.
        throttle: Enforce the service's published limits: 1,000 registrations a minute, 5 polls
            in 10 seconds for each device, 1,000 service API requests a minute.
        remember_keys: Remember the symmetric key that a device registers with for 30 minutes,
            and refuse its other key meanwhile, as the service was seen to do.
        issued_days: Validity of certificates that are issued to devices of enrollments with an
            `issuance` policy.
        strict: Refuse what the service merely tolerates, as listed in `strict_rules`; each
            refusal names its rule.
        enrollments: Initial individual enrollments and groups, unless the state file has them;
            `read_enrollments` reads them from JSON as the service API writes it.
        linked_hubs: More IoT hubs, each as `host` or, with its share of the devices that are
            hashed, as `host=weight`.
        webhook_ca: PEM file with the CAs to trust for custom allocation webhooks; None for
            the system's.
        service_key: Primary key of the owner's policy, in base64; None to generate one.
        access_policies: More policies for the service API; `NAME=RIGHT,RIGHT` makes one whose
            keys are new at each start.
        server_names: Names and addresses in the server's certificate, in addition to the host's,
            `localhost` and `127.0.0.1`; with `admin_host`, names of the admin port as well.
        server_credential: Certificate and key of the server, in place of those that the emulator's
            own CA issues; its intermediates are sent along, and `ca_pem` is the last of them.
        beyond_loopback: Allow hosts that other machines can reach. Anyone who reaches it
            can register devices and upload certificates.
        on_exchange: Called with each request and its response, before the response is sent.
        faults: Faults on demand: a plan, or TOML as in a fault file.
        harsh: Add faults that every client must cope with.
        seed: Seed of all fault draws; None for the plan's own.
        log_json: File to which each request is appended as a line of JSON, as `json_lines`
            describes it; `-` for standard output.
        admin_port: Port of the admin API and page; 0 for any free one, None for none.
        admin_host: Address that the admin port listens on.
        state: File that keeps all state except the request log over a restart or crash; created
            if it does not exist. None to keep it in memory only.

    Raises:
        ConfigurationError: If a value is invalid, the host is reachable from other machines
            and that is not allowed, or the state file is in use, is not a state file or
            belongs to another id scope.
    """

    host: str
    """Address it listens on."""
    https_port: int
    """Port of HTTPS; the actual one once the emulator runs."""
    mqtt_port: int
    """Port of MQTT; the actual one once the emulator runs."""
    counts: Counts
    """Numbers of requests and responses so far."""
    request_log: RequestLog
    """The latest requests with their responses."""
    faults: FaultInjector
    """The faults on demand; a new `plan` applies at once."""
    admin: AdminPort | None
    """The admin port, its address and token; None unless it is open."""
    ca_pem: bytes
    """The CA of the server's certificate, for clients to trust."""
    service: Service
    """The service itself, for enrollments and certificates."""

    def __init__(
        self,
        *,
        id_scope: str | None = None,
        hub: str = "emulated-hub.azure-devices.net",
        host: str = "127.0.0.1",
        https_port: int = 0,
        mqtt_port: int = 0,
        assign_after: float = 0.0,
        retry_after: int = 3,
        throttle: bool = False,
        remember_keys: bool = False,
        issued_days: float = ISSUED_DAYS,
        strict: bool = False,
        enrollments: Iterable[Enrollment] = (),
        linked_hubs: Iterable[str] = (),
        webhook_ca: str | Path | None = None,
        service_key: str | None = None,
        access_policies: Iterable[AccessPolicy | str] = (),
        server_names: Sequence[str] = ("localhost",),
        server_credential: Credential | None = None,
        beyond_loopback: bool = False,
        on_exchange: ExchangeListener | None = None,
        faults: Plan | str | None = None,
        harsh: bool = False,
        seed: int | None = None,
        log_json: str | Path | None = None,
        state: str | Path | None = None,
        admin_port: int | None = None,
        admin_host: str = ADMIN_HOST,
    ) -> None:
        check_host(host, beyond_loopback=beyond_loopback, setting="host")
        check_host(admin_host, beyond_loopback=beyond_loopback, setting="admin_host")
        _check_seconds(assign_after, setting="assign_after")
        _check_seconds(retry_after, setting="retry_after")
        self.host = host
        self.https_port = https_port
        self.mqtt_port = mqtt_port
        self.hub = hub
        self.counts = Counts()
        self.request_log = RequestLog()
        self.faults = FaultInjector(plan(faults, harsh=harsh, seed=seed))
        self.admin = None
        self._on_exchange = on_exchange
        self._log_json = log_json
        self._admin = (admin_host, admin_port)
        self._names = tuple(server_names)
        self._running = AsyncExitStack()
        with ExitStack() as opened:
            self._store = opened.enter_context(_open_store(state))
            self._instance = InstanceIdentity.load_or_create(
                self._store,
                durable=state is not None,
                id_scope=id_scope,
                service_key=service_key,
                access_policies=access_policies,
                server_names=(*server_names, host),
            )
            self.id_scope: str = self._instance.id_scope
            self._server = server_credential or self._instance.server
            self.ca_pem = _last_pem(server_credential) or self._instance.authority.certificate_pem
            self.service = Service(
                id_scope=self.id_scope,
                linked_hubs=[hub, *linked_hubs],
                assign_after=assign_after,
                retry_after=retry_after,
                throttle=throttle,
                remember_keys=remember_keys,
                issued_days=issued_days,
                strict=strict,
                enrollments=enrollments,
                store=self._store,
            )
            self._connect(webhook_ca)
            self._running.push(opened.pop_all())

    def _connect(self, webhook_ca: str | Path | None) -> None:
        """Put webhooks, access control and dispatcher around the service."""
        self._webhooks = Webhooks(self.service.registrar, clock=time.time, ca=webhook_ca)
        self._access = Access(self._instance.policies)
        self._dispatcher = Dispatcher(
            self.service,
            self._record,
            self.faults,
            azure_api=AzureApi(self.service, self._access),
            store=self._store,
        )

    @property
    def connection_string(self) -> str:
        """The owner's connection string for the service API; holds a secret."""
        return self._instance.owner.connection_string(self._reachable, self.https_port)

    @property
    def bearer_token(self) -> str:
        """The bearer token of Azure Resource Manager and the service API; a secret."""
        return self._access.bearer_token

    @property
    def connection_strings(self) -> dict[str, str]:
        """The connection string of every shared access policy, by its name."""
        return self._access.connection_strings(self._reachable, self.https_port)

    @property
    def _reachable(self) -> str:
        return reachable_name(self.host, self._names)

    async def __aenter__(self) -> Self:
        """Bind the ports and start to serve.

        Raises:
            ConfigurationError: If a port cannot be bound, or request log or state not be written.
        """
        try:
            await self._start(self._running)
        except BaseException:
            await self._running.aclose()
            raise

        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections and ports."""
        # The task group does not see the block's exception, which it would wrap in another.
        await self._running.aclose()

    async def _start(self, running: AsyncExitStack) -> None:
        """Acquire what it needs, then serve; `running` releases all of it, the last first."""
        self._save_first()
        running.callback(self._save_last)
        ports = Ports.bind(self.host, https_port=self.https_port, mqtt_port=self.mqtt_port)
        running.callback(ports.close)
        self.https_port, self.mqtt_port = ports.numbers
        if self._log_json is not None:
            running.enter_context(write_to(self.request_log, self._log_json))

        host, port = self._admin
        if port is not None:
            admin = self._open_admin_port(host, port, Metrics(self.service, ports.connections))
            self.admin = running.enter_context(admin)

        tasks = await running.enter_async_context(anyio.create_task_group())
        running.callback(tasks.cancel_scope.cancel)
        context = server_context(self._server)
        ports.serve(
            self._dispatcher, tasks, context=context, faults=self.faults, on_exchange=self._record
        )
        tasks.start_soon(self._webhooks.run)
        if self.admin is not None:
            tasks.start_soon(self.admin.serve, tasks)

    @contextmanager
    def _open_admin_port(self, host: str, port: int, metrics: Metrics) -> Iterator[AdminPort]:
        """Bind the admin port for the duration of the block; nothing is served yet."""
        recent = RecentRequests()
        page = Page(
            service=self.service,
            recent=recent,
            request_log=self.request_log,
            facts=self.facts(),
            ca_pem=self.ca_pem,
            save=self.save,
        )
        routes = [*AdminApi(self).routes(), *metrics.routes(), *page.routes()]
        with (
            closing(AdminPort.bind(port, routes, host=host, names=self._names)) as admin,
            self.request_log.listen(recent.record, on_clear=recent.clear),
            self.request_log.listen(metrics.record),
        ):
            yield admin

    def facts(self) -> dict[str, Any]:
        """Return addresses and ids, as for the ready file; holds the secret of the service API."""
        admin = {} if self.admin is None else {"admin_url": self.admin.url}
        return {
            "host": self.host,
            "https_port": self.https_port,
            "mqtt_port": self.mqtt_port,
            "id_scope": self.id_scope,
            "hub": self.hub,
            "pid": os.getpid(),
            "connection_string": self.connection_string,
            "connection_strings": self.connection_strings,
            "bearer_token": self.bearer_token,
            **admin,
        }

    def reset(self) -> None:
        """Delete registrations, counts, request log and the counters of faults.

        Enrollments, certificates and the fault plan stay.
        """
        self.service.forget_devices()
        self.save()
        self.counts.clear()
        self.request_log.clear()
        self.faults.reset()

    def save(self) -> None:
        """Save changes that were made without a request; done at the end of the block anyway.

        Raises:
            StoreError: If they cannot be saved.
        """
        self._store.commit()

    def _save_first(self) -> None:
        try:
            self.save()
        except StoreError as exc:
            raise ConfigurationError(
                str(exc), setting="state", hint="check the disk, or name another file"
            ) from exc

    def _save_last(self) -> None:
        try:
            self.save()
        except StoreError as exc:
            log.error("%s", exc)  # noqa: TRY400 (a traceback would add nothing)

    def _record(self, exchange: Exchange) -> None:
        self.counts.record(exchange)
        self.request_log.record(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange)


@contextmanager
def _open_store(state: str | Path | None) -> Iterator[Store]:
    if state is None:
        yield MemoryStore()
        return

    with closing(SqliteStore.open(state)) as store:
        yield store


def _last_pem(credential: Credential | None) -> bytes | None:
    """Return the certificate nearest to the root, the root itself if it is given."""
    if credential is None:
        return None

    last = (credential.certificate, *credential.intermediates)[-1]
    return last.public_bytes(Encoding.PEM)


def _check_seconds(seconds: float, *, setting: str) -> None:
    if not 0 <= seconds <= LONGEST_WAIT:
        raise ConfigurationError(
            f"{setting} is {seconds}, which is out of range",
            setting=setting,
            hint=f"give seconds from 0 to {LONGEST_WAIT}",
        )

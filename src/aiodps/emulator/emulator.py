"""The emulator in one piece: `async with Emulator() as dps:`."""

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

from aiodps.emulator.admin.admin import control_port as open_control_port
from aiodps.emulator.admin.server import Control
from aiodps.emulator.azure_api.access_policies import Access, AccessPolicy
from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.connections.tls import server_context
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.faults.presets import plan
from aiodps.emulator.identity import InstanceIdentity
from aiodps.emulator.ports import Ports, check_host
from aiodps.emulator.request_log.json_lines import written
from aiodps.emulator.request_log.log import Counts, Exchange, ExchangeListener, RequestLog
from aiodps.emulator.service.enrollments.store import Enrollment
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.sqlite import SqliteStore
from aiodps.emulator.state.store import MemoryStore, Store, StoreError
from aiodps.emulator.webhook_client import Webhooks
from aiodps.errors import ConfigurationError

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 366 * 86400
"""Seconds; far beyond what any test waits, and within what dates can say."""


class Emulator:
    """A Device Provisioning Service on this machine, with real ports and real TLS.

        async with Emulator(enrollments=[...]) as dps:
            ...  # dps.host, dps.https_port, dps.mqtt_port, dps.ca_pem

    Runs in the task group of the block, on asyncio and trio; nothing is left after it.
    """

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
        strict: bool = False,
        enrollments: Iterable[Enrollment] = (),
        linked_hubs: Iterable[str] = (),
        webhook_ca: str | Path | None = None,
        service_key: str | None = None,
        access_policies: Iterable[AccessPolicy | str] = (),
        server_names: Sequence[str] = ("localhost",),
        beyond_loopback: bool = False,
        on_exchange: ExchangeListener | None = None,
        faults: Plan | str | None = None,
        harsh: bool = False,
        seed: int | None = None,
        log_json: str | Path | None = None,
        state: str | Path | None = None,
        control_port: int | None = None,
    ) -> None:
        """Set up; nothing runs yet.

        Args:
            id_scope: Devices must name it; None for that of the state file, or `0ne00000000`.
            hub: IoT hub that devices are assigned to, unless their enrollment names another.
            host: Address to listen on.
            https_port: Port of HTTPS; 0 for any free one.
            mqtt_port: Port of MQTT; 0 for any free one.
            assign_after: Seconds between register and assignment; 0 still answers the register
                with `assigning`, as the service always does.
            retry_after: Whole seconds that devices are told to wait.
            throttle: Whether the service's published limits count: 1,000 registrations a minute,
                5 polls in 10 seconds for each device, 1,000 service API requests a minute.
            strict: Refuse what the service merely tolerates, as `liberties` lists it; each
                refusal names its rule.
            enrollments: Individual enrollments and groups to begin with, beside those of the
                state file, which count more; `read_enrollments` reads them from JSON as the
                service API writes it.
            linked_hubs: More IoT hubs, each as `host` or, with its share of the devices that are
                hashed, as `host=weight`.
            webhook_ca: File with the CAs to trust for webhooks of custom allocation, in PEM; None
                for the system's.
            service_key: Primary key of the owner's policy, in base64; None to make one.
            access_policies: More policies for the service API; `NAME=RIGHT,RIGHT` makes one whose
                keys are new at each start.
            server_names: Names and addresses in the server's certificate, beside the host's,
                `localhost` and `127.0.0.1`.
            beyond_loopback: Allow a host that other machines can reach. Anyone who reaches it
                can register and upload certificates.
            on_exchange: Called after each request, before it is answered.
            faults: What goes wrong on purpose: a plan, or TOML as in a fault file.
            harsh: Be the service on a bad day, beside what `faults` say.
            seed: Where all chance of the faults comes from; None for the plan's own.
            log_json: File that gets one line of JSON for each request, as `journal_lines` says;
                `-` for standard output.
            control_port: Port of the control API and the page, on loopback only; 0 for any free
                one, None for none.
            state: File that keeps all state but the journal, so that the next start goes on where
                this one ended, however it did; made if it is not there. None for memory alone.

        Raises:
            ConfigurationError: If the host is reachable from elsewhere and that is not allowed,
                `service_key` is not base64, `webhook_ca` holds no CA, `access_policies`,
                `linked_hubs` or `faults` make no sense, or the file of `state` is in use, of
                another id scope, or no state file.
        """
        check_host(host, beyond_loopback=beyond_loopback)
        _check_seconds(assign_after, setting="assign_after")
        _check_seconds(retry_after, setting="retry_after")
        self.host = host
        """Address it listens on."""
        self.https_port = https_port
        """Port of HTTPS; once it runs, the real one."""
        self.mqtt_port = mqtt_port
        """Port of MQTT; once it runs, the real one."""
        self.hub = hub
        self.counts = Counts()
        """What came so far."""
        self.request_log = RequestLog()
        """What came lately, in order."""
        self.faults = FaultInjector(plan(faults, harsh=harsh, seed=seed))
        """What goes wrong on purpose; a new `plan` counts at once."""
        self.control: Control | None = None
        """The control port, its address and token; None unless it runs and was asked for."""
        self._on_exchange = on_exchange
        self._log_json = log_json
        self._control_port = control_port
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
            self.id_scope = self._instance.id_scope
            self.ca_pem = self._instance.authority.certificate_pem
            """The CA that signed the server's certificate: what clients must trust."""
            self.service = Service(
                id_scope=self.id_scope,
                linked_hubs=[hub, *linked_hubs],
                assign_after=assign_after,
                retry_after=retry_after,
                throttle=throttle,
                strict=strict,
                enrollments=enrollments,
                store=self._store,
            )
            """The service itself, for enrollments and certificates."""
            self._webhooks = Webhooks(self.service.registrar, clock=time.time, ca=webhook_ca)
            self._access = Access(self._instance.policies)
            self._dispatcher = Dispatcher(
                self.service,
                self._note,
                self.faults,
                azure_api=AzureApi(self.service, self._access),
                store=self._store,
            )
            self._running.push(opened.pop_all())

    @property
    def connection_string(self) -> str:
        """What clients of the service API take: where it is and the owner's key, a secret."""
        return self._instance.owner.connection_string(self.host, self.https_port)

    @property
    def connection_strings(self) -> dict[str, str]:
        """The same for every shared access policy, by its name."""
        return self._access.connection_strings(self.host, self.https_port)

    async def __aenter__(self) -> Self:
        """Take the ports and begin to serve.

        Raises:
            ConfigurationError: If a port cannot be had, or journal or state not be written.
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
        """Close every connection and give the ports back."""
        # The block's exception is not told to the task group, which would wrap it in another.
        await self._running.aclose()

    async def _start(self, running: AsyncExitStack) -> None:
        """Take what it needs, then serve; `running` gives all of it back, the last first."""
        self._save_first()
        running.callback(self._save_last)
        ports = Ports.bind(self.host, https_port=self.https_port, mqtt_port=self.mqtt_port)
        running.callback(ports.close)
        self.https_port, self.mqtt_port = ports.numbers
        if self._log_json is not None:
            running.enter_context(written(self.request_log, self._log_json))

        if self._control_port is not None:
            self.control = running.enter_context(open_control_port(self, self._control_port))

        tasks = await running.enter_async_context(anyio.create_task_group())
        running.callback(tasks.cancel_scope.cancel)
        context = server_context(self._instance.server)
        ports.serve(self._dispatcher, tasks, context=context, faults=self.faults, note=self._note)
        tasks.start_soon(self._webhooks.run)
        if self.control is not None:
            tasks.start_soon(self.control.serve, tasks)

    def facts(self) -> dict[str, Any]:
        """Say where everything is, as JSON; holds the secret of the service API."""
        control = {} if self.control is None else {"control_url": self.control.url}
        return {
            "host": self.host,
            "https_port": self.https_port,
            "mqtt_port": self.mqtt_port,
            "id_scope": self.id_scope,
            "hub": self.hub,
            "pid": os.getpid(),
            "connection_string": self.connection_string,
            "connection_strings": self.connection_strings,
            **control,
        }

    def reset(self) -> None:
        """Forget what devices did: registrations, counts, journal, how often faults struck.

        Enrollments, certificates and the fault plan stay.
        """
        self.service.forget_devices()
        self.save()
        self.counts.clear()
        self.request_log.clear()
        self.faults.reset()

    def save(self) -> None:
        """Make changes durable that no request has made; at the end of the block it is done.

        Raises:
            StoreError: If they cannot be kept now.
        """
        self._store.commit()

    def _save_first(self) -> None:
        try:
            self.save()
        except StoreError as exc:
            raise ConfigurationError(
                str(exc), setting="state", hint="see to the disk, or name another file"
            ) from exc

    def _save_last(self) -> None:
        try:
            self.save()
        except StoreError as exc:
            log.error("%s", exc)  # noqa: TRY400 (nobody was told of it)

    def _note(self, exchange: Exchange) -> None:
        self.counts.note(exchange)
        self.request_log.note(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange)


@contextmanager
def _open_store(state: str | Path | None) -> Iterator[Store]:
    if state is None:
        yield MemoryStore()
        return

    with closing(SqliteStore.open(state)) as store:
        yield store


def _check_seconds(seconds: float, *, setting: str) -> None:
    if not 0 <= seconds <= LONGEST_WAIT:
        raise ConfigurationError(
            f"{setting} is {seconds}, which is no time to wait",
            setting=setting,
            hint=f"give seconds from 0 to {LONGEST_WAIT}",
        )

"""`--live` and `--metrics-port`: what is served during a run."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from aiodps.cli.extras import install
from aiodps.cli.option_groups import GroupedOption, in_group
from aiodps.cli.output import err
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.live.server import Response, serving
from aiodps.fleet.plan.arrivals import Burst
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.results import service_facts
from aiodps.fleet.report.target import target_name

_LOOPBACK: Final = "127.0.0.1"
_TOKEN_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address and a port of this machine."""

    host: str
    port: int


class _AddressType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A port, on loopback unless an address stands before it."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Return the address."""
        if isinstance(value, Address):
            return value

        host, _, port = str(value).rpartition(":")
        try:
            address = Address(str(ip_address(host.strip("[]") or _LOOPBACK)), int(port))
        except ValueError:
            address = Address(_LOOPBACK, -1)

        if not 0 <= address.port <= 65535:  # noqa: PLR2004
            hint = "give 9464, or 0.0.0.0:9464 for all interfaces"
            self.fail(f"{ascii(value)[:40]} is not a port: {hint}", param, ctx)

        return address


WATCHING: Final = in_group(
    "While it runs",
    GroupedOption(["--live"], is_flag=True,
                  help="Serve a page with the report's charts, for this machine only; with "
                       "--emulator, the emulator's page as well."),
    GroupedOption(["--metrics-port"], type=_AddressType(), metavar="[IP:]PORT",
                  help="Serve metrics for Prometheus at /metrics; on loopback unless an IP is "
                       "given."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watching:
    """What is to be served during a run."""

    live: bool
    metrics_port: Address | None

    @contextlib.contextmanager
    def serving(self, folder: Path, run: RunFile) -> Iterator[Recorder | None]:
        """Serve until the block ends; yield the recorder of the progress, if there is one.

        Raises:
            ConfigurationError: If a port cannot be bound.
        """
        recorder = Recorder()
        with contextlib.ExitStack() as servers:
            if self.live:
                url = servers.enter_context(_serving_page(recorder, folder, run))
                err.print(Text(f"live: {url}"))

            if self.metrics_port is not None:
                url = servers.enter_context(_serving_metrics(recorder, self.metrics_port))
                err.print(Text(f"metrics: {url}"))

            yield recorder if self.live or self.metrics_port is not None else None

    def emulator_page(self, recorder: Recorder | None) -> Callable[[str], None] | None:
        """Return a callback for the address of the emulator's page; None without `--live`."""
        if not self.live or recorder is None:
            return None

        def tell(url: str) -> None:
            recorder.emulator_page = url
            err.print(Text(f"emulator: {url}"))

        return tell


@contextlib.contextmanager
def _serving_page(recorder: Recorder, folder: Path, run: RunFile) -> Iterator[str]:
    try:
        from aiodps.fleet.live.page import LivePage  # noqa: PLC0415 (an extra, and slow)
    except ModuleNotFoundError as exc:
        raise click.UsageError(f"--live needs an extra: {install(command='fleet')}") from exc

    live = LivePage(
        recorder,
        command=run.command,
        report=str(folder.absolute() / "report" / "index.html"),
        target=target_name(service_facts(run.options)),
        burst=isinstance(run.options.arrivals, Burst),
    )
    # The path is the secret that protects the page from other users and other web pages.
    path = f"/{secrets.token_urlsafe(_TOKEN_BYTES)}/"
    pages = {path: live.page, f"{path}changes": live.changes}
    with serving(_LOOPBACK, 0, pages, setting="live") as url:
        yield f"{url}{path}"


@contextlib.contextmanager
def _serving_metrics(recorder: Recorder, address: Address) -> Iterator[str]:
    try:
        from aiodps.fleet.live.openmetrics import CONTENT_TYPE, openmetrics  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as exc:
        raise click.UsageError(
            f"--metrics-port needs an extra: {install(command='fleet')}"
        ) from exc

    def metrics() -> Response:
        return Response(body=openmetrics(recorder.progress).encode(), content_type=CONTENT_TYPE)

    pages = {"/metrics": metrics}
    with serving(address.host, address.port, pages, setting="metrics_port") as url:
        yield f"{url}/metrics"

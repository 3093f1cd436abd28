"""Options of `aiodps fleet`, under the headings of its help, and the values of those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click

from aiodps.attestation.issuance.key_spec import IssuedKeyType
from aiodps.cli.option_groups import DURATION, GroupedOption, in_group
from aiodps.fleet.plan.arrivals import Spacing
from aiodps.fleet.plan.spec import JournalMode

PATH = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments:
    """The options that define a run, as given on the command line; None if not given."""

    emulator: bool
    devices: int | None
    attestation: str | None
    assign_after: float | None
    retry_after: int | None
    manifest: str | None
    ignore_columns: bool
    id_scope: str | None
    endpoint: str | None
    rest_port: int | None
    mqtt_port: int | None
    address: str | None
    proxy: str | None
    proxy_password_file: str | None
    trust: str | None
    hub_suffixes: tuple[str, ...]
    config: str | None
    ca: str | None
    ca_key: str | None
    ca_key_password_file: str | None
    issue: IssuedKeyType | None
    keys_out: str | None
    group_key_file: str | None
    transport: str
    native: bool
    concurrency: int | None
    rate: float | None
    arrivals: Spacing
    ramp: float
    duration: float | None
    stages: str | None
    burst: bool
    limit_rate: float | None
    timeout: float | None
    min_poll: float
    seed: int | None
    shards: int
    journal: JournalMode
    force_memory_journal: bool


DEVICES = in_group(
    "Devices",
    GroupedOption(["--emulator"], is_flag=True,
                  help="Start an emulator on this machine, and generate devices."),
    GroupedOption(["--devices"], type=int, metavar="N",
                  help="Number of devices, with --emulator. Default: 100."),
    GroupedOption(["--attestation"], type=click.Choice(["x509", "symmetric-key"]),
                  help="How devices authenticate, with --emulator. Default: x509."),
    GroupedOption(["--assign-after"], type=float, metavar="S",
                  help="Seconds the emulator takes to assign a device."),
    GroupedOption(["--retry-after"], type=int, metavar="S",
                  help="Seconds the emulator asks devices to wait between polls."),
    GroupedOption(["--manifest"], metavar="FILE", help="Devices to provision: .csv or .jsonl."),
    GroupedOption(["--ignore-columns"], is_flag=True,
                  help="Ignore columns of the manifest that are not known."),
    GroupedOption(["--ca"], metavar="FILE",
                  help="CA that issues certificates to devices without one."),
    GroupedOption(["--ca-key"], metavar="FILE", help="Private key of the CA."),
    GroupedOption(["--ca-key-password-file"], metavar="FILE",
                  help="Password of the CA's key, in the first line."),
    GroupedOption(["--issue"], is_flag=False, flag_value="p256",
                  type=click.Choice(get_args(IssuedKeyType)),
                  help="Have each device ask for a certificate, for a new key. Default: p256."),
    GroupedOption(["--keys-out"], metavar="DIR",
                  help="Folder for issued certificates and their keys, with --ca or --issue."),
    GroupedOption(["--group-key-file"], metavar="FILE",
                  help="Key of an enrollment group, from which those of devices without a "
                       "credential are derived."),
)  # fmt: skip
SERVICE = in_group(
    "Service",
    GroupedOption(["--id-scope"], metavar="S",
                  help="Id scope of the DPS instance, like 0ne00012ABC."),
    GroupedOption(["--endpoint"], metavar="HOST", help="Default: Azure's global endpoint."),
    GroupedOption(["--rest-port"], type=int, metavar="N",
                  help="Port of rest and mqtt-ws. Default: 443."),
    GroupedOption(["--mqtt-port"], type=int, metavar="N", help="Default: 8883."),
    GroupedOption(["--address"], metavar="HOST",
                  help="Host to connect to in place of the endpoint."),
    GroupedOption(["--proxy"], metavar="URL", help="http://HOST:PORT or socks5://HOST:PORT."),
    GroupedOption(["--proxy-password-file"], metavar="FILE",
                  help="user:password of the proxy, in the first line."),
    GroupedOption(["--trust"], metavar="FILE",
                  help="CAs of the service; also: azure, certifi, system."),
    GroupedOption(["--hub-suffix", "hub_suffixes"], multiple=True, metavar=".DOMAIN",
                  help="Domain an assigned hub may be in; repeatable. Default: Azure's."),
    GroupedOption(["--config"], metavar="FILE",
                  help="TOML file with settings of the service; they may be set as AIODPS_<NAME>,"
                       " too."),
    GroupedOption(["--transport"], default="mqtt", show_default=True,
                  help="rest, mqtt or mqtt-ws; several, such as rest,mqtt, to compare them: each "
                       "device uses each of them."),
    GroupedOption(["--native"], is_flag=True,
                  help="Use the native MQTT session, which needs less CPU time than aiomqtt."),
    GroupedOption(["--timeout"], type=float, metavar="S",
                  help="Seconds for one device, from start to assigned. Default: 90."),
    GroupedOption(["--min-poll"], type=float, default=2.0, show_default=True, metavar="S",
                  help="Minimum seconds between two polls; less than 2 only for emulators."),
)  # fmt: skip
ARRIVALS = in_group(
    "Arrivals",
    GroupedOption(["--rate"], type=float, metavar="R",
                  help="Devices started per second, whether or not others have ended."),
    GroupedOption(["--arrivals"], type=click.Choice(["constant", "poisson"]), default="constant",
                  show_default=True, help="Spacing of the devices at --rate or --stages."),
    GroupedOption(["--ramp"], type=DURATION, default=0.0, metavar="D",
                  help="Time in which --rate rises from zero, such as 30s or 5m."),
    GroupedOption(["--duration"], type=DURATION, metavar="D",
                  help="How long devices start at --rate; in place of --devices."),
    GroupedOption(["--stages"], metavar="LIST",
                  help="Rates that change, such as 1m:50,5m:200: from 0 to 50/s in 1 min, then to "
                       "200/s in 5 min; 0s:50 is a step."),
    GroupedOption(["--concurrency"], type=int, metavar="C",
                  help="Maximum number of devices in flight. Default: 50; no limit with --rate, "
                       "--stages or --burst."),
    GroupedOption(["--burst"], is_flag=True,
                  help="Start all devices at once, as when power returns."),
    GroupedOption(["--limit-rate"], type=float, metavar="N",
                  help="Maximum of devices per minute; 0: no limit. Default: 1000 for Azure."),
    GroupedOption(["--seed"], type=int, metavar="N",
                  help="Seed of schedules and jitter, to repeat a run."),
)  # fmt: skip
DASK = GroupedOption(["--dask"], metavar="URL", help="Run the shards on this Dask cluster.")
MACHINES = in_group(
    "Processes and machines",
    GroupedOption(["--shards"], type=int, default=1, show_default=True, metavar="N",
                  help="Number of processes that share the devices."),
    GroupedOption(["--shard"], metavar="I/N",
                  help="Run only this shard, counted from 0; see `fleet merge`."),
    GroupedOption(["--journal"], type=click.Choice(["durable", "memory"]), default="durable",
                  show_default=True,
                  help="memory: no device waits for the disk; for load tests."),
    GroupedOption(["--force-memory-journal"], is_flag=True,
                  help="Allow --journal memory on Azure, which bills what is sent again."),
    GroupedOption(["--start-at"], type=float, metavar="T",
                  help="When to start, in seconds since 1970."),
    DASK,
)  # fmt: skip
CALIBRATE = in_group(
    "Figures",
    GroupedOption(["--calibrate"], is_flag=True,
                  help="First measure the same plan against a null service on this machine: the "
                       "error of the load generator itself."),
)  # fmt: skip
EVALUATION = [
    *in_group(
        "Figures",
        GroupedOption(["--warm-up"], type=DURATION, metavar="D",
                      help="Exclude devices that should have started in the first D."),
        GroupedOption(["--cool-down"], type=DURATION, metavar="D",
                      help="The same for the last D, before the last start."),
    ),
    *in_group(
        "Thresholds",
        GroupedOption(["--fail-if"], metavar="LIST",
                      help="What must not happen, such as 'p99>5s,errors>0.1%' or "
                           "'within(5s)<99%'; exit code 99 if it does."),
        GroupedOption(["--allow-limited"], is_flag=True, default=None,
                      help="Let a run pass although its generator limited it."),
        GroupedOption(["--junit"], type=PATH, metavar="FILE",
                      help="Write the thresholds as JUnit XML."),
        GroupedOption(["--markdown"], type=PATH, metavar="FILE",
                      help="Append thresholds and figures as Markdown, such as to "
                           "$GITHUB_STEP_SUMMARY."),
    ),
]  # fmt: skip
ABORT = in_group(
    "Thresholds",
    GroupedOption(["--abort-on-fail"], is_flag=True, default=None,
                  help="End the run as soon as it is certain that it misses a threshold."),
)  # fmt: skip
JSON = in_group(
    "Output",
    GroupedOption(["--json", "as_json"], is_flag=True,
                  help="Print the summary as JSON and nothing else."),
)  # fmt: skip
OUTPUT = [
    *in_group(
        "Output",
        GroupedOption(["--out"], metavar="DIR", help="The run folder. Default: runs/DATE-TIME."),
    ),
    *JSON,
]

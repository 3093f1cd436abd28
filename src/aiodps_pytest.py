"""The pytest plugin: `dps`, `dps_device`, their session variants, and `dps_ca`.

The module is outside the package and imports it in the fixtures only, so that a test suite without
them pays nothing.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiodps.pki import Authority
    from aiodps.testing import DeviceFactory, RunningEmulator

_RUNNING = pytest.StashKey["dict[RunningEmulator, int]"]()
"""The emulators that run, each with the number of its latest request before the current test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the emulator."""
    group = parser.getgroup("dps", "an emulated Device Provisioning Service")
    group.addoption(
        "--dps-faults",
        metavar="harsh|FILE",
        help="faults of every emulator: `harsh`, which every client must cope with, or a file",
    )
    group.addoption(
        "--dps-seed", type=int, metavar="N", help="seed of the faults; a random one by default"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed once: workers of pytest-xdist are told the one of their controller."""
    config.stash[_RUNNING] = {}
    faults = config.option.dps_faults
    if faults not in {None, "harsh"} and not Path(faults).is_file():
        raise pytest.UsageError(
            f"--dps-faults: there is no file {faults!r}; give `harsh`, or the path of a fault file"
        )

    if faults and config.option.dps_seed is None:
        told = getattr(config, "workerinput", {})
        config.option.dps_seed = told.get("dps_seed", random.getrandbits(32))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist the seed."""
    node.workerinput["dps_seed"] = node.config.option.dps_seed


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say how to get the same faults again."""
    if not config.option.dps_faults:
        return None

    return f"dps: --dps-faults {config.option.dps_faults} --dps-seed {config.option.dps_seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which requests are those of earlier tests."""
    emulators = item.config.stash[_RUNNING]
    for emulator, number in emulators.items():
        emulators[emulator], _ = emulator.exchanges_after(number)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the requests that emulators have received in the report of a test that failed."""
    report = yield
    for emulator, number in item.config.stash[_RUNNING].items() if report.failed else ():
        _, exchanges = emulator.exchanges_after(number)
        if exchanges:
            from aiodps.testing import transcript  # noqa: PLC0415 (see above)

            report.sections.append(("requests to dps", transcript(exchanges)))

    return report


@pytest.fixture
def dps_options() -> Mapping[str, Any]:
    """Options of the emulator that `dps` runs, as of `aiodps.emulator.Emulator`; override it."""
    return {}


@pytest.fixture(scope="session")
def dps_session_options() -> Mapping[str, Any]:
    """Options of the emulator that `dps_session` runs; override it."""
    return {}


@pytest.fixture(scope="session")
def dps_ca() -> Authority:
    """The CA of test devices, verified on every `dps`: an `aiodps.pki.Authority`."""
    from aiodps.pki import Authority  # noqa: PLC0415 (see above)

    return Authority.root("dps_ca")


@pytest.fixture
def dps(
    dps_options: Mapping[str, Any],
    dps_ca: Authority,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[RunningEmulator]:
    """A Device Provisioning Service on free ports of this machine, new for each test."""
    directory = tmp_path_factory.mktemp("dps")
    with _running(pytestconfig, dps_options, dps_ca, directory) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def dps_session(
    dps_session_options: Mapping[str, Any],
    dps_ca: Authority,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[RunningEmulator]:
    """A Device Provisioning Service for all tests, one in each worker of pytest-xdist."""
    directory = tmp_path_factory.mktemp("dps")
    with _running(pytestconfig, dps_session_options, dps_ca, directory) as emulator:
        yield emulator


@pytest.fixture
def dps_device(dps: RunningEmulator) -> DeviceFactory:
    """Make devices and enroll them on `dps`: `dps_device("lamp", chain=True, group=True)`."""
    from aiodps.testing import DeviceFactory  # noqa: PLC0415 (see above)

    return DeviceFactory(dps)


@pytest.fixture(scope="session")
def dps_session_device(dps_session: RunningEmulator) -> DeviceFactory:
    """Make devices and enroll them on `dps_session`, each with a new registration id."""
    from aiodps.testing import DeviceFactory  # noqa: PLC0415 (see above)

    return DeviceFactory(dps_session)


@contextmanager
def _running(
    config: pytest.Config, options: Mapping[str, Any], ca: Authority, directory: Path
) -> Iterator[RunningEmulator]:
    try:
        from aiodps.testing import running  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as exc:
        pytest.fail(str(exc), pytrace=False)  # it says what to install

    emulators = config.stash[_RUNNING]
    with running(ca=ca, directory=directory, **{**_faults(config), **options}) as emulator:
        emulators[emulator] = 0
        try:
            yield emulator
        finally:
            del emulators[emulator]


def _faults(config: pytest.Config) -> dict[str, Any]:
    wanted, seed = config.option.dps_faults, config.option.dps_seed
    match wanted:
        case None:
            return {}
        case "harsh":
            return {"harsh": True, "seed": seed}
        case _:
            return {"faults": Path(wanted).read_text("utf-8"), "seed": seed}

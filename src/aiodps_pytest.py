"""The pytest plugin: `dps`, `dps_ca` and `dps_device`.

The module is outside the package and imports it in the fixtures only, so that a test suite without
them pays nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiodps.pki import Authority
    from aiodps.testing import DeviceFactory, RunningEmulator


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show the requests that `dps` received in the report of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    exchanges = getattr(getattr(item, "funcargs", {}).get("dps"), "exchanges", ())
    if report.failed and exchanges:
        from aiodps.testing import transcript  # noqa: PLC0415 (see above)

        report.sections.append(("requests to dps", transcript(exchanges)))


@pytest.fixture
def dps_options() -> Mapping[str, Any]:
    """Options of the emulator that `dps` runs, as of `aiodps.emulator.Emulator`; override it."""
    return {}


@pytest.fixture(scope="session")
def dps_ca() -> Authority:
    """The CA of test devices, verified on every `dps`: an `aiodps.pki.Authority`."""
    from aiodps.pki import Authority  # noqa: PLC0415 (see above)

    return Authority.root("dps_ca")


@pytest.fixture
def dps(
    dps_options: Mapping[str, Any], dps_ca: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEmulator]:
    """A Device Provisioning Service on free ports of this machine, new for each test."""
    try:
        from aiodps.testing import running  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as exc:
        pytest.fail(str(exc), pytrace=False)  # it says what to install

    with running(ca=dps_ca, directory=tmp_path_factory.mktemp("dps"), **dps_options) as emulator:
        yield emulator


@pytest.fixture
def dps_device(
    dps: RunningEmulator, dps_ca: Authority, tmp_path_factory: pytest.TempPathFactory
) -> DeviceFactory:
    """Make devices and enroll them on `dps`: `dps_device("lamp", chain=True, group=True)`."""
    from aiodps.testing import DeviceFactory  # noqa: PLC0415 (see above)

    return DeviceFactory(dps, ca=dps_ca, directory=tmp_path_factory.mktemp("devices"))

"""Every attestation over every transport: the same table of outcomes for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.attestation_kinds import KINDS, Kind, Way, client_of
from tests.certificates import root

import aiodps
from aiodps import errors, testing
from aiodps.testing import RunningEmulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all rows, in a thread."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        yield running


ROWS = [
    pytest.param(
        *(kind, transport, way, loop),
        id=f"{name}-{transport}-{way}-{loop}",
        marks=kind.marks,
    )
    for name, kind in KINDS.items()
    for transport in kind.codes
    for way in kind.ways
    for loop in ("asyncio", "trio")
    if (transport, loop) != ("mqtt", "trio")  # aiomqtt requires asyncio
]


async def outcome(
    dps: RunningEmulator, transport: str, attestation: aiodps.Attestation
) -> tuple[object, int | None]:
    """Provision a device; return the class of the result, and its error code."""
    try:
        return type(await client_of(dps, transport).provision(attestation=attestation)), None
    except errors.ServiceError as error:
        return type(error), error.error_code


@pytest.mark.parametrize(("kind", "transport", "way", "anyio_backend"), ROWS)
async def test_outcomes(
    dps: RunningEmulator, anyio_backend_name: str, kind: Kind, transport: str, way: Way
) -> None:
    """Right, wrong, disabled, unknown: class, code, and one register request for each."""
    refused = (errors.UnauthorizedError, kind.codes[transport])
    expected = {
        "right": (aiodps.Assignment, None),
        "wrong": refused,
        "disabled": (errors.RegistrationDisabledError, None),
        "unknown": kind.unknown or refused,
    }
    results, registers = {}, {}
    for case in expected:
        name = f"{case}-{abs(hash((id(kind), transport, way, anyio_backend_name)))}"
        made = kind.make(name, way)
        if case != "unknown":
            member = "registrationId" if way == "individual" else "enrollmentGroupId"
            status = "disabled" if case == "disabled" else "enabled"
            dps.enroll({member: name, "attestation": made.mechanism, "provisioningStatus": status})

        credential = made.wrong if case == "wrong" else made.right
        results[case] = await outcome(dps, transport, credential)
        registers[case] = dps.register_requests(name)

    assert results == expected
    in_ = kind.registers
    assert registers == {"right": in_, "wrong": 1, "disabled": in_, "unknown": 1}

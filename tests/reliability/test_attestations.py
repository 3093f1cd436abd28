"""Every attestation over every transport: the same table of outcomes for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.attestation_kinds import KINDS, Kind, Made, Way, client_of, issued
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
    dps: RunningEmulator, transport: str, made: Made, *, wrong: bool
) -> tuple[object, int | None]:
    """Provision a device; return the class of the result, and its error code."""
    try:
        assignment = await client_of(dps, transport).provision(
            attestation=made.wrong if wrong else made.right, issue=made.issue
        )
        assert (assignment.issued is None) is (made.issue is None)
        return type(assignment), None
    except errors.ServiceError as error:
        return type(error), error.error_code


@pytest.mark.parametrize(("kind", "transport", "way", "anyio_backend"), ROWS)
async def test_outcomes(
    dps: RunningEmulator, anyio_backend_name: str, kind: Kind, transport: str, way: Way
) -> None:
    """Right, wrong (K28, K29), disabled, unknown: class, code, one register request for each."""
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
            status = "disabled" if case == "disabled" else "enabled"
            dps.enroll(made.enrollment(name, way, provisioningStatus=status))

        results[case] = await outcome(dps, transport, made, wrong=case == "wrong")
        registers[case] = dps.register_requests(name)

    assert results == expected
    in_ = kind.registers
    assert registers == {"right": in_, "wrong": 1, "disabled": in_, "unknown": 1}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_device_with_a_tpm_is_issued_a_certificate(dps: RunningEmulator) -> None:
    """Whatever proves who it is: the request goes with the answer to the challenge as well."""
    made = issued(KINDS["TPM"].make)("tpm-1", "individual")
    dps.enroll(made.enrollment("tpm-1", "individual"))

    assert await outcome(dps, "rest", made, wrong=False) == (aiodps.Assignment, None)
    assert dps.register_requests("tpm-1") == 2


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_enrollment_that_issues_nothing(dps: RunningEmulator, transport: str) -> None:
    """The device is assigned, and its client says that it got no certificate."""
    name = f"no-policy-{transport}"
    made = issued(KINDS["symmetric key"].make)(name, "individual")
    dps.enroll({"registrationId": name, "attestation": made.mechanism})
    with pytest.raises(errors.IssuanceError) as caught:
        await outcome(dps, transport, made, wrong=False)

    assert (caught.value.reason, caught.value.device_id) == ("missing", name)
    assert caught.value.phase is aiodps.Phase.POLL

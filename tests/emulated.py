"""An emulator in this process, with a device for each way into the service."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
from tests.certificates import intermediate, root

import aiodps
from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.store import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
    read_enrollments,
)
from aiodps.pki import Credential
from aiodps.transports.base import TransportFactory

QUICK = aiodps.RetryPolicy(min_poll_interval=0, poll_interval=0, base=0.01)
"""The emulator answers `Retry-After: 0`; nobody waits in tests."""

SCOPE = "0ne00000000"
PATIENCE = 120.0
"""Seconds after which a test that waits in vain has failed."""

DEVICES: dict[str, Credential] = {
    "individual": root().device("individual-1"),
    "root": root().device("by-root-1"),
    "intermediate": intermediate().device("by-intermediate-1"),
    "disabled": root().device("disabled-1"),
}


@contextlib.asynccontextmanager
async def emulator(**settings: Any) -> AsyncIterator[Emulator]:
    """Run an emulator that knows the devices above."""
    enrollments = [
        IndividualEnrollment.x509(
            registration_id="individual-1",
            certificate=DEVICES["individual"].certificate,
            device_id="press-4",
        ),
        IndividualEnrollment.x509(
            registration_id="disabled-1",
            certificate=DEVICES["disabled"].certificate,
            enabled=False,
        ),
        EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="by-root"),
        EnrollmentGroup.signed_by(
            intermediate().certificate, enrollment_group_id="by-intermediate"
        ),
    ]
    async with Emulator(**{"retry_after": 0, "enrollments": enrollments, **settings}) as dps:
        dps.service.certificates.upload("root", root().certificate, verified=True, now=time.time())
        yield dps


@functools.cache
def device(name: str = "device-1") -> Credential:
    """Make a device below the intermediate."""
    return intermediate().device(name)


def fleet(**more: Any) -> tuple[Enrollment, ...]:
    """Enroll everything below the test root."""
    pem = root().certificate_pem.decode()
    signing = {"x509": {"signingCertificates": {"primary": {"certificate": pem}}}}
    group = {"enrollmentGroupId": "fleet", "attestation": {"type": "x509", **signing}, **more}
    return read_enrollments(json.dumps([group]))


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Emulator]:
    """Run an emulator in which everything below the test root is enrolled."""
    base = {"enrollments": fleet(), "id_scope": SCOPE, "retry_after": 3}
    with anyio.fail_after(PATIENCE):
        async with emulator(**{**base, **options}) as dps:
            yield dps


def attestation(credential: Credential) -> aiodps.X509:
    """Make what a device proves itself with."""
    return aiodps.X509.from_bytes(
        certificate=credential.chain_pem, private_key=credential.private_key_pem
    )


def client(
    dps: Emulator, transport: str | TransportFactory, **settings: Any
) -> aiodps.ProvisioningClient:
    """Make a client of the emulator."""
    base: dict[str, Any] = {
        "id_scope": dps.id_scope,
        "endpoint": dps.host,
        "port": dps.mqtt_port if transport == "mqtt" else dps.https_port,
        "transport": transport,
        "trust": dps.ca_pem,
        "retry": QUICK,
    }
    return aiodps.ProvisioningClient(**{**base, **settings})

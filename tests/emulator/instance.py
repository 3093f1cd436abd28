"""An instance of the service with a clock that stands still, and devices that talk to it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from typing import Any

from cryptography import x509

from aiodps.emulator.protocol.messages import Identity, Operation, Request, Response, Transport
from aiodps.emulator.protocol.strict_rules import StrictRule
from aiodps.emulator.service.enrollments.enrollment import Enrollment
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.store import Store
from aiodps.pki import Credential

NOW = time.time()
SCOPE = "0ne000A0A0A"
HUB = "hub-1.azure-devices.net"
GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def instance(
    *enrollments: Enrollment,
    verified: Iterable[Credential] = (),
    unverified: Iterable[Credential] = (),
    linked_hubs: Iterable[str] = (HUB,),
    assign_after: float = 0.0,
    store: Store | None = None,
    throttle: bool = False,
    strict: bool = False,
) -> Service:
    """Make an instance; its CA certificates are called `ca-0`, `ca-1` and so on."""
    service = Service(
        id_scope=SCOPE,
        linked_hubs=tuple(linked_hubs),
        enrollments=enrollments,
        assign_after=assign_after,
        rng=random.Random(7),  # noqa: S311 (no secrets here)
        store=store,
        throttle=throttle,
        strict=strict,
    )
    cas = [(ca, True) for ca in verified] + [(ca, False) for ca in unverified]
    for index, (ca, is_verified) in enumerate(cas):
        service.certificates.upload(
            f"ca-{index}", ca.certificate, verified=is_verified, now=NOW - 60
        )

    return service


def shown(*certificates: Credential | x509.Certificate) -> Identity:
    """Show certificates in TLS: a credential with its chain, a certificate alone."""
    chain: list[x509.Certificate] = []
    for each in certificates:
        match each:
            case x509.Certificate():
                chain.append(each)
            case Credential():
                chain += [each.certificate, *each.intermediates]

    return Identity(certificates=tuple(chain))


def ask(
    service: Service,
    operation: Operation,
    identity: Identity,
    *,
    registration_id: str = "device-1",
    operation_id: str | None = None,
    id_scope: str = SCOPE,
    api_version: str | None = "2019-03-31",
    body: bytes = b"",
    transport: Transport = Transport.HTTPS,
    deviations: Iterable[StrictRule] = (),
    now: float = NOW,
) -> Response:
    """Send one request."""
    request = Request(
        operation=operation,
        id_scope=id_scope,
        registration_id=registration_id,
        api_version=api_version,
        operation_id=operation_id,
        body=body,
        transport=transport,
        deviations=lambda: tuple(deviations),
    )
    response = service.handle(request, identity=identity, now=now)
    json.dumps(response.body)
    return response


def register(service: Service, identity: Identity, **more: Any) -> Response:
    """Send a register request."""
    return ask(service, Operation.REGISTER, identity, **more)


def poll(service: Service, identity: Identity, accepted: Response, **more: Any) -> Response:
    """Ask how an operation stands that a register request began."""
    operation_id = accepted.body["operationId"]
    return ask(service, Operation.OPERATION_STATUS, identity, operation_id=operation_id, **more)


def provision(service: Service, identity: Identity, **more: Any) -> Response:
    """Register and poll once; a refusal of the register request is the answer."""
    accepted = register(service, identity, **more)
    if accepted.status_code != 202:
        return accepted

    return poll(service, identity, accepted, **more)


def refused(response: Response) -> tuple[int, int, str]:
    """Return what an error says: status, error code, message."""
    return response.status_code, response.body["errorCode"], response.body["message"]

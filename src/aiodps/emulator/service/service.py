"""What DPS decides about a device's request: pure, synchronous, without clock and sockets.

A register request is always answered by 202 and `assigning`; what came of it is told to polls, 202
while the operation works and 200 once it is finished. A device that does not prove who it is gets
401, an unknown one no less than one with a wrong certificate. A disabled enrollment is no error of
that kind: its device is told `disabled` by the poll, with 200, as the Azure CLI's source expects;
whether the live service gives 401 instead is not known. `failed` comes in the same way, if no
linked hub can take the device.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import assert_never

from aiodps.emulator.protocol.api_versions import (
    API_VERSIONS,
    has_payload,
    shaped,
)
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import guid, is_registration_id
from aiodps.emulator.protocol.messages import Identity, Operation, Request, Response
from aiodps.emulator.service.authentication.authenticate import Authenticator
from aiodps.emulator.service.authentication.ca_certificates import CaCertificates
from aiodps.emulator.service.enrollments.allocation import LinkedHubs
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.enrollments.store import Enrollment, Enrollments
from aiodps.emulator.service.registrations import responses
from aiodps.emulator.service.registrations.hub_devices import HubDevices
from aiodps.emulator.service.registrations.register import AuthenticatedDevice, Registrar
from aiodps.emulator.service.registrations.request_bodies import read_device_registration
from aiodps.emulator.service.registrations.store import Registrations
from aiodps.emulator.service.strict import Strict
from aiodps.emulator.service.throttle import Throttle
from aiodps.emulator.state.store import Store

MAX_BODY = 96 * 1024
"""Bytes of a request (Microsoft Learn, "Quotas and limits in the Device Provisioning Service")."""


class Service:
    """One DPS instance.

    Args:
        id_scope: Of the instance.
        linked_hubs: The linked IoT Hubs, as `host` or `host=weight`. Hubs that `enrollments` name
            are linked as well; one that is enrolled later must name a linked hub.
        enrollments: To begin with.
        assign_after: Seconds from register to the end of an operation.
        retry_after: Whole seconds that devices are asked to wait between polls.
        chance: Where ids, etags and verification codes come from; None for the system's.
        store: Where all of it is kept, and comes from at the start; None for memory alone.
        throttle: Whether the published limits count.
        strict: Whether to refuse what the service merely tolerates.
    """

    def __init__(
        self,
        *,
        id_scope: str,
        linked_hubs: Iterable[str],
        enrollments: Iterable[Enrollment] = (),
        assign_after: float = 0.0,
        retry_after: int = 3,
        rng: random.Random | None = None,
        store: Store | None = None,
        throttle: bool = False,
        strict: bool = False,
    ) -> None:
        self._rng = rng or random.SystemRandom()
        self.id_scope = id_scope
        self.retry_after = retry_after
        self.throttle = Throttle() if throttle else None
        self._strict = Strict(self.id_scope) if strict else None
        self.enrollments = Enrollments(enrollments, rng=self._rng, store=store)
        self.linked_hubs = LinkedHubs(linked_hubs)
        for hub in (hub for each in self.enrollments for hub in each.allocation.named):
            if hub not in self.linked_hubs:
                self.linked_hubs.append(hub)

        self.certificates = CaCertificates(rng=self._rng, store=store)
        self.registrations = Registrations(assign_after=assign_after, rng=self._rng, store=store)
        self.hub_devices = HubDevices(store=store)
        self.registrar = Registrar(
            registrations=self.registrations, hubs=self.linked_hubs, devices=self.hub_devices
        )
        self._admission = Authenticator(
            enrollments=self.enrollments, certificates=self.certificates
        )

    def forget_devices(self) -> None:
        """Forget what devices did: registrations, devices at hubs, and what counts for limits."""
        for registration_id in list(self.registrations.ids()):
            self.registrations.delete(registration_id)

        self.hub_devices.clear()
        self.registrar.take_calls()
        self.throttle = Throttle() if self.throttle else None
        self._strict = Strict(self.id_scope) if self._strict else None

    def handle(self, request: Request, *, identity: Identity, now: float) -> Response:
        """Answer a device's request, whatever it is; never raises.

        Args:
            request: As it came, nothing checked yet.
            identity: As it was shown, nothing judged yet.
            now: Seconds since 1970.
        """
        try:
            response = self._answer(request, identity, now=now)
            if self._strict is not None:
                self._strict.note_retry_after(request, response, now=now)

            return shaped(response, request)
        except Refusal as refused:
            return responses.error(refused, tracking_id=guid(self._rng), now=now)

    def _answer(self, request: Request, identity: Identity, *, now: float) -> Response:
        self._check(request)
        if self._strict is not None:
            self._strict.check(request, identity, now=now)

        match request.operation:
            case Operation.REGISTER:
                return self._register(request, identity, now=now)
            case Operation.OPERATION_STATUS:
                return self._operation_status(request, identity, now=now)
            case Operation.STATUS_LOOKUP:
                return self._look_up(request, identity, now=now)
            case _:
                assert_never(request.operation)

    def _check(self, request: Request) -> None:
        """Refuse what no device may ask.

        An unknown id scope is 404: Microsoft Learn, "Troubleshoot with IoT Hub Device Provisioning
        Service", gives 404 for an instance that does not exist, 401 for bad credentials only.
        """
        if request.api_version not in API_VERSIONS:
            raise Refusal(
                ErrorCode.INVALID_REQUEST, f"Unsupported api-version {request.api_version!a}."
            )

        if request.id_scope.lower() != self.id_scope.lower():
            raise Refusal(ErrorCode.NOT_FOUND, "ID scope not found.")

        if not is_registration_id(request.registration_id):
            raise Refusal(ErrorCode.INVALID_REQUEST, "Invalid registration id.")

        if len(request.body) > MAX_BODY:
            raise Refusal(ErrorCode.INVALID_REQUEST, f"The body is larger than {MAX_BODY} bytes.")

    def _register(self, request: Request, identity: Identity, *, now: float) -> Response:
        device = read_device_registration(request)
        enrollment = self._admit(request, identity, now=now)
        if self.throttle is not None:
            self.throttle.register(now=now)

        by_key = isinstance(enrollment.attestation, SymmetricKeys)
        applicant = AuthenticatedDevice(
            registration_id=request.registration_id,
            enrollment=enrollment,
            certificate=None if by_key else identity.certificates[0],
            payload=device.payload if has_payload(request.api_version or "") else None,
        )
        operation = self.registrar.register(applicant, now=now)
        return responses.accepted(operation, retry_after=self.retry_after)

    def _operation_status(self, request: Request, identity: Identity, *, now: float) -> Response:
        self._admit(request, identity, now=now)
        self._count_poll(request, now=now)
        registration_id = request.registration_id
        operation = self.registrations.find(registration_id, request.operation_id or "")
        if operation is None:
            raise Refusal(ErrorCode.OPERATION_NOT_FOUND, "Operation not found.")

        return responses.operation_status(
            operation, registration_id, retry_after=self.retry_after, now=now
        )

    def _look_up(self, request: Request, identity: Identity, *, now: float) -> Response:
        read_device_registration(request)
        self._admit(request, identity, now=now)
        self._count_poll(request, now=now)
        operation = self.registrations.latest(request.registration_id)
        if operation is None:
            raise Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Registration not found.")

        state = responses.registration_state(operation, request.registration_id, now=now)
        return Response(status_code=200, body=state)

    def _count_poll(self, request: Request, *, now: float) -> None:
        if self.throttle is not None:
            self.throttle.poll(request.registration_id, now=now)

    def _admit(self, request: Request, identity: Identity, *, now: float) -> Enrollment:
        record = self.registrations.record(request.registration_id)
        known = record.operations[-1].enrollment_group_id if record else None
        enrollment = self._admission.admit(request, identity, now=now, known_group=known)
        if self._strict is not None:
            self._strict.check_time(request, record, now=now)

        return enrollment

"""The rules of DPS for a device's request: pure and synchronous, without clock or sockets.

A register request is always answered by 202 and `assigning`; its outcome is the response to polls,
202 while the operation is in progress and 200 once it is finished. A device that is not
authenticated gets 401, whether it is unknown or has a wrong certificate. A disabled enrollment is
not an error of that kind: the poll is answered by 200 and `disabled`, as the Azure CLI's source
expects; whether the live service answers 401 instead is not known. `failed` is reported in the
same way, if no linked hub can take the device.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import assert_never

from aiodps.emulator.protocol.api_versions import API_VERSIONS, has_payload, shape_response
from aiodps.emulator.protocol.errors import ErrorCode, Refusal, unsupported_version
from aiodps.emulator.protocol.formats import guid, is_registration_id
from aiodps.emulator.protocol.messages import Identity, Operation, Request, Response
from aiodps.emulator.service.authentication.authenticate import Authenticator
from aiodps.emulator.service.authentication.ca_certificates import CaCertificates
from aiodps.emulator.service.authentication.remembered_keys import RememberedKeys
from aiodps.emulator.service.enrollment_rules import (
    as_configuration_error,
    check_ca_references,
    check_enrollment,
)
from aiodps.emulator.service.enrollments.allocation import LinkedHubs
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys, TpmKeys
from aiodps.emulator.service.enrollments.store import Enrollment, Enrollments
from aiodps.emulator.service.issuance.issuers import ISSUED_DAYS, Issuers
from aiodps.emulator.service.registrations import responses
from aiodps.emulator.service.registrations.hub_devices import HubDevices
from aiodps.emulator.service.registrations.register import AuthenticatedDevice, Registrar
from aiodps.emulator.service.registrations.request_bodies import (
    DeviceRegistration,
    read_registration,
)
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
        enrollments: The initial ones.
        assign_after: Seconds from a register request to the end of its operation.
        retry_after: Whole seconds that devices are asked to wait between polls.
        rng: Source of ids, etags and verification codes; None for the system's.
        store: Keeps all state over a restart; None for memory alone.
        throttle: Whether to enforce the published limits.
        strict: Whether to refuse what the service merely tolerates.
        remember_keys: Whether to remember the symmetric key of a device for 30 minutes.
        issued_days: Validity of certificates that are issued to devices.

    Raises:
        ConfigurationError: If one of `enrollments` breaks a rule. References to CA certificates
            are not among them: those are uploaded later.
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
        remember_keys: bool = False,
        issued_days: float = ISSUED_DAYS,
    ) -> None:
        initial = tuple(enrollments)
        self._rng = rng or random.SystemRandom()
        self.id_scope = id_scope
        self.retry_after = retry_after
        self.throttle = Throttle() if throttle else None
        self._strict = Strict(self.id_scope) if strict else None
        self._keys = RememberedKeys() if remember_keys else None
        self.enrollments: Enrollments = Enrollments(initial, rng=self._rng, store=store)
        self.linked_hubs: LinkedHubs = LinkedHubs(linked_hubs, store=store)
        for hub in (hub for each in self.enrollments for hub in each.allocation.named):
            if hub not in self.linked_hubs:
                self.linked_hubs.append(hub)

        for each in initial:
            with as_configuration_error(each):
                check_enrollment(each, hubs=self.linked_hubs)

        self.certificates: CaCertificates = CaCertificates(rng=self._rng, store=store)
        self.issuers: Issuers = Issuers(days=issued_days, store=store)
        self.registrations: Registrations = Registrations(
            assign_after=assign_after, rng=self._rng, store=store
        )
        self.hub_devices: HubDevices = HubDevices(store=store)
        self.registrar: Registrar = Registrar(
            registrations=self.registrations, hubs=self.linked_hubs, devices=self.hub_devices
        )
        self._authenticator = Authenticator(
            enrollments=self.enrollments, certificates=self.certificates
        )

    def enroll(
        self, enrollment: Enrollment, *, if_match: str | None = None, now: float
    ) -> Enrollment:
        """Add an enrollment, or replace the one with its id, if it keeps the rules.

        Args:
            enrollment: Its etag and dates are ignored.
            if_match: As of `Enrollments.put`.
            now: Seconds since 1970.

        Returns:
            The enrollment as stored.

        Raises:
            Refusal: 400, if it breaks a rule; 412, if the etag does not match.
        """
        check_enrollment(enrollment, hubs=self.linked_hubs)
        check_ca_references(enrollment, certificates=self.certificates)
        return self.enrollments.put(enrollment, if_match=if_match, now=now)

    def forget_devices(self) -> None:
        """Delete all registrations, hub devices and remembered keys, and reset the limits."""
        for registration_id in list(self.registrations.ids()):
            self.registrations.delete(registration_id)

        self.hub_devices.clear()
        self.registrar.take_calls()
        self.throttle = Throttle() if self.throttle else None
        self._strict = Strict(self.id_scope) if self._strict else None
        self._keys = RememberedKeys() if self._keys else None

    def handle(self, request: Request, *, identity: Identity, now: float) -> Response:
        """Answer a device's request, whatever it is; never raises.

        Args:
            request: As received, not checked yet.
            identity: As presented, not verified yet.
            now: Seconds since 1970.
        """
        try:
            response = self._answer(request, identity, now=now)
            if self._strict is not None:
                self._strict.note_retry_after(request, response, now=now)

            return shape_response(response, request)
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
        """Refuse a request that is invalid for any device.

        An unknown id scope is 404: Microsoft Learn, "Troubleshoot with IoT Hub Device Provisioning
        Service", gives 404 for an instance that does not exist, 401 for bad credentials only.
        """
        if request.api_version not in API_VERSIONS:
            raise unsupported_version(request.api_version)

        if request.id_scope.lower() != self.id_scope.lower():
            raise Refusal(ErrorCode.NOT_FOUND, "ID scope not found.")

        if not is_registration_id(request.registration_id):
            raise Refusal(ErrorCode.INVALID_REQUEST, "Invalid registration id.")

        if len(request.body) > MAX_BODY:
            raise Refusal(ErrorCode.INVALID_REQUEST, f"The body is larger than {MAX_BODY} bytes.")

    def _register(self, request: Request, identity: Identity, *, now: float) -> Response:
        body = read_registration(request)
        enrollment = self._authenticate(request, identity, body, now=now)
        if self.throttle is not None:
            self.throttle.register(now=now)

        by_key = isinstance(enrollment.attestation, SymmetricKeys | TpmKeys)
        device = AuthenticatedDevice(
            registration_id=request.registration_id,
            enrollment=enrollment,
            certificate=None if by_key else identity.certificates[0],
            hub_key=self._hub_key(request.registration_id, enrollment),
            payload=body.payload if has_payload(request.api_version or "") else None,
            issued=self._issue(body, request.registration_id, enrollment),
        )
        operation = self.registrar.register(device, now=now)
        return responses.accepted(operation, retry_after=self.retry_after)

    def _hub_key(self, registration_id: str, enrollment: Enrollment) -> str | None:
        if not isinstance(enrollment.attestation, TpmKeys):
            return None

        challenges = self._authenticator.tpm_challenges
        return challenges.hub_key(registration_id, enrollment.attestation)

    def _issue(
        self, body: DeviceRegistration, registration_id: str, enrollment: Enrollment
    ) -> tuple[str, ...]:
        """Issue the certificate that a device asks for.

        Without a policy it is assigned and gets none (Microsoft's samples of its C client).
        """
        policy = enrollment.issuance
        if body.csr is None or policy is None or not enrollment.enabled:
            return ()

        return self.issuers.issue(body.csr, registration_id=registration_id, policy=policy)

    def _operation_status(self, request: Request, identity: Identity, *, now: float) -> Response:
        self._authenticate(request, identity, DeviceRegistration(), now=now)
        self._count_poll(request, now=now)
        registration_id = request.registration_id
        operation = self.registrations.find(registration_id, request.operation_id or "")
        if operation is None:
            raise Refusal(ErrorCode.OPERATION_NOT_FOUND, "Operation not found.")

        return responses.operation_status(
            operation, registration_id, retry_after=self.retry_after, now=now
        )

    def _look_up(self, request: Request, identity: Identity, *, now: float) -> Response:
        body = read_registration(request)
        self._authenticate(request, identity, body, now=now)
        self._count_poll(request, now=now)
        operation = self.registrations.latest(request.registration_id)
        if operation is None:
            raise Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Registration not found.")

        state = responses.registration_state(operation, request.registration_id, now=now)
        return Response(status_code=200, body=state)

    def _count_poll(self, request: Request, *, now: float) -> None:
        if self.throttle is not None:
            self.throttle.poll(request.registration_id, now=now)

    def _authenticate(
        self, request: Request, identity: Identity, body: DeviceRegistration, *, now: float
    ) -> Enrollment:
        record = self.registrations.record(request.registration_id)
        known = record.operations[-1].enrollment_group_id if record else None
        enrollment = self._authenticator.authenticate(
            request, identity, tpm=body.tpm, now=now, known_group=known
        )
        if self._keys is not None:
            self._keys.check(request, identity, enrollment, now=now)

        if self._strict is not None:
            self._strict.check_time(request, record, now=now)

        return enrollment

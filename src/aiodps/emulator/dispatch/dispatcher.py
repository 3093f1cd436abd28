"""Dispatcher between the frontends and the service: draws faults, handles requests, logs them."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from cryptography import x509

from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.faults.apply import NO_RESPONSE, apply_fault, apply_management_fault, delivery
from aiodps.emulator.faults.effects import Point
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.protocol.messages import (
    Identity,
    ManagementRequest,
    ManagementResponse,
    Operation,
    Request,
    Response,
)
from aiodps.emulator.protocol.x509 import subject, thumbprint
from aiodps.emulator.request_log.log import MAX_ID_LENGTH, Exchange, ExchangeListener
from aiodps.emulator.service.authentication.sas import SasError, SharedAccessSignature
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.store import MemoryStore, Store, StoreError
from aiodps.models import RegistrationStatus

_POINTS: Final = {
    Operation.REGISTER: Point.REGISTER,
    Operation.OPERATION_STATUS: Point.OPERATION_STATUS,
    Operation.STATUS_LOOKUP: Point.LOOKUP,
}
_UNASSIGNED: Final = {RegistrationStatus.FAILED.value, RegistrationStatus.DISABLED.value}
INTERNAL_ERROR: Final = "internal error of the emulator"
_Response = TypeVar("_Response", Response, ManagementResponse)

log: Final = logging.getLogger(__name__)


class Dispatcher:
    """Handles the requests of all frontends, and logs each with its response.

    Args:
        service: Handles the requests of devices.
        on_exchange: Called with each request and its response, before the response is sent.
        faults: The faults on demand; None for none.
        azure_api: Handles the requests of administrators; None for one with unknown keys.
        store: Committed before any response is sent; None for memory alone.
    """

    def __init__(
        self,
        service: Service,
        on_exchange: ExchangeListener,
        faults: FaultInjector | None = None,
        *,
        azure_api: AzureApi | None = None,
        store: Store | None = None,
    ) -> None:
        self._service = service
        self._azure_api = azure_api or AzureApi(service)
        self._on_exchange = on_exchange
        self._faults = faults or FaultInjector()
        self._sessions: dict[str, Callable[[], None]] = {}
        self._store = store or MemoryStore()

    def handle_device(self, request: Request, *, identity: Identity, transport: str) -> Response:
        """Handle a device's request."""
        began = time.perf_counter()
        fault = self._faults.draw(
            _POINTS[request.operation],
            registration_id=request.registration_id,
            transport=transport,
            operation_id=request.operation_id,
        )
        response = NO_RESPONSE
        if fault is None or fault.effect.reaches_service:
            response = self._commit(
                lambda: self._service.handle(request, identity=identity, now=time.time()), _error
            )

        if fault is not None:
            wait = self._service.retry_after
            response = apply_fault(response, fault, request, retry_after=wait, now=time.time())

        self._on_exchange(
            Exchange(
                transport=transport,
                what=request.operation.value,
                operation=request.operation,
                registration_id=request.registration_id[:MAX_ID_LENGTH],
                error_code=_error_code(response),
                **_identity_fields(identity),
                status_code=response.status_code,
                message=_reason(response),
                fault=None if fault is None else fault.rules,
                took=time.perf_counter() - began,
            )
        )
        return response

    def handle_management(self, request: ManagementRequest) -> ManagementResponse:
        """Handle a request to the service API or to Azure Resource Manager."""
        began = time.perf_counter()
        fault = self._faults.draw(Point.MANAGEMENT, registration_id=None, transport="https")
        response = ManagementResponse(status_code=0)
        if fault is None or fault.effect.reaches_service:
            response = self._commit(
                lambda: self._azure_api.handle(request, now=time.time()), _management_error
            )

        if fault is not None:
            response = apply_management_fault(response, fault, now=time.time())

        self._on_exchange(
            Exchange(
                transport="https",
                what=f"{request.method} {request.path.rpartition('/providers/')[2][:120]}",
                status_code=response.status_code,
                fault=None if fault is None else fault.rules,
                message=_reason(response),
                took=time.perf_counter() - began,
                **_identity_fields(Identity(authorization=request.headers.get("authorization"))),
            )
        )
        return response

    def _commit(
        self, handle: Callable[[], _Response], error: Callable[[int, str], _Response]
    ) -> _Response:
        """Handle a request and commit its changes; a bug of ours must not cost the connection."""
        try:
            response = handle()
            self._store.commit()
        except StoreError as exc:
            log.error("%s", exc)  # noqa: TRY400 (the disk is full, say, and no bug of ours)
            return error(HTTPStatus.INTERNAL_SERVER_ERROR, str(exc))
        except Exception:
            log.exception("the emulated service failed")
            return error(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_ERROR)

        return response

    def fault_for(
        self,
        point: Point,
        *,
        registration_id: str,
        transport: str,
        certificates: Sequence[x509.Certificate],
    ) -> Delivery | None:
        """Draw a fault for a CONNECT or a SUBSCRIBE, which never reach the service."""
        fault = self._faults.draw(point, registration_id=registration_id, transport=transport)
        if fault is None:
            return None

        self._on_exchange(
            Exchange(
                transport=transport,
                what=point.value.upper(),
                registration_id=registration_id,
                **_identity_fields(Identity(tuple(certificates))),
                fault=fault.rules,
            )
        )
        return delivery(fault, now=time.time())

    def reject(
        self,
        status_code: int,
        reason: str,
        *,
        what: str,
        transport: str,
        certificates: Sequence[x509.Certificate],
    ) -> Response:
        """Reject a request that cannot be handed to the service; return the error response."""
        self._on_exchange(
            Exchange(
                transport=transport,
                what=what,
                **_identity_fields(Identity(tuple(certificates))),
                status_code=status_code,
                message=reason,
            )
        )
        return _error(status_code, reason)

    @contextlib.contextmanager
    def session(self, client: str, *, end: Callable[[], None]) -> Iterator[None]:
        """Hold the MQTT session of a client during the block; an older one of it ends (3.1.4-2).

        Args:
            client: Identifies the client.
            end: Called once if a newer session takes over; must not block.
        """
        older = self._sessions.get(client)
        self._sessions[client] = end
        if older is not None:
            older()

        try:
            yield
        finally:
            if self._sessions.get(client) is end:
                del self._sessions[client]


def _error(status_code: int, message: str) -> Response:
    """Make an error; a code without details is the status code times a thousand."""
    body = {
        "errorCode": status_code * 1000,
        "trackingId": str(uuid.uuid4()),
        "message": message,
        "timestampUtc": timestamp(time.time()),
    }
    return Response(status_code=status_code, body=body)


def _management_error(status_code: int, message: str) -> ManagementResponse:
    error = {"code": "InternalServerError", "message": message}
    return ManagementResponse(status_code=status_code, body={"error": error})


def _reason(response: Response | ManagementResponse) -> str | None:
    """Return the message of an error, with the cause that is not sent to the client.

    A registration that has failed, or is disabled, is told by a 200: it has a reason too.
    """
    body = response.body if isinstance(response.body, dict) else {}
    state = body.get("registrationState")
    if isinstance(state, dict) and state.get("status") in _UNASSIGNED:
        words = (state["status"], state.get("errorCode"), state.get("errorMessage"))
        return " ".join(str(word) for word in words if word is not None)

    message = body.get("message")
    return message if response.why is None else f"{message} ({response.why})"


def _error_code(response: Response) -> int | None:
    """Return the service's error code, also that of a failed registration."""
    state = response.body.get("registrationState")
    inner = state.get("errorCode") if isinstance(state, dict) else None
    code = response.body.get("errorCode", inner)
    return code if isinstance(code, int) else None


def _identity_fields(identity: Identity) -> dict[str, Any]:
    """Return the fields of an `Exchange` that identify the client, without anything secret."""
    fields: dict[str, Any] = {}
    if identity.certificates:
        leaf = identity.certificates[0]
        fields["certificate"] = subject(leaf)
        fields["thumbprint"] = thumbprint(leaf)

    if identity.authorization is not None:
        with contextlib.suppress(SasError):
            signature = SharedAccessSignature.read(identity.authorization)
            fields["key_name"] = (signature.policy or "")[:MAX_ID_LENGTH]

    return fields

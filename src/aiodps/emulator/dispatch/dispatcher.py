"""Dispatcher between the fronts and the service, which notes what was asked and answered."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any, Final

from cryptography import x509

from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.faults.apply import UNHEARD, apply_fault, apply_management_fault, delivery
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
from aiodps.emulator.request_log.log import LONGEST_COUNTED_ID, Exchange, ExchangeListener
from aiodps.emulator.service.authentication.sas import SasError, SharedAccessSignature
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.store import MemoryStore, Store, StoreError

_POINTS: Final = {
    Operation.REGISTER: Point.REGISTER,
    Operation.OPERATION_STATUS: Point.OPERATION_STATUS,
    Operation.STATUS_LOOKUP: Point.LOOKUP,
}
OUR_FAULT: Final = "internal error of the emulator"

log = logging.getLogger(__name__)


class Dispatcher:
    """Dispatcher of requests: asks the service on behalf of the fronts, notes question and answer.

    Args:
        service: Decides.
        note: Takes down each exchange.
        faults: What goes wrong on purpose; None for nothing.
        administration: Answers administrators; None for one whose keys nobody knows.
        store: Keeps what is decided before it is told; None for memory alone.
    """

    def __init__(
        self,
        service: Service,
        note: ExchangeListener,
        faults: FaultInjector | None = None,
        *,
        azure_api: AzureApi | None = None,
        store: Store | None = None,
    ) -> None:
        self._service = service
        self._azure_api = azure_api or AzureApi(service)
        self._note = note
        self._faults = faults or FaultInjector()
        self._sessions = Sessions()
        self._store = store or MemoryStore()

    def handle_device(self, request: Request, *, identity: Identity, transport: str) -> Response:
        """Ask the service on behalf of a device."""
        began = time.perf_counter()
        fault = self._faults.draw(
            _POINTS[request.operation],
            registration_id=request.registration_id,
            transport=transport,
            operation_id=request.operation_id,
        )
        if fault is None:
            response = self._ask(request, identity)
        else:
            asked = fault.effect.reaches_service
            response = self._ask(request, identity) if asked else UNHEARD
            wait = self._service.retry_after
            response = apply_fault(response, fault, request, retry_after=wait, now=time.time())

        self._note(
            Exchange(
                transport=transport,
                what=request.operation.value,
                operation=request.operation,
                registration_id=request.registration_id[:LONGEST_COUNTED_ID],
                error_code=_error_code(response),
                **_shown(identity),
                status_code=response.status_code,
                message=_reason(response),
                fault=None if fault is None else fault.rules,
                took=time.perf_counter() - began,
            )
        )
        return response

    def _ask(self, request: Request, identity: Identity) -> Response:
        try:
            response = self._service.handle(request, identity=identity, now=time.time())
            self._store.commit()
        except StoreError as exc:
            log.error("%s", exc)  # noqa: TRY400 (the disk is full, say, and no bug of ours)
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, str(exc))
        except Exception:
            # A bug of ours must not cost the connection.
            log.exception("the emulated service failed")
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, OUR_FAULT)

        return response

    def handle_management(self, request: ManagementRequest) -> ManagementResponse:
        """Ask the service API or the resource manager."""
        began = time.perf_counter()
        fault = self._faults.draw(Point.MANAGEMENT, registration_id=None, transport="https")
        if fault is None:
            response = self._manage(request)
        else:
            asked = fault.effect.reaches_service
            response = self._manage(request) if asked else ManagementResponse(status_code=0)
            response = apply_management_fault(response, fault, now=time.time())

        self._note(
            Exchange(
                transport="https",
                what=f"{request.method} {request.path.rpartition('/providers/')[2][:120]}",
                status_code=response.status_code,
                fault=None if fault is None else fault.rules,
                message=_reason(response),
                took=time.perf_counter() - began,
                **_shown(Identity(authorization=request.headers.get("authorization"))),
            )
        )
        return response

    def _manage(self, request: ManagementRequest) -> ManagementResponse:
        try:
            response = self._azure_api.handle(request, now=time.time())
            self._store.commit()
        except StoreError as exc:
            log.error("%s", exc)  # noqa: TRY400 (the disk is full, say, and no bug of ours)
            return _management_error(str(exc))
        except Exception:
            log.exception("the emulated management failed")
            return _management_error(OUR_FAULT)

        return response

    def fault_for(
        self,
        point: Point,
        *,
        registration_id: str,
        transport: str,
        certificates: Sequence[x509.Certificate],
    ) -> Delivery | None:
        """Ask whether a fault strikes a CONNECT or a SUBSCRIBE, which the service never sees."""
        fault = self._faults.draw(point, registration_id=registration_id, transport=transport)
        if fault is None:
            return None

        self._note(
            Exchange(
                transport=transport,
                what=point.value.upper(),
                registration_id=registration_id,
                **_shown(Identity(tuple(certificates))),
                status_code=0,
                fault=fault.rules,
                took=0.0,
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
        """Say no to what is not for the service."""
        self._note(
            Exchange(
                transport=transport,
                what=what,
                **_shown(Identity(tuple(certificates))),
                status_code=status_code,
                message=reason,
                took=0.0,
            )
        )
        return _error(status_code, reason)

    def session(self, client: str, *, end: Callable[[], None]) -> AbstractContextManager[None]:
        """Let a client of MQTT in until the block is left, and put an older session of it out.

        Args:
            client: The same text for the same client.
            end: Called once if a newer session takes over; must not block.
        """
        return self._sessions.enter(client, end=end)


def _error(status_code: int, message: str) -> Response:
    """Write an error body; a code without details is the status code times a thousand."""
    body = {
        "errorCode": status_code * 1000,
        "trackingId": str(uuid.uuid4()),
        "message": message,
        "timestampUtc": timestamp(time.time()),
    }
    return Response(status_code=status_code, body=body)


def _reason(response: Response | ManagementResponse) -> str | None:
    """Say why somebody was refused: in the service's words, and in better ones."""
    message = response.body.get("message") if isinstance(response.body, Mapping) else None
    return message if response.why is None else f"{message} ({response.why})"


def _management_error(message: str) -> ManagementResponse:
    error = {"code": "InternalServerError", "message": message}
    return ManagementResponse(
        status_code=HTTPStatus.INTERNAL_SERVER_ERROR.value, body={"error": error}
    )


def _error_code(response: Response) -> int | None:
    """Return the service's code, also that of a registration that has failed."""
    state = response.body.get("registrationState")
    inner = state.get("errorCode") if isinstance(state, Mapping) else None
    code = response.body.get("errorCode", inner)
    return code if isinstance(code, int) else None


def _shown(identity: Identity) -> dict[str, Any]:
    """Say who somebody claims to be, without anything secret."""
    shown: dict[str, Any] = {}
    if identity.certificates:
        leaf = identity.certificates[0]
        shown["certificate"] = subject(leaf)
        shown["thumbprint"] = thumbprint(leaf)

    if identity.authorization is not None:
        with contextlib.suppress(SasError):
            signature = SharedAccessSignature.read(identity.authorization)
            shown["key_name"] = (signature.policy or "")[:LONGEST_COUNTED_ID]

    return shown


class Sessions:
    """The sessions of an instance."""

    def __init__(self) -> None:
        self._end: dict[str, Callable[[], None]] = {}

    @contextmanager
    def enter(self, client: str, *, end: Callable[[], None]) -> Iterator[None]:
        """Hold the session of a client; end the older one, if there is one (3.1.4-2)."""
        older = self._end.get(client)
        self._end[client] = end
        if older is not None:
            older()

        try:
            yield
        finally:
            if self._end.get(client) is end:
                del self._end[client]

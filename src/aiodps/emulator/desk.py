"""The desk between the fronts and the service: asks it, and notes what was asked and answered."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from cryptography import x509

from aiodps.emulator.fronts.http_routes import ArmRequest
from aiodps.emulator.journal import Exchange, Note
from aiodps.emulator.management.arm import handle_arm
from aiodps.emulator.service.answers import timestamp
from aiodps.emulator.service.service import Service
from aiodps.emulator.wire import Identity, Request, Response
from aiodps.models import JsonObject

OUR_FAULT: Final = "internal error of the emulator"

log = logging.getLogger(__name__)


class Desk:
    """Where both fronts hand in what is asked of the service."""

    def __init__(self, service: Service, note: Note) -> None:
        self._service = service
        self._note = note

    def answer(self, request: Request, *, identity: Identity, front: str) -> Response:
        """Ask the service on behalf of a device."""
        began = time.perf_counter()
        try:
            response = self._service.handle(request, identity=identity, now=time.time())
        except Exception:
            # A bug of ours must not cost the connection.
            log.exception("the emulated service failed")
            response = _error(HTTPStatus.INTERNAL_SERVER_ERROR, OUR_FAULT)

        self._note(
            Exchange(
                front=front,
                what=request.operation.value,
                operation=request.operation,
                registration_id=request.registration_id,
                certificate=_subject(identity.certificates),
                status_code=response.status_code,
                message=response.body.get("message"),
                took=time.perf_counter() - began,
            )
        )
        return response

    def answer_arm(self, request: ArmRequest) -> tuple[int, JsonObject | None]:
        """Ask for the certificates of the instance."""
        began = time.perf_counter()
        try:
            status_code, body = handle_arm(
                self._service.certificates,
                method=request.method,
                path=request.path,
                api_version=request.api_version,
                authorization=request.authorization,
                if_match=request.if_match,
                body=request.body,
                now=time.time(),
            )
        except Exception:
            log.exception("the emulated resource manager failed")
            status_code, body = _arm_error()

        self._note(
            Exchange(
                front="https",
                what=f"{request.method} {request.path.rpartition('/providers/')[2][:120]}",
                status_code=status_code,
                took=time.perf_counter() - began,
            )
        )
        return status_code, body

    def refuse(
        self,
        status_code: int,
        reason: str,
        *,
        what: str,
        front: str,
        certificates: Sequence[x509.Certificate],
    ) -> Response:
        """Say no to what is not for the service."""
        self._note(
            Exchange(
                front=front,
                what=what,
                certificate=_subject(certificates),
                status_code=status_code,
                message=reason,
                took=0.0,
            )
        )
        return _error(status_code, reason)


def _error(status_code: int, message: str) -> Response:
    """Write an error body; a code without details is the status code times a thousand."""
    body = {
        "errorCode": status_code * 1000,
        "trackingId": str(uuid.uuid4()),
        "message": message,
        "timestampUtc": timestamp(time.time()),
    }
    return Response(status_code=status_code, body=body)


def _arm_error() -> tuple[int, JsonObject]:
    error = {"code": "InternalServerError", "message": OUR_FAULT}
    return HTTPStatus.INTERNAL_SERVER_ERROR.value, {"error": error}


def _subject(certificates: Sequence[x509.Certificate]) -> str | None:
    return certificates[0].subject.rfc4514_string() if certificates else None

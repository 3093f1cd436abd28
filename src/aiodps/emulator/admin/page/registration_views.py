"""View models of registrations and requests: rows, and the whole story of one device."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from aiodps.emulator.admin.page.recent_requests import RecentRequests, Step
from aiodps.emulator.admin.page.rendering import date
from aiodps.emulator.protocol.x509 import read_certificate
from aiodps.emulator.request_log.log import Exchange, RequestLog
from aiodps.emulator.service.registrations.record import Outcome, RegistrationOperation
from aiodps.emulator.service.service import Service
from aiodps.models import RegistrationStatus

_TONES = {
    RegistrationStatus.ASSIGNED: "good",
    RegistrationStatus.ASSIGNING: "busy",
    RegistrationStatus.FAILED: "bad",
    RegistrationStatus.DISABLED: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One request of a device."""

    row_id: str
    number: int
    """In the request log."""
    time: str
    transport: str
    what: str
    status: str
    """Of HTTP, or "no response"."""
    bad: bool
    """Whether it was refused, had no response, or ended without an assignment."""
    who: str
    device: str
    """Registration id of a device's request; "" for other requests."""
    message: str | None
    error_code: str
    """"" if there is none."""
    took: str
    credential: str
    """What it presented: a subject, or the name of a key; "" for neither."""
    thumbprint: str
    """SHA-256 of its certificate; "" without one."""
    fault: str
    """The fault rules that applied; "" if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRow:
    """A row of the list of registrations."""

    row_id: str
    """Id of the table row, derived from the registration id."""
    id: str
    status: str = "requested"
    tone: str = ""
    """Style of the status: "good", "busy", "bad" or ""."""
    note: str = ""
    """What was wrong with the latest request, if the status does not say it."""
    hub: str = ""
    device_id: str = ""
    substatus: str = ""
    certificate: str = ""
    """The end of the certificate that it was issued; "" if it was issued none."""
    steps: tuple[StepLine, ...] = ()
    """The newest first."""
    thumbprints: str = ""
    """Of the certificates that it presented, for the filter."""
    deletable: bool = False
    """Whether there is a registration record."""


def registration_rows(
    service: Service, recent: RecentRequests, names: Iterable[str], *, now: float
) -> list[RegistrationRow]:
    """Make the rows of devices, with their latest requests."""
    return [registration_row(service, recent.steps(name), name, now=now) for name in names]


def registration_row(
    service: Service, steps: list[Step], name: str, *, now: float
) -> RegistrationRow:
    """Make the row of a device.

    Args:
        service: The instance.
        steps: Its requests, newest first.
        name: Its registration id.
        now: Seconds since 1970.
    """
    shown = steps[0].exchange.registration_id if steps else None
    row_id = "r-" + hashlib.sha256(name.lower().encode()).hexdigest()[:24]
    lines = tuple(map(_line, steps))
    operation = service.registrations.latest(name)
    row = RegistrationRow(
        row_id=row_id,
        id=shown or name,
        steps=lines,
        thumbprints=" ".join({line.thumbprint for line in lines}),
        deletable=operation is not None,
    )
    refused = f"refused, {lines[0].status}" if lines and lines[0].bad else ""
    if operation is None:
        return replace(row, status=refused, tone="bad") if refused else row

    outcome = operation.result(now) or Outcome(status=RegistrationStatus.ASSIGNING)
    hub_device = outcome.hub_device
    return replace(
        row,
        status=outcome.status.value,
        tone=_TONES.get(outcome.status, ""),
        note=_note(steps[0].exchange) if steps else "",
        hub=hub_device.hub if hub_device else "",
        device_id=hub_device.device_id if hub_device else "",
        substatus=outcome.substatus or outcome.error_message or "",
        certificate=_issued(operation) if hub_device else "",
    )


def registration_facts(service: Service, row: RegistrationRow) -> dict[str, str]:
    """Return what the registration record of a device says, by label."""
    operation = service.registrations.latest(row.id)
    if operation is None:
        return {}

    return {
        "Assigned hub": row.hub,
        "Device id": row.device_id,
        ("Substatus" if row.hub else "Error"): row.substatus,
        "Operation id": operation.operation_id,
        "Attestation": operation.proof.value,
        "First registered": date(operation.created),
        "Operation ends": date(operation.finished),
        "Certificate until": row.certificate,
    }


def story(log: RequestLog, name: str) -> list[Step]:
    """Return the requests of a device that the request log has, newest first."""
    name = name.lower()
    found = [
        Step(number, exchange)
        for number, exchange in log.after(0)
        if exchange.registration_id is not None and exchange.registration_id.lower() == name
    ]
    return found[::-1]


def request_rows(recent: RecentRequests, *, after: int = 0) -> list[StepLine]:
    """Make the rows of the latest requests, newest first.

    Args:
        recent: The requests.
        after: Requests up to this number are left out.
    """
    return [_line(step) for step in reversed(recent.requests) if step.number > after]


def _issued(operation: RegistrationOperation) -> str:
    if not operation.issued:
        return ""

    return f"{read_certificate(operation.issued[0]).not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _note(exchange: Exchange) -> str:
    """Say that the latest request was refused; the registration stands as it was."""
    if exchange.status_code and exchange.status_code < HTTPStatus.BAD_REQUEST:
        return ""

    return f"latest request: {_status(exchange)}"


def _status(exchange: Exchange) -> str:
    return str(exchange.status_code) if exchange.status_code else "no response"


def _token(key_name: str | None) -> str:
    """Describe a token by its key; that of a device has no name, or always the same one."""
    match key_name:
        case None:
            return ""
        case "" | "registration":
            return "token"
        case name:
            return f"token of {name}"


def _line(step: Step) -> StepLine:
    exchange = step.exchange
    return StepLine(
        row_id=f"q-{step.number}",
        number=step.number,
        time=f"{dt.datetime.fromtimestamp(exchange.time).astimezone():%H:%M:%S.%f}"[:-3],
        transport=exchange.transport,
        what=exchange.what,
        status=_status(exchange),
        bad=not 0 < exchange.status_code < HTTPStatus.BAD_REQUEST or exchange.message is not None,
        who=exchange.registration_id or exchange.certificate or "",
        device=exchange.registration_id or "" if exchange.operation is not None else "",
        message=exchange.message,
        error_code="" if exchange.error_code is None else str(exchange.error_code),
        took=f"{exchange.took * 1000:.1f} ms",
        credential=exchange.certificate or _token(exchange.key_name),
        thumbprint=exchange.thumbprint or "",
        fault=exchange.fault or "",
    )

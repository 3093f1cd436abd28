"""The JSON API of the control port: what a test or a script asks of a running emulator.

GET    /api/facts              where everything is: ports, id scope, CA
GET    /api/counts             how many requests came, by operation, device and status
GET    /api/journal?after=N    the last exchanges, those after number N alone
GET    /api/faults             {"toml": ..., "seed": ..., "rules": [names]}
PUT    /api/faults             body: TOML as in a fault file; counts at once
DELETE /api/faults             nothing goes wrong on purpose any more
POST   /api/reset              forget what devices did, as if they had never come
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from aiodps.emulator.admin.responses import AsciiJsonResponse, ControlError
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.request_log.json_lines import to_json
from aiodps.emulator.request_log.log import Counts, RequestLog
from aiodps.errors import ConfigurationError


class Controlled(Protocol):
    """The emulator, as far as it is controlled."""

    counts: Counts
    request_log: RequestLog
    faults: FaultInjector

    def facts(self) -> Mapping[str, Any]:
        """Say where everything is, as JSON."""
        ...

    def reset(self) -> None:
        """Forget what devices did."""
        ...


class ControlApi:
    """Answers `/api`."""

    def __init__(self, dps: Controlled) -> None:
        self._dps = dps

    def routes(self) -> list[SegmentRoute]:
        """Return the paths of the API."""
        return [
            SegmentRoute("/api/facts", self._facts),
            SegmentRoute("/api/counts", self._counts),
            SegmentRoute("/api/journal", self._request_log),
            SegmentRoute("/api/faults", self._faults),
            SegmentRoute("/api/faults", self._put_faults, methods=["PUT"]),
            SegmentRoute("/api/faults", self._delete_faults, methods=["DELETE"]),
            SegmentRoute("/api/reset", self._reset, methods=["POST"]),
        ]

    async def _facts(self, _: Request) -> Response:
        return AsciiJsonResponse(self._dps.facts())

    async def _counts(self, _: Request) -> Response:
        counts = self._dps.counts
        registers = dict(counts.registers)
        return AsciiJsonResponse(
            {
                "registers": {"total": sum(registers.values()), "by_registration_id": registers},
                "operations": {each.value: n for each, n in counts.operations.items()},
                "answers": {str(status): n for status, n in counts.answers.items()},
            }
        )

    async def _request_log(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise ControlError(HTTPStatus.BAD_REQUEST, f"after is {after[:20]!r}, not a number")

        entries = self._dps.request_log.after(int(after[:18]))
        return AsciiJsonResponse(
            [{"number": number, **to_json(exchange)} for number, exchange in entries]
        )

    async def _faults(self, _: Request) -> Response:
        plan = self._dps.faults.plan
        rules = [rule.label for rule in plan.rules]
        return AsciiJsonResponse({"toml": plan.text, "seed": plan.seed, "rules": rules})

    async def _put_faults(self, request: Request) -> Response:
        try:
            self._dps.faults.plan = Plan.read((await request.body()).decode())
        except UnicodeDecodeError as exc:
            raise ControlError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from exc
        except ConfigurationError as exc:
            raise ControlError(HTTPStatus.BAD_REQUEST, exc.message, hint=exc.hint) from exc

        return await self._faults(request)

    async def _delete_faults(self, request: Request) -> Response:
        self._dps.faults.plan = Plan()
        return await self._faults(request)

    async def _reset(self, request: Request) -> Response:
        self._dps.reset()
        return await self._counts(request)

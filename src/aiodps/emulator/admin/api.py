"""The admin API: JSON for tests and scripts that control a running emulator.

GET    /api/facts                  addresses, ports, id scope
GET    /api/counts                 numbers of requests, by operation, device and status
GET    /api/request-log?after=N    the latest requests, only those after number N
GET    /api/faults                 {"toml": ..., "seed": ..., "rules": [names]}
PUT    /api/faults                 body: TOML as in a fault file; applies at once
DELETE /api/faults                 no faults any more
POST   /api/reset                  delete registrations, counts and request log
GET    /healthz                    200 while the emulator serves; needs no token
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from aiodps.emulator.admin.auth import HEALTH
from aiodps.emulator.admin.responses import AdminError, AsciiJsonResponse
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.request_log.json_lines import to_json
from aiodps.emulator.request_log.log import Counts, RequestLog
from aiodps.errors import ConfigurationError


class Administered(Protocol):
    """The emulator, as far as the admin API needs it."""

    counts: Counts
    request_log: RequestLog
    faults: FaultInjector

    def facts(self) -> Mapping[str, Any]:
        """Return addresses and ids, as JSON."""
        ...

    def reset(self) -> None:
        """Delete registrations, counts and request log."""
        ...


class AdminApi:
    """The endpoints below `/api`, and `/healthz`."""

    def __init__(self, dps: Administered) -> None:
        self._dps = dps

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of the API."""
        return [
            SegmentRoute("/api/facts", self._facts),
            SegmentRoute("/api/counts", self._counts),
            SegmentRoute("/api/request-log", self._request_log),
            SegmentRoute("/api/faults", self._faults),
            SegmentRoute("/api/faults", self._put_faults, methods=["PUT"]),
            SegmentRoute("/api/faults", self._delete_faults, methods=["DELETE"]),
            SegmentRoute("/api/reset", self._reset, methods=["POST"]),
            SegmentRoute(HEALTH, self._health),
        ]

    async def _facts(self, _: Request) -> Response:
        return AsciiJsonResponse(self._dps.facts())

    async def _health(self, _: Request) -> Response:
        return AsciiJsonResponse({"status": "ok"})

    async def _counts(self, _: Request) -> Response:
        counts = self._dps.counts
        by_id = dict(counts.register_requests)
        return AsciiJsonResponse(
            {
                "register_requests": {"total": sum(by_id.values()), "by_registration_id": by_id},
                "operations": {each.value: n for each, n in counts.operations.items()},
                "responses": {str(status): n for status, n in counts.responses.items()},
            }
        )

    async def _request_log(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise AdminError(HTTPStatus.BAD_REQUEST, f"after is {after[:20]!r}, not a number")

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
            raise AdminError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from exc
        except ConfigurationError as exc:
            raise AdminError(HTTPStatus.BAD_REQUEST, exc.message, hint=exc.hint) from exc

        return await self._faults(request)

    async def _delete_faults(self, request: Request) -> Response:
        self._dps.faults.plan = Plan()
        return await self._faults(request)

    async def _reset(self, request: Request) -> Response:
        self._dps.reset()
        return await self._counts(request)

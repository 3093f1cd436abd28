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

from aiodps.emulator.admin.router import ControlAnswer, ControlError, ControlRequest, Router
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.request_log import Counts, RequestLog
from aiodps.emulator.request_log_json import to_json
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

    def add_routes(self, router: Router) -> None:
        """Take the paths of the API."""
        router.add("GET", "/api/facts", self._facts)
        router.add("GET", "/api/counts", self._counts)
        router.add("GET", "/api/journal", self._request_log)
        router.add("GET", "/api/faults", self._faults)
        router.add("PUT", "/api/faults", self._put_faults)
        router.add("DELETE", "/api/faults", self._delete_faults)
        router.add("POST", "/api/reset", self._reset)

    async def _facts(self, _: ControlRequest) -> ControlAnswer:
        return ControlAnswer.json(self._dps.facts())

    async def _counts(self, _: ControlRequest) -> ControlAnswer:
        counts = self._dps.counts
        registers = dict(counts.registers)
        return ControlAnswer.json(
            {
                "registers": {"total": sum(registers.values()), "by_registration_id": registers},
                "operations": {each.value: n for each, n in counts.operations.items()},
                "answers": {str(status): n for status, n in counts.answers.items()},
            }
        )

    async def _request_log(self, request: ControlRequest) -> ControlAnswer:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise ControlError(HTTPStatus.BAD_REQUEST, f"after is {after[:20]!r}, not a number")

        entries = self._dps.request_log.after(int(after[:18]))
        return ControlAnswer.json(
            [{"number": number, **to_json(exchange)} for number, exchange in entries]
        )

    async def _faults(self, _: ControlRequest) -> ControlAnswer:
        plan = self._dps.faults.plan
        rules = [rule.label for rule in plan.rules]
        return ControlAnswer.json({"toml": plan.text, "seed": plan.seed, "rules": rules})

    async def _put_faults(self, request: ControlRequest) -> ControlAnswer:
        try:
            self._dps.faults.plan = Plan.read(request.body.decode())
        except UnicodeDecodeError as exc:
            raise ControlError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from exc
        except ConfigurationError as exc:
            raise ControlError(HTTPStatus.BAD_REQUEST, exc.message, hint=exc.hint) from exc

        return await self._faults(request)

    async def _delete_faults(self, request: ControlRequest) -> ControlAnswer:
        self._dps.faults.plan = Plan()
        return await self._faults(request)

    async def _reset(self, request: ControlRequest) -> ControlAnswer:
        self._dps.reset()
        return await self._counts(request)

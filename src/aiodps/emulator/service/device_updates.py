"""Update operations of the preview versions: any device may ask, and there never is an update.

Source of the shapes: Microsoft's specification of 2026-11-02-preview, `UpdateCheckResponse` and
`ReportStatusRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiodps.emulator.service.json_bodies import read_object
from aiodps.emulator.service.refusals import ErrorCode, refusal
from aiodps.emulator.wire import Operation, Request

NO_UPDATE: Final[Mapping[str, Any]] = {
    "serviceConfigEtag": "emulated-service-1",
    "agentInfoEtag": "emulated-agent-1",
}
"""Without `updateMetadata` there is nothing to do."""
_LONGEST_ID = 128


def answer_update(request: Request) -> Mapping[str, Any]:
    """Answer an update operation.

    Raises:
        BadRequestError: If the body is no JSON object, or reports on no workflow.
    """
    try:
        document = read_object(request.body)
    except ValueError as exc:
        raise refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=str(exc)) from exc

    if request.operation is not Operation.REPORT_UPDATE_STATUS:
        return NO_UPDATE

    workflow = document.get("workflowId")
    if not isinstance(workflow, str) or not 0 < len(workflow) <= _LONGEST_ID:
        raise refusal(
            ErrorCode.DESERIALIZATION, "Deserialization error", why="workflowId: 1 to 128 letters"
        )

    return {}

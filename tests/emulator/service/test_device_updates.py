"""Update operations: there never is an update."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.device_updates import answer_update
from aiodps.emulator.wire import Operation, Request
from aiodps.errors import ServiceError


def request(operation: Operation, body: bytes) -> Request:
    """Ask for an update."""
    return Request(
        operation=operation, id_scope="s", registration_id="d", api_version=None, body=body
    )


CHECKS = (Operation.REQUEST_ONBOARDING_UPDATES, Operation.REQUEST_SOFTWARE_UPDATES)
REPORT = Operation.REPORT_UPDATE_STATUS


@pytest.mark.parametrize("operation", CHECKS)
def test_there_is_no_update(operation: Operation) -> None:
    """Both etags that the specification requires, of 1 to 128 characters, and no metadata."""
    answer = answer_update(request(operation, b'{"agentInfo": {"agentProfile": 1}}'))

    assert set(answer) == {"serviceConfigEtag", "agentInfoEtag"}
    assert all(1 <= len(etag) <= 128 for etag in answer.values())


def test_a_report_is_taken() -> None:
    """The answer is an empty object."""
    assert answer_update(request(REPORT, b'{"workflowId": "w", "installResult": {}}')) == {}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHECKS[0], b""),
        (CHECKS[0], b"[]"),
        (REPORT, b"{}"),
        (REPORT, b'{"workflowId": 1}'),
        (REPORT, b'{"workflowId": ""}'),
        (REPORT, b'{"workflowId": "' + b"w" * 129 + b'"}'),
    ],
)
def test_bodies_that_are_refused(operation: Operation, body: bytes) -> None:
    """With the code that the service was seen to give for a malformed report."""
    with pytest.raises(ServiceError) as refused:
        answer_update(request(operation, body))

    assert refused.value.error_code == 400012

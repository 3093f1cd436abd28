"""Error codes and the errors that carry them."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.errors import ErrorCode, refusal
from aiodps.errors import ConflictError, NotFoundError, UnauthorizedError


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_makes_an_error(code: ErrorCode) -> None:
    """The status is the first three digits."""
    refused = refusal(code, "No.")

    assert refused.status_code == code // 1000
    assert type(refused.error_code) is int
    assert refused.error_code == code
    assert refused.message == "No."


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.UNAUTHORIZED, UnauthorizedError),
        (ErrorCode.OPERATION_NOT_FOUND, NotFoundError),
        (ErrorCode.PRECONDITION_FAILED, ConflictError),
    ],
)
def test_errors_can_be_caught_by_kind(code: ErrorCode, kind: type[Exception]) -> None:
    """Python callers catch what they expect."""
    assert type(refusal(code, "No.")) is kind

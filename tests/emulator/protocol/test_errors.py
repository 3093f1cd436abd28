"""Error codes and the exception that carries one."""

from __future__ import annotations

import pytest

from aiodps.emulator.protocol.errors import ErrorCode, Refusal, unsupported_version


def test_the_operator_reads_where_an_api_version_belongs() -> None:
    """A user name with `/?api-version=` as at an IoT hub has none for DPS."""
    refused = unsupported_version(None)

    assert refused.message == "The api-version is missing."
    assert "without '?'" in str(refused.why)


@pytest.mark.parametrize("code", ErrorCode)
def test_the_code_holds_the_status(code: ErrorCode) -> None:
    """It is the first three digits; only the message is shown."""
    refused = Refusal(code, "No.", why="for the log alone", retry_after=3)

    assert 400 <= refused.status_code < 500
    assert str(refused.code.value).startswith(str(refused.status_code))
    assert (str(refused), refused.message) == ("No.", "No.")
    assert (refused.why, refused.retry_after) == ("for the log alone", 3)

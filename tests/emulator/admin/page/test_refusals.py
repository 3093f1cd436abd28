"""What to do about refusals; that each cause is the service's is seen in `test_next_steps`."""

from __future__ import annotations

import pytest

from aiodps.emulator.admin.page.refusals import is_refused, of_failure, of_refusal
from aiodps.emulator.request_log.log import Exchange


@pytest.mark.parametrize(
    ("status_code", "words"),
    [(0, "ended without a response"), (429, "Retry-After"), (404, "register again"),
     (500, "the message says why")],
)  # fmt: skip
def test_by_status(status_code: int, words: str) -> None:
    """What has no cause of its own."""
    exchange = Exchange(transport="https", what="register", status_code=status_code)

    assert words in of_refusal(exchange).text
    assert is_refused(exchange)


def test_an_answer_is_not_refused() -> None:
    """Nor is a poll that tells of a failure."""
    assert not is_refused(Exchange(transport="https", what="register", status_code=200))


def test_a_challenge_is_not_a_fault() -> None:
    """Every TPM is challenged."""
    message = "Authorization required, resend request using supplied key"
    step = of_refusal(
        Exchange(transport="https", what="register", status_code=401, message=message)
    )

    assert step.done


def test_a_failed_registration() -> None:
    """By its error code."""
    assert of_failure(401001).path == "/hubs"
    assert of_failure(None).text == "The registration failed. Let it register again."

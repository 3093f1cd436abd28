"""Findings say what was seen, printably, and name the fault of an error."""

from __future__ import annotations

import pytest

from aiodps.checks.model.finding import fault_of, good, not_tried, of_error
from aiodps.errors import (
    ConnectError,
    NotFoundError,
    PrivateKeyError,
    ProvisioningError,
    RegistrationDisabledError,
)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (PrivateKeyError("no", reason="mismatch"), "mismatch"),
        (ConnectError("no"), "connect"),
        (NotFoundError("no", status_code=404), "not_found"),
        (RegistrationDisabledError("no", status_code=200), "registration_disabled"),
    ],
)
def test_the_fault_of_an_error(error: ProvisioningError, name: str) -> None:
    """Its reason, or its class."""
    assert fault_of(error) == name


def test_codes_of_the_service() -> None:
    """They are what support asks for."""
    error = NotFoundError("gone", status_code=404, error_code=404201, tracking_id="t-1")

    assert of_error("register", error).seen == ("gone (status 404, error 404201, tracking id t-1)")


def test_facts() -> None:
    """JSON has null for what there is not."""
    assert not_tried("name", "no\x1b[31m address").facts() == {
        "check": "name",
        "verdict": "not tried",
        "fault": None,
        "seen": "no?[31m address",
        "next": None,
    }
    assert good("name", "here").facts()["verdict"] == "good"

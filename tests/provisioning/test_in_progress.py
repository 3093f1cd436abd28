"""The registrations that a client has not finished."""

from __future__ import annotations

import pytest

from aiodps.errors import UsageError
from aiodps.provisioning.in_progress import InProgress


def test_one_at_a_time() -> None:
    """The service takes ids for the same in whatever case; others do not wait for each other."""
    registering = InProgress()
    with (
        registering.only("dev-1"),
        registering.only("dev-2"),
        pytest.raises(UsageError) as caught,
        registering.only("DEV-1"),
    ):
        pass

    assert caught.value.registration_id == "DEV-1"


def test_it_ends_with_the_block() -> None:
    """Also when the registration failed, and not when another one was refused."""
    registering = InProgress()
    with pytest.raises(ZeroDivisionError), registering.only("dev-1"):
        raise ZeroDivisionError

    with registering.only("dev-1"):
        for _ in range(2):
            with pytest.raises(UsageError), registering.only("dev-1"):
                pass

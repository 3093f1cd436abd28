"""What can be done to a resource, by method of HTTP."""

from __future__ import annotations

import pytest

from aiodps.emulator.management.methods import choose
from aiodps.errors import ServiceError


def test_a_method_is_chosen() -> None:
    """Of those that there are."""
    assert choose({"GET": 1, "PUT": 2}, "PUT") == 2


@pytest.mark.parametrize(("calls", "status"), [({}, 404), ({"GET": 1}, 405)])
def test_what_cannot_be_done(calls: dict[str, int], status: int) -> None:
    """404 where there is nothing, 405 where there is something else to do."""
    with pytest.raises(ServiceError) as refused:
        choose(calls, "PUT")

    assert refused.value.status_code == status

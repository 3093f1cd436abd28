"""What a run is evaluated by is checked before it runs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.evaluation import Evaluation


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"warm_up": -1}, "warm_up"),
        ({"cool_down": math.nan}, "cool_down"),
        ({"cool_down": math.inf}, "cool_down"),
        ({"allow_limited": True}, "allow_limited"),
        ({"abort_on_fail": True}, "abort_on_fail"),
        ({"abort_on_fail": True, "fail_if": "p99>5s", "warm_up": 1}, "abort_on_fail"),
        ({"fail_if": True}, "fail_if"),
    ],
)
def test_what_cannot_be_meant(values: dict[str, Any], setting: str) -> None:
    """It is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        Evaluation(**values)

    assert caught.value.setting == setting

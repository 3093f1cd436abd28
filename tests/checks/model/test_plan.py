"""The plan has the ports of the transports that a device may use."""

from __future__ import annotations

import pytest

from aiodps.checks.model.plan import paths_of
from aiodps.settings import Settings


@pytest.mark.parametrize(
    ("settings", "paths"),
    [
        (Settings(), {443: ("rest", "mqtt-ws"), 8883: ("mqtt",)}),
        (Settings(transport="rest"), {443: ("rest",)}),
        (Settings(transport="mqtt", port=18883), {18883: ("mqtt",)}),
        (Settings(port=443), {443: ("rest",)}),
        (Settings(port=8443), {8443: ("mqtt",)}),
    ],
)
def test_paths(settings: Settings, paths: dict[int, tuple[str, ...]]) -> None:
    """With `auto` there are all of them, and at a given port the one that it is there."""
    assert paths_of(settings) == paths

"""A run says which service it was against."""

from __future__ import annotations

from typing import Any

import pytest

from aiodps.fleet.report.target import service_name, target_name, transport_names

AZURE = {"endpoint": "global.azure-devices-provisioning.net", "id_scope": "0ne00012ABC"}


@pytest.mark.parametrize(
    ("environment", "target", "service"),
    [
        (AZURE, "global.azure-devices-provisioning.net, id scope 0ne00012ABC", "Azure"),
        ({"endpoint": "dps.test"}, "dps.test", "dps.test"),
        (AZURE | {"emulator": True}, *["an emulator on this machine"] * 2),
        ({}, "", "the service"),
    ],
)
def test_names(environment: dict[str, Any], target: str, service: str) -> None:
    """Endpoint and id scope; or the run's own emulator, whose address nobody has to know."""
    assert (target_name(environment), service_name(environment)) == (target, service)


@pytest.mark.parametrize(
    ("names", "text"),
    [([], "no transport"), (["rest"], "rest"), (["mqtt", "rest"], "rest and mqtt")],
)
def test_transports(names: list[str], text: str) -> None:
    """In the order of the charts."""
    assert transport_names(dict.fromkeys(names)) == text

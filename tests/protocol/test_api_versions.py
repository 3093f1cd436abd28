"""The api-version follows from what is asked for, unless the caller insists on one."""

from __future__ import annotations

import pytest

from aiodps.errors import ConfigurationError
from aiodps.protocol.api_versions import choose_api_version


@pytest.mark.parametrize(
    ("given", "csr", "chosen"),
    [
        (None, False, "2019-03-31"),
        ("2021-06-01", False, "2021-06-01"),
        (None, True, "2026-11-01"),
        ("2025-07-01-preview", True, "2025-07-01-preview"),
        ("2026-11-02-preview", True, "2026-11-02-preview"),
    ],
)
def test_the_version(given: str | None, csr: bool, chosen: str) -> None:
    """The transport's own, the one with certificate requests, or the caller's."""
    assert choose_api_version(given, default="2019-03-31", csr=csr) == chosen


@pytest.mark.parametrize("given", ["2019-03-31", "2021-10-01", "2021-11-01-preview"])
def test_a_version_without_certificate_requests(given: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="does not know certificate requests") as caught:
        choose_api_version(given, default="2019-03-31", csr=True)

    assert caught.value.setting == "api_version"

"""The api-version of a registration: the transport's default, or one that knows certificates."""

from __future__ import annotations

from typing import Final

from aiodps.errors import ConfigurationError

WITH_CSR: Final = "2026-11-01"
"""The generally available version in which devices may ask for a certificate (`csr`)."""
_FIRST_WITH_CSR: Final = "2025-07-01"
"""Earlier versions refuse the member; one of 2021 had another."""


def choose_api_version(given: str | None, *, default: str, csr: bool) -> str:
    """Return the api-version of a registration.

    Args:
        given: The one that the caller insists on; None for the one that suits.
        default: The transport's own.
        csr: Whether the device asks for a certificate.

    Raises:
        ConfigurationError: If the one that was given does not know certificate requests.
    """
    if not csr:
        return default if given is None else given

    if given is None:
        return WITH_CSR

    if given >= _FIRST_WITH_CSR:
        return given

    raise ConfigurationError(
        f"api-version {given} does not know certificate requests",
        setting="api_version",
        hint=f"leave api_version out, or give {WITH_CSR}",
    )

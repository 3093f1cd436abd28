"""A Device Provisioning Service on this machine."""

from __future__ import annotations

try:
    from aiodps.emulator.emulator import Emulator
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] not in {
        "OpenSSL",
        "h11",
        "wsproto",
        "starlette",
        "jinja2",
    }:
        raise

    raise ModuleNotFoundError(
        "the emulator needs more packages: pip install 'aiodps[emulator]'", name=exc.name
    ) from exc

__all__ = ["Emulator"]

"""Extras: what to type for the packages that a command needs. Imports none of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

_OF_COMMANDS: Final = {"demo": "cli,emulator", "emulator": "cli,emulator", "fleet": "fleet"}
_OF_PACKAGES: Final = {
    "click": "cli",
    "rich": "cli",
    **dict.fromkeys(
        ("OpenSSL", "httptools", "wsproto", "starlette", "jinja2", "markupsafe"), "emulator"
    ),
    "prometheus_client": "emulator",
    **dict.fromkeys(("bokeh", "hdrh"), "fleet"),
    "distributed": "dask",
    "tpm2_pytss": "tpm",
}
_CHECKOUT: Final = Path(__file__).parents[4]


def install(*, command: str | None = None, package: str = "", checkout: Path = _CHECKOUT) -> str:
    """Return the command that installs what is missing.

    Args:
        command: Name of the command that was called; None if it is not known.
        package: Name of the package that is missing.
        checkout: Where the sources are, if this runs from them.
    """
    missing = _OF_PACKAGES.get(package.partition(".")[0], "all")
    extra = _OF_COMMANDS.get(command or "", missing)
    source = "aiodps"
    if (checkout / "src" / "aiodps").is_dir() and (checkout / "pyproject.toml").is_file():
        source = "." if Path.cwd() == checkout else str(checkout)

    return f"pip install {shlex.quote(f'{source}[{extra}]')}"

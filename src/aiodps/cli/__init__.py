"""The `aiodps` command line, with one module for each command."""

from __future__ import annotations

import json
import sys

from aiodps.cli.extras import install
from aiodps.errors import ConfigurationError


def main() -> None:
    """Run the command line; the entry point of `aiodps` and of `python -m aiodps`."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    try:
        from aiodps.cli.app import app  # noqa: PLC0415 (click comes with an extra)
        from aiodps.cli.warnings_as_lines import warnings_as_lines  # noqa: PLC0415 (idem)
    except ModuleNotFoundError as exc:
        if exc.name not in {"click", "rich"}:
            raise

        if sys.argv[1:] in (["--version"], ["-V"]):
            from aiodps.version import __version__  # noqa: PLC0415 (reads the package's metadata)

            print(f"aiodps, version {__version__}")  # noqa: T201
            return

        _say_what_is_missing(exc.name)
        sys.exit(2)

    with warnings_as_lines():
        app()


def _say_what_is_missing(package: str) -> None:
    hint = install(command=next(iter(sys.argv[1:]), None), package=package)
    if "--json" in sys.argv:
        message = f"the package {package!r} is not installed"
        facts = ConfigurationError(message, setting="arguments", hint=hint).facts()
        print(json.dumps(facts))  # noqa: T201
    else:
        print(f"the command line needs an extra: {hint}", file=sys.stderr)  # noqa: T201

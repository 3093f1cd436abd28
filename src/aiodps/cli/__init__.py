"""The `aiodps` command line, with one module for each command."""

from __future__ import annotations

import sys

from aiodps.version import __version__

EXTRA_MISSING = "the command line needs an extra: pip install 'aiodps[cli]'"


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
            print(f"aiodps, version {__version__}")  # noqa: T201
            return

        print(EXTRA_MISSING, file=sys.stderr)  # noqa: T201
        sys.exit(2)

    with warnings_as_lines():
        app()

"""Warnings on a terminal: one line each, without a line of source code."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from aiodps.input_files.reading import InsecureKeyFileWarning


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print the warnings of aiodps to stderr, and no others."""
    logger, handler = logging.getLogger("aiodps.attestation"), _Handler(logging.WARNING)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show
            yield
    finally:
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _print(record.getMessage())


def _show(message: Warning | str, category: type[Warning], *_: Any, **_named: Any) -> None:
    if issubclass(category, InsecureKeyFileWarning):
        _print(str(message))


def _print(text: str) -> None:
    click.echo(click.style("warning: ", "yellow", bold=True) + text, err=True)

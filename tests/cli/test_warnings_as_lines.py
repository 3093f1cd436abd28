"""Warnings on a terminal are lines, without source code, and only our own."""

from __future__ import annotations

import logging
import warnings

import pytest
from cryptography.utils import CryptographyDeprecationWarning

from aiodps.cli.warnings_as_lines import warnings_as_lines
from aiodps.input_files.reading import InsecureKeyFileWarning


def test_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The warning about key files, and remarks about certificates."""
    with warnings_as_lines():
        warnings.simplefilter("always")
        warnings.warn("chmod 600", InsecureKeyFileWarning, stacklevel=1)
        logging.getLogger("aiodps.attestation").warning("a hole")

    assert capsys.readouterr().err == "warning: chmod 600\nwarning: a hole\n"


def test_others(capsys: pytest.CaptureFixture[str]) -> None:
    """Those are for whoever changes the code."""
    with warnings_as_lines():
        warnings.simplefilter("always")
        for category in (DeprecationWarning, CryptographyDeprecationWarning, ResourceWarning):
            warnings.warn("x", category, stacklevel=1)

    logging.getLogger("aiodps.attestation").handlers.clear()
    assert capsys.readouterr().err == ""

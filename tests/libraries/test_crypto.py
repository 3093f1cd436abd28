"""Libraries that are imported late are the libraries."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from aiodps.libraries import crypto


def test_the_parts_of_cryptography() -> None:
    """Each is the module itself, the second time too."""
    for _ in range(2):
        assert (crypto.x509, crypto.serialization) == (x509, serialization)
        assert (crypto.ec, crypto.rsa) == (ec, rsa)


def test_a_part_that_there_is_not() -> None:
    """It is said as Python says it."""
    with pytest.raises(AttributeError, match="no attribute 'dsa'"):
        crypto.dsa  # noqa: B018 (that is the point)

"""Credentials in a store."""

from __future__ import annotations

from tests.certificates import root

from aiodps.emulator.state.credentials import from_document, to_document
from aiodps.pki import Authority


def test_a_credential_is_read_as_it_was_written() -> None:
    """Of the kind that is wanted."""
    assert from_document(Authority, to_document(root())).certificate_pem == root().certificate_pem

"""Tokens have the documented form, and the signatures that others make."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote, unquote

import pytest
from tests.sas_vectors import DERIVED, SIGNED, Derived, Signed

from aiodps.protocol import sas

CANONICAL = {
    name: vector
    for name, vector in SIGNED.items()
    if quote(unquote(vector.resource), safe="") == vector.resource
}
"""Those that are escaped as the documentation does it."""


@pytest.mark.parametrize("vector", CANONICAL.values(), ids=CANONICAL)
def test_what_is_signed(vector: Signed) -> None:
    """The signature of the text is the one on record, and the token carries it escaped."""
    audience = unquote(vector.resource)
    text = sas.text_to_sign(audience, expires=vector.expiry)
    signature = hmac.digest(base64.b64decode(vector.key), text, hashlib.sha256)

    assert base64.b64encode(signature).decode() == vector.signature
    assert sas.token(audience, expires=vector.expiry, signature=signature) == (
        f"SharedAccessSignature sr={vector.resource}&sig={quote(vector.signature, safe='')}"
        f"&se={vector.expiry}&skn=registration"
    )


@pytest.mark.parametrize("vector", DERIVED.values(), ids=DERIVED)
def test_derived_keys(vector: Derived) -> None:
    """They are those on record, however the registration id is written."""
    group_key = base64.b64decode(vector.group_key)
    for name in (vector.registration_id, vector.registration_id.upper()):
        assert base64.b64encode(sas.derive_key(group_key, name)).decode() == vector.key


def test_a_token_for_a_hub() -> None:
    """It names no policy, and is otherwise the same; one that never did is left as it is."""
    whole = sas.token("hub/devices/press-4", expires=7, signature=bytes(32))
    hub = sas.for_hub(whole)

    assert whole == f"{hub}&skn=registration"
    assert sas.for_hub(hub) == hub

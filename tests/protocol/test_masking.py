"""What is shown of the wire holds no secret."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.protocol.masking import masked_body, masked_headers


def test_members() -> None:
    """Payloads, keys, tokens and passwords are masked at any depth; the rest is shown."""
    body = {
        "registrationId": "dev-1",
        "payload": {"wifi": "canary"},
        "registrationState": {"tpm": {"authenticationKey": "canary"}, "payload": None},
        "list": [{"sasToken": "canary"}, 1],
    }
    shown = masked_body(json.dumps(body).encode())

    assert "canary" not in shown
    assert json.loads(shown) == {
        "registrationId": "dev-1",
        "payload": "***",
        "registrationState": {"tpm": {"authenticationKey": "***"}, "payload": None},
        "list": [{"sasToken": "***"}, 1],
    }


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ""),
        (b" ", ""),
        (b"<html>canary", "(12 bytes that are not JSON)"),
        (b"\xff", "(1 bytes that are not JSON)"),
        (b"[" * 100_000, "(100000 bytes that are not JSON)"),
    ],
)
def test_not_json(body: bytes, shown: str) -> None:
    """What cannot be looked into is not shown."""
    assert masked_body(body) == shown


def test_headers() -> None:
    """Headers that authorise are masked."""
    shown = masked_headers(
        [("Host", "dps.test"), ("Authorization", "canary"), ("Cookie", "canary")]
    )

    assert shown == "Host: dps.test\nAuthorization: ***\nCookie: ***"


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    """Whatever comes in can be shown."""
    assert len(masked_body(body)) <= 4096

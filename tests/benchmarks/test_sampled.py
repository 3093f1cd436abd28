"""What the sampled processor time of a device is added up to."""

from __future__ import annotations

from typing import Any

import pytest

sampled = pytest.importorskip("benchmarks.sampled", reason="not in a source distribution")

OURS = "/site-packages/aiodps"
HANDSHAKE = ("/lib/python3.11/ssl.py", "SSLSocket.do_handshake")


def one(micros: float, *functions: tuple[str, str, int]) -> dict[str, Any]:
    """Make a round."""
    return {
        "micros": micros,
        "samples": sum(each[2] for each in functions),
        "functions": functions,
    }


@pytest.mark.parametrize(
    ("file", "function", "part"),
    [
        (*HANDSHAKE, "OpenSSL: the handshake"),
        ("/lib/python3.11/ssl.py", "SSLSocket.read", "ssl"),
        (f"{OURS}/attestation/tls_key.py", "TlsKey.read", "aiodps.attestation"),
        (
            f"{OURS}/attestation/tls_key.py",
            "load_into",
            "OpenSSL: reading the device's certificate and key",
        ),
        ("/site-packages/h11/_util.py", "validate", "h11"),
    ],
)
def test_parts(file: str, function: str, part: str) -> None:
    """Functions that only call OpenSSL are OpenSSL's; all others count for their package."""
    assert sampled.part_of(file, function) == part


def test_rounds_count_the_same() -> None:
    """However many samples each has."""
    few = one(1000, (*HANDSHAKE, 1), ("/site-packages/h11/_util.py", "validate", 1))
    many = one(3000, (*HANDSHAKE, 100))

    assert sampled.parts([few, many]) == {"OpenSSL: the handshake": 1750, "h11": 250}


def test_small_parts_are_listed_together() -> None:
    """OpenSSL comes first, and each column adds up."""
    small = [(f"/site-packages/small{number}/a.py", "f", 1) for number in range(3)]
    rounds = [one(1000, *small, ("/site-packages/h11/a.py", "f", 500), (*HANDSHAKE, 497))]
    text = sampled.summary({"environment": {"at_once": 50}, "clients": {"ours:rest": rounds}})

    assert text.splitlines()[4:] == [
        "| OpenSSL: the handshake | 497 |",
        "| h11 | 500 |",
        "| all others | 3 |",
        "| **in all** | 1000 |",
    ]


def test_functions_by_time() -> None:
    """The file of each function is named with its folder."""
    rounds = [one(1000, ("/site-packages/h11/_util.py", "validate", 3), (*HANDSHAKE, 1))]

    assert list(sampled.functions(rounds, 1)) == ["   750.0 h11/_util.py validate"]

"""What is said of the emulator's costs."""

from __future__ import annotations

import pytest

emulator = pytest.importorskip("benchmarks.emulator", reason="not in a source distribution")


@pytest.mark.parametrize(
    ("failures", "overflows", "said"),
    [
        (0, 0, "5,000 were answered in 18.6 s, the last one after 17.8 s. The kernel dropped no "),
        (2, 3, "17.8 s; 2 failed, the first by OSError(). The kernel dropped 3 connections."),
    ],
)
def test_a_burst_in_words(failures: int, overflows: int, said: str) -> None:
    """Rounded, and without what did not happen."""
    facts = {
        "answered": 5000,
        "failures": failures,
        "first_failure": "OSError()" if failures else None,
        "seconds": 18.573458161990857,
        "slowest": 17.83391157600272,
        "ListenOverflows": overflows,
        "ListenDrops": 0,
    }

    assert said in emulator.burst_in_words(facts)

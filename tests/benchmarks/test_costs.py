"""The gate of costs: what it counts in the tables of others, and what it lets pass."""

from __future__ import annotations

import json

import pytest

costs = pytest.importorskip("benchmarks.costs", reason="not in a source distribution")

STRACE = """\
7 read(3, "", 5) = 0
7 getppid() = 1
7 read(3, "\\27", 5) = 5
7 epoll_wait(3, [], 1, 0) = 0
7 getpid() = 7
7 read(3, 0x7f, 5) = -1 EAGAIN (Resource temporarily unavailable)
7 write(3, "x", 1) = 1
7 getppid() = 1
7 read(3, "\\27", 5) = 5
7 write(3, "x", 1) = 1
7 getppid() = 1
7 +++ exited with 0 +++
"""


def test_system_calls_that_tell_of_the_program() -> None:
    """Waiting, and what asyncio asks the kernel for again and again, are left out."""
    assert costs.least_system_calls(STRACE) == 2


def test_instructions() -> None:
    """The line with the total is at the end of a profile."""
    assert costs.callgrind_total("events: Ir\nfn=(1) f\n1 5\n\ntotals: 19728000\n") == 19.728


@pytest.mark.parametrize(("calls", "faults"), [(1020, 0), (1021, 1)])
def test_two_per_cent(calls: int, faults: int) -> None:
    """More than that is a fault."""
    recorded = {"ours:rest": {"calls": 1000}}

    assert len(list(costs.over({"ours:rest": {"calls": calls}}, recorded))) == faults


def test_every_figure_is_recorded() -> None:
    """Each with what it depends on, and why it was taken over last."""
    recorded = json.loads(costs.RECORDED.read_text())

    assert {client: set(figures) for client, figures in recorded["figures"].items()} == {
        client: set(costs.FIGURES) for client in costs.CLIENTS
    }
    assert recorded["notes"]
    assert recorded["environment"].keys() == costs.environment().keys()


def test_a_new_figure_has_to_be_recorded() -> None:
    """Otherwise nothing would be compared."""
    assert list(costs.over({"ours:rest": {"calls": 1}}, {}))

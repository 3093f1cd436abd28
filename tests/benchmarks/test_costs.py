"""The gate of costs: what it counts in the tables of others, and what it lets pass."""

from __future__ import annotations

import json

import pytest

costs = pytest.importorskip("benchmarks.costs", reason="not in a source distribution")
costs_table = pytest.importorskip("benchmarks.costs_table")
packages = pytest.importorskip("benchmarks.packages")

STRACE = """\
7 read(3, "", 5) = 0
7 getppid() = 1
7 read(3, "\\27", 5) = 5
7 writev(9, [{iov_base=".", iov_len=1}], 1) = 1
7 epoll_wait(3, [], 1, 0) = 0
7 mmap(NULL, 4096) = 0x7f
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
    """Turns, memory, and what asyncio asks the kernel for again and again, are left out."""
    assert costs.system_calls_in(STRACE) == [4, 2]


def test_instructions() -> None:
    """The line with the total is at the end of a profile."""
    assert costs.callgrind_total("events: Ir\nfn=(1) f\n1 5\n\ntotals: 19728000\n") == 19.728


@pytest.mark.parametrize(("calls", "faults"), [(1020, 0), (1021, 1)])
def test_two_per_cent(calls: int, faults: int) -> None:
    """More than that is a fault."""
    recorded = {"ours:rest": {"calls": 1000}}

    assert len(list(costs.over({"ours:rest": {"calls": calls}}, recorded))) == faults


@pytest.mark.parametrize(("ours", "faults"), [(20.4, 0), (20.5, 1)])
def test_instructions_are_limited_as_a_ratio(ours: float, faults: int) -> None:
    """On another processor, the baseline's differ as well; calls are compared as they are."""
    recorded = costs.limited(
        {
            "baseline:mqtt": {"instructions": 5.0, "calls": 500},
            "ours:mqtt_native": {"instructions": 10.0, "calls": 1000},
        }
    )
    measured = costs.limited(
        {
            "baseline:mqtt": {"instructions": 10.0, "calls": 500},
            "ours:mqtt_native": {"instructions": ours, "calls": 1000},
        }
    )

    assert measured.keys() == {"ours:mqtt_native"}
    assert len(list(costs.over(measured, recorded))) == faults


def test_a_table() -> None:
    """Ratios are to the baseline of the same protocol."""
    base, ours = (dict.fromkeys(costs.FIGURES, figure) for figure in (1000, 1250))
    figures = {"baseline:mqtt": base, "ours:mqtt_native": ours}
    made_with = {"programs": {"Python": "3.11.7"}, "libraries": {"h11": "0.16.0"}}
    table = costs_table.costs_table({"figures": figures, **made_with})

    assert "| baseline:mqtt | 1,000 | 1,000 | 1,000.00 |" in table
    assert "| ours:mqtt_native | 1,250 (1.25x) |" in table
    assert "Python 3.11.7, h11 0.16.0." in table


def test_the_emulators_calls() -> None:
    """Each kind of connection has its sum, which is limited as that of a client."""
    calls = {"handshake": {"anyio": 200, "h11": 10}, "rest": {"anyio": 300, "h11": 900}}

    table = costs_table.emulator_table(calls).splitlines()
    assert table[-1] == "| **all** | **210** | **1,200** |"
    assert costs.limited(costs.totals(calls))["emulator:rest"] == {"calls": 1200}
    assert "Not counted yet" in costs_table.emulator_table({})


def test_a_table_of_calls() -> None:
    """Packages with few calls share a line, whichever client makes them."""
    calls = {"baseline:rest": {"ssl": 90, "json": 12}, "ours:rest": {"h11": 500, "json": 15}}

    assert costs_table.calls_table(calls).splitlines()[2:] == [
        "| h11 | 0 | 500 |",
        "| ssl | 90 | 0 |",
        "| all others | 12 | 15 |",
    ]


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("/somewhere/src/aiodps/network/dial.py", "aiodps.network"),
        ("/venv/lib/python3.11/site-packages/aiodps/observe.py", "aiodps.observe"),
        ("/venv/lib/python3.11/site-packages/h11/_state.py", "h11"),
        ("/venv/lib/python3.11/site-packages/typing_extensions.py", "typing_extensions"),
        ("/somewhere/aiodps/benchmarks/ours.py", "benchmarks"),
        ("/usr/lib/python3.11/asyncio/events.py", "asyncio"),
        ("/usr/lib/python3.11/ssl.py", "ssl"),
        ("/usr/lib/python3.11/contextlib.py", "other modules of Python"),
        ("<frozen importlib._bootstrap>", "other modules of Python"),
        ("<string>", "methods of dataclasses"),
    ],
)
def test_the_package_of_a_file(file: str, package: str) -> None:
    """A checkout, an installed package and a library are told apart."""
    assert packages.package_of(file) == package


def test_every_figure_is_recorded() -> None:
    """Each with what it depends on, and why it was taken over last."""
    recorded = json.loads(costs.RECORDED.read_text())

    assert {client: set(figures) for client, figures in recorded["figures"].items()} == {
        client: set(costs.FIGURES) for client in costs.CLIENTS
    }
    assert recorded["calls"].keys() == set(costs.CLIENTS)
    assert recorded["notes"]
    for kind, parts in costs.environment().items():
        assert recorded[kind].keys() == parts.keys()


def test_a_new_figure_has_to_be_recorded() -> None:
    """Otherwise nothing would be compared."""
    assert list(costs.over({"ours:rest": {"calls": 1}}, {}))

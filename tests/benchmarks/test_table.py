"""What is published of the benchmarks: spreads, and no claim that the rounds do not carry."""

from __future__ import annotations

from typing import Any, Final

import pytest

table = pytest.importorskip("benchmarks.table", reason="not in a source distribution")
plans = pytest.importorskip("benchmarks.plans")
process = pytest.importorskip("benchmarks.process")
CLIENTS: Final = ("baseline:rest", "ours:rest", "peers:stock_httpx")
PAIR: Final = (*CLIENTS[:2],)


def rounds(*costs: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Make rounds from the CPU of the baseline, of ours, and of the peer."""
    rest = {name: 1.0 for name in table.FIGURES if name not in {"cpu_ms", "ratio"}}
    return [
        {client: {**rest, "cpu_ms": ms} for client, ms in zip(CLIENTS, each, strict=True)}
        for each in costs
    ]


def test_a_spread() -> None:
    """Median, least and most; ratios are taken within a round."""
    _, ours, _ = table.summarise(rounds((1, 2, 9), (2, 3, 9), (4, 10, 9)), CLIENTS)

    assert ours["cpu_ms"] == (2, 3, 10)
    assert ours["ratio"] == (1.5, 2.0, 2.5)
    assert table.written(ours["ratio"], 1) == "2.0 (1.5 to 2.5)"
    assert table.written((1.0, 1.0, 1.0), 1) == "1.0"


@pytest.mark.parametrize(
    ("peers", "claim"),
    [
        ((3, 4), "ours:rest costs less CPU than peers:stock_httpx: x 0.58 (0.50 to 0.67)"),
        ((1, 1), "ours:rest costs more CPU than peers:stock_httpx: x 2.00"),
        ((1, 4), "no difference shown between ours:rest and peers:stock_httpx: x 1.25 (0.50"),
    ],
)
def test_claims(peers: tuple[float, float], claim: str) -> None:
    """Only what holds in every round."""
    rows = table.summarise(rounds(*((1, 2, peer) for peer in peers)), CLIENTS)

    assert any(each.startswith(claim) for each in table.claims(rows))


def test_one_round_claims_nothing() -> None:
    """It has no spread."""
    assert list(table.claims(table.summarise(rounds((1, 2, 3)), CLIENTS))) == []


def test_claims_by_the_wall_clock() -> None:
    """They are in words of their own."""
    slower = [
        {name: {**run, "wall_s": 1 + 3 * number} for number, (name, run) in enumerate(one.items())}
        for one in rounds((1, 1, 1), (1, 1, 1))
    ]
    rows = table.summarise(slower, PAIR, figure="wall_s")

    said = list(table.claims(rows, figure="wall_s"))
    assert said == ["ours:rest is slower than baseline:rest: x 4.00"]


def test_pythons() -> None:
    """Each has a baseline of its own; and each client is compared with itself on the first."""
    one = {
        f"{client} on {python}": {"cpu_ms": cpu}
        for client, python, cpu in (
            ("baseline:rest", "3.11.7", 2),
            ("ours:rest", "3.11.7", 3),
            ("baseline:rest", "3.13.0", 1),
            ("ours:rest", "3.13.0", 2),
        )
    }
    rows = table.summarise([one, one], list(one))

    assert rows[-1]["ratio"] == (2, 2, 2)
    assert list(table.claims(rows))[1:] == [
        "ours:rest on 3.13.0 costs more CPU than baseline:rest on 3.13.0: x 2.00",
        "baseline:rest on 3.13.0 costs less CPU than baseline:rest on 3.11.7: x 0.50",
        "ours:rest on 3.13.0 costs less CPU than ours:rest on 3.11.7: x 0.67",
    ]


def test_a_client_that_did_not_finish() -> None:
    """It has no figures, and its error is told."""
    error = {"error": process.last_line("Traceback\n  a|b\n")}
    broken = [{**one, "ours:rest": error} for one in rounds((1, 2, 3), (1, 2, 3))]
    _, ours, _ = rows = table.summarise(broken, CLIENTS)

    assert "cpu_ms" not in ours
    assert "| ours:rest (a/b) | - |" in table.table(rows)
    assert "did not finish" in table.table(rows)
    assert list(table.claims(rows)) == []


@pytest.mark.parametrize(
    ("busy", "server_busy", "limit"),
    [
        (98.0, 80.0, "its own processor"),
        (60.0, 97.0, "the server's processor"),
        (60.0, 80.0, "waiting"),
    ],
)
def test_who_is_limited_by_what(busy: float, server_busy: float, limit: str) -> None:
    """By a processor that is used up, or by none."""
    row = {"busy": (0, busy, 100), "server_busy": (0, server_busy, 100)}

    assert table.limit_of(row, quiet=True) == limit
    assert table.limit_of(row, quiet=False) == "unknown"


def test_a_page() -> None:
    """Load, and what others did, stand with each table."""
    rows = table.summarise(rounds((1, 2, 3)), CLIENTS)
    tables = [table.Table(at_once=50, load=0.25, others=0.3, rows=rows)]
    facts = {"date": "2026-11-24T00:00:00", "rounds": 1, "seconds": 5.0, "left_out": ["node:rest"]}
    page = table.page(plans.PLANS["main"], facts, tables)

    assert "**50 at a time.** Load before: 0.2; other processes used 0.30 cores meanwhile." in page
    assert "**The machine was not quiet.**" in page
    assert "| `peers:stock_httpx` |" in page
    assert "Left out, because not installed here: node:rest." in page

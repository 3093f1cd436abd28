"""What is published of the benchmarks: spreads, and no claim that the rounds do not carry."""

from __future__ import annotations

from typing import Any

import pytest

table = pytest.importorskip("benchmarks.table", reason="not in a source distribution")
CLIENTS = ("baseline:rest", "ours:rest", "peers:stock_httpx")


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
        ((3, 4), "ours:rest costs less than peers:stock_httpx: x 0.58 (0.50 to 0.67)"),
        ((1, 1), "ours:rest costs more than peers:stock_httpx: x 2.00"),
        ((1, 4), "ours:rest and peers:stock_httpx: no difference shown: x 1.25 (0.50 to 2.00)"),
    ],
)
def test_claims(peers: tuple[float, float], claim: str) -> None:
    """Only what holds in every round."""
    rows = table.summarise(rounds(*((1, 2, peer) for peer in peers)), CLIENTS)

    assert list(table.claims(rows)) == [claim]


def test_a_client_that_did_not_finish() -> None:
    """It has no figures, and its error is told."""
    broken = [{**one, "ours:rest": {"error": "stalled"}} for one in rounds((1, 2, 3))]
    _, ours, _ = rows = table.summarise(broken, CLIENTS)

    assert "cpu_ms" not in ours
    assert "ours:rest (stalled) | - |" in table.table(rows)
    assert list(table.claims(rows)) == []


def test_a_page() -> None:
    """The load stands with each table."""
    rows = table.summarise(rounds((1, 2, 3)), CLIENTS)
    tables = [table.Table(concurrency=50, load=0.25, rows=rows)]
    page = table.page({"date": "2026-11-24T00:00:00", "rounds": 1}, tables)

    assert "## 50 at a time\n\nLoad before: 0.2\n" in page

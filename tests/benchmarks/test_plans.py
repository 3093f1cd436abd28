"""The tables that can be made: who is in them, and how long each takes."""

from __future__ import annotations

import pytest

plans = pytest.importorskip("benchmarks.plans", reason="not in a source distribution")
clients = pytest.importorskip("benchmarks.clients")


@pytest.mark.parametrize("name", plans.PLANS)
def test_each_client_is_known(name: str) -> None:
    """And of each pair that is compared, the figure is one of the columns."""
    assert set(plans.PLANS[name].clients) <= clients.CLIENTS.keys()


def test_the_main_table_is_soon_made() -> None:
    """At the length that is published."""
    assert 10 < plans.PLANS["main"].minutes(rounds=20, seconds=5) <= 22


def test_who_cannot_do_a_thousand_at_once() -> None:
    """It is not asked to."""
    plan = plans.PLANS["concurrency"]

    assert "azure_sdk:mqtt" in [client.name for client in plan.taking_part(300)]
    assert "azure_sdk:mqtt" not in [client.name for client in plan.taking_part(1000)]


def test_estimates() -> None:
    """They know of waits, of the link, and of who connects one device after the other."""
    ours, azure = clients.CLIENTS["ours:rest"], clients.CLIENTS["azure_sdk:mqtt"]
    near, far, waits = (plans.PLANS[name] for name in ("main", "link", "waits"))

    assert near.seconds(ours, 50, seconds=5) < near.seconds(azure, 50, seconds=5)
    assert far.seconds(azure, 200, seconds=5) > 25
    assert waits.seconds(ours, 300, seconds=5) > 3 * 3


def test_a_shorter_table() -> None:
    """It takes less, and has those clients alone."""
    plan = plans.PLANS["concurrency"]
    short = plan.cut_down(at_once=[1, 300], clients={"ours:rest", "curl:rest"})

    assert short.clients == ("ours:rest",)
    assert short.at_once == (1, 300)
    assert short.minutes(rounds=5, seconds=2) < plan.minutes(rounds=5, seconds=2) / 5
    assert plan.cut_down(at_once=[], clients=[]) == plan


def test_conditions() -> None:
    """They are said in a line."""
    assert plans.PLANS["rsa"].conditions == "keys RSA-2048, Retry-After 0, loopback"
    assert plans.PLANS["link"].conditions == (
        "keys P-256, Retry-After 0, a link of 100 ms round trip, 200 devices a round"
    )

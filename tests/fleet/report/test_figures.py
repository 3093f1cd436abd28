"""Figures and their variances come from the same samples."""

from __future__ import annotations

import pytest
from tests.fleet.simulated import simulated_run

from aiodps.fleet.inference.block_bootstrap import BlockBootstrap
from aiodps.fleet.report.figures import FIGURES, Figure

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bootstrap() -> BlockBootstrap:
    """Return the blocks of a run."""
    samples = simulated_run(1).samples
    found = BlockBootstrap.over([(one.intended, one.latency) for one in samples], seed=1)
    assert found is not None
    return found


def figure(name: str) -> Figure:
    """Find a figure."""
    return next(one for one in FIGURES if one.name == name)


def test_values_are_the_summarys() -> None:
    """A count is divided by the devices; what is missing is None."""
    facts = {"devices": 200, "failed": 5, "latency": {"p50": 1.5}, "service_time": None}

    assert figure("failed").value(facts) == 0.025
    assert figure("latency p50").value(facts) == 1.5
    assert figure("service time p50").value(facts) is None


@pytest.mark.parametrize("each", FIGURES, ids=lambda each: each.name)
def test_each_has_a_variance_or_is_not_tested(each: Figure, bootstrap: BlockBootstrap) -> None:
    """A percentile with fewer than ten devices beyond it has none."""
    samples = simulated_run(1).samples
    if each.variance is None:
        assert each.name in {"devices", "latency max"}
    elif each.name == "latency p99.9":
        assert each.variance(bootstrap, samples) is None
    elif each.unit == "s" and "latency" in each.name:
        assert (each.variance(bootstrap, samples) or 0) > 0
    else:
        assert each.variance(bootstrap, samples) is not None


def test_a_rate_varies_by_its_last_device(bootstrap: BlockBootstrap) -> None:
    """At a constant rate blocks hardly vary, but when the last device ends is left to accident."""
    [assigned] = [one for one in FIGURES if one.unit == "/s"]
    assert assigned.variance is not None
    variance = assigned.variance(bootstrap, simulated_run(1).samples)

    assert variance is not None
    assert variance > (50 * 0.35 / 41) ** 2

"""Metrics are what Prometheus's own parser takes them for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Sample
from tests.fleet.live.runs import going_on

from aiodps.fleet.live.openmetrics import BUCKETS, openmetrics
from aiodps.fleet.measure.progress import Progress


def families(text: str) -> Iterator[Metric]:
    """Parse metrics."""
    yield from parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]


def labels(sample: Sample) -> list[str]:
    """Return the values of its labels, the transport first."""
    return [value for _, value in sorted(sample.labels.items(), reverse=True)]


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Parse metrics: values by name and values of labels."""
    return {
        (sample.name.removeprefix("aiodps_fleet_"), *labels(sample)): sample.value
        for family in families(text)
        for sample in family.samples
    }


def test_all_of_them() -> None:
    """Counters by outcome and transport, what is in flight, a histogram, phases, and lag."""
    recorder = going_on()
    found = samples(openmetrics(recorder.progress))

    assert found["registrations_planned",] == 100
    assert found["started_total", "rest"] == 8
    assert found["in_flight", "rest"] == 3
    assert found["in_flight", "mqtt"] == 4
    assert found["registrations_total", "rest", "assigned"] == 4
    assert found["registrations_total", "rest", "failed"] == 1
    assert found["requests_total", "rest", "register_requests"] == 5
    assert found["errors_total", "ThrottledError"] == 1
    assert found["loop_lag_seconds",] == 0.0
    assert found["phase_seconds_total", "mqtt", "start_lag"] == 1.0


def test_the_histogram() -> None:
    """Counts up to each bound, all of them at the last, and the sum."""
    found = samples(openmetrics(going_on().progress))
    counts = [found["latency_seconds_bucket", "rest", str(bound)] for bound in BUCKETS]

    assert counts == [4 if bound >= 1 else 0 for bound in BUCKETS]
    assert found["latency_seconds_bucket", "rest", "+Inf"] == 4
    assert (found["latency_seconds_count", "rest"], found["latency_seconds_sum", "rest"]) == (4, 4)


def test_types_and_units() -> None:
    """As the format has them."""
    found = {
        family.name: (family.type, family.unit)
        for family in families(openmetrics(going_on().progress))
    }

    assert found["aiodps_fleet_latency_seconds"] == ("histogram", "seconds")
    assert found["aiodps_fleet_registrations"] == ("counter", "")
    assert found["aiodps_fleet_in_flight"] == ("gauge", "")


def test_labels_are_escaped() -> None:
    """An error is a text of the service's."""
    nasty = 'a "quote", a \\ and a\nline'

    assert samples(openmetrics(going_on(error=nasty).progress))["errors_total", nasty] == 1


def test_no_registration_id() -> None:
    """Each would be a time series of its own."""
    assert "dev-" not in openmetrics(going_on().progress)


def test_nothing_yet() -> None:
    """A run that has not begun has metrics, too."""
    assert samples(openmetrics(Progress())) == {
        ("registrations_planned",): 0,
        ("loop_lag_seconds",): 0,
    }

"""What a run may be."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.fleets import given, plan

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Burst, Closed, Open
from aiodps.fleet.plan.spec import AZURE_LIMIT, Service, ShardSpec, default_limit

AZURE = Service(id_scope="0ne00000000")


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        pytest.param({"transports": ()}, "transport", id="none"),
        pytest.param({"transports": ("amqp",)}, "transport", id="unknown"),
        pytest.param({"transports": ("rest", "rest")}, "transport", id="twice"),
        pytest.param({"shards": 0}, "shards", id="no shard"),
        pytest.param({"shards": 6}, "concurrency", id="more shards than places"),
        pytest.param({"limit_rate": 0}, "limit_rate", id="limit"),
        pytest.param({"limit_rate": math.nan}, "limit_rate", id="nan"),
        pytest.param({"limit_rate": 60, "arrivals": Open(rate=1.1)}, "rate", id="over the limit"),
        pytest.param({"limit_rate": 60, "arrivals": Burst()}, "limit_rate", id="burst"),
    ],
)
def test_nonsense(changes: dict[str, Any], setting: str) -> None:
    """Plans that contradict themselves are refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        plan(**changes)

    assert caught.value.setting == setting


def test_a_rate_at_the_limit_is_fine() -> None:
    """A thousand a minute may be used in full."""
    assert plan(limit_rate=60, arrivals=Open(rate=1)).limit_rate == 60


def test_azure_has_its_quota() -> None:
    """The service's 1,000 a minute are the default for Azure alone."""
    assert default_limit(AZURE) == AZURE_LIMIT == 1000
    assert default_limit(Service(id_scope="0ne1", endpoint="127.0.0.1")) is None
    private = Service(id_scope="0ne1", endpoint="Mine.Azure-Devices-Provisioning.net")
    assert default_limit(private) == 1000


def test_azure_is_not_polled_faster_than_it_allows() -> None:
    """Less than two seconds between polls are for emulators."""
    with pytest.raises(ConfigurationError, match="five polls"):
        Service(id_scope="0ne1", min_poll_interval=0.5)

    assert not Service(id_scope="0ne1", endpoint="127.0.0.1", min_poll_interval=0.5).azure


@pytest.mark.parametrize(
    "changes",
    [{"id_scope": "a/b"}, {"endpoint": "https://x"}, {"timeout": 0}, {"trust": "/nowhere.pem"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_service_that_cannot_be(changes: dict[str, Any]) -> None:
    """Everything that a client would refuse later is refused at once."""
    with pytest.raises(ConfigurationError):
        Service(**{"id_scope": "0ne1"} | changes)


@pytest.mark.parametrize("count", [1, 2, 7, 10])
def test_two_transports_alternate_and_a_device_does_not_meet_itself(count: int) -> None:
    """Each device once over each; its two registrations lie half a run apart."""
    both = plan(transports=("rest", "mqtt"))
    jobs = both.jobs(given(count).names())

    assert sorted(jobs) == sorted((at, way) for at in range(count) for way in ("rest", "mqtt"))
    assert [way for _, way in jobs] == ["rest", "mqtt"] * count
    for at in range(count):
        first, second = (index for index, job in enumerate(jobs) if job[0] == at)
        assert second - first >= count - 2


@pytest.mark.parametrize("transports", [("rest",), ("rest", "mqtt")])
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_each_shard_is_like_the_run(transports: tuple[str, ...], shards: int) -> None:
    """Each registration is in one shard, and each shard has all transports, in turn."""
    whole = plan(transports=transports, shards=shards)
    jobs = whole.jobs(given(9).names())
    seen = []
    for shard in range(shards):
        mine = [number for number in range(len(jobs)) if whole.shard_of(number) == shard]
        assert mine == [whole.place_in_run(index, shard) for index in range(len(mine))]
        ways = [jobs[number][1] for number in mine]
        assert ways == [*transports] * (len(mine) // len(transports))
        seen += mine

    assert sorted(seen) == list(range(len(jobs)))


def test_it_travels() -> None:
    """A shard's spec reaches another process whole."""
    spec = ShardSpec(plan=plan(), shard=0, source=given(2), folder=Path("runs/a"))
    twin = pickle.loads(pickle.dumps(spec))

    assert (twin.plan, twin.shard, twin.folder) == (spec.plan, spec.shard, spec.folder)
    assert list(twin.source.names()) == list(spec.source.names())


def test_closed_is_the_least_surprise() -> None:
    """The same plan is the same value."""
    assert plan(arrivals=Closed(concurrency=5)) == plan()

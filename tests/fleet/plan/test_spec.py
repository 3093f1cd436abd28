"""What a run may be."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.fleets import SETTINGS, given, options

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Burst, Open
from aiodps.fleet.plan.spec import AZURE_LIMIT, RunOptions, ShardSpec
from aiodps.network.proxy import Proxy
from aiodps.settings import Settings

AZURE = Settings(id_scope="0ne00000000")


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        pytest.param({"transports": ()}, "transport", id="none"),
        pytest.param({"transports": ("amqp",)}, "transport", id="unknown"),
        pytest.param({"transports": ("rest", "rest")}, "transport", id="twice"),
        pytest.param({"shards": 0}, "shards", id="no shard"),
        pytest.param({"shards": 6}, "concurrency", id="more shards than places"),
        pytest.param({"keys_out": Path("keys")}, "keys_out", id="a folder for nothing"),
        pytest.param(
            {"settings": SETTINGS.replace(issue="p256")}, "keys_out", id="keys without a folder"
        ),
        pytest.param({"limit_rate": -1}, "limit_rate", id="limit"),
        pytest.param({"limit_rate": math.nan}, "limit_rate", id="nan"),
        pytest.param({"limit_rate": 60, "arrivals": Open(rate=1.1)}, "rate", id="over the limit"),
        pytest.param({"limit_rate": 60, "arrivals": Burst()}, "limit_rate", id="burst"),
    ],
)
def test_nonsense(changes: dict[str, Any], setting: str) -> None:
    """Plans that contradict themselves are refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        options(**changes)

    assert caught.value.setting == setting


def test_a_rate_at_the_limit_is_fine() -> None:
    """A thousand a minute may be used in full."""
    assert options(limit_rate=60, arrivals=Open(rate=1)).max_per_minute == 60


def test_azure_has_its_quota() -> None:
    """The service's 1,000 a minute are the default for Azure alone."""
    assert RunOptions(settings=AZURE).max_per_minute == AZURE_LIMIT == 1000
    assert RunOptions(settings=AZURE, limit_rate=0).max_per_minute is None
    assert options().max_per_minute is None
    private = AZURE.replace(endpoint="Mine.Azure-Devices-Provisioning.net")
    assert RunOptions(settings=private).max_per_minute == 1000
    with pytest.raises(ConfigurationError, match="per minute"):
        RunOptions(settings=AZURE, arrivals=Burst())


def test_azure_needs_a_durable_journal() -> None:
    """What a kill loses is registered and billed again there, unless somebody wants it so."""
    assert options(journal="memory").durable is False
    assert RunOptions(settings=AZURE).durable
    with pytest.raises(ConfigurationError, match="bills each register request") as caught:
        RunOptions(settings=AZURE, journal="memory")

    assert caught.value.setting == "journal"
    forced = RunOptions(settings=AZURE, journal="memory", force_memory_journal=True)
    assert not forced.durable
    with pytest.raises(ConfigurationError):
        options(journal="paper")


def test_azure_is_not_polled_faster_than_it_allows() -> None:
    """Less than two seconds between polls are for emulators."""
    with pytest.raises(ConfigurationError, match="five polls"):
        RunOptions(settings=AZURE, min_poll_interval=0.5)

    assert not options(min_poll_interval=0.5).azure


@pytest.mark.parametrize(
    "changes",
    [
        *({"id_scope": "a/b"}, {"id_scope": None}, {"endpoint": "https://x"}, {"timeout": 0}),
        *({"trust": "/nowhere.pem"}, {"trust": b"PEM"}, {"transport": "rest"}, {"port": 9}),
        {"proxy": Proxy.parse("http://u:p@proxy.example:1")},
        {"proxy_password_file": Path("/nowhere")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_that_cannot_be(changes: dict[str, Any]) -> None:
    """Everything that a client would refuse later is refused at once."""
    with pytest.raises(ConfigurationError):
        RunOptions(settings=Settings(**{"id_scope": "0ne1"} | changes))


@pytest.mark.parametrize("count", [1, 2, 7, 10])
def test_two_transports_alternate_and_a_device_does_not_meet_itself(count: int) -> None:
    """Each device once over each; its two registrations lie half a run apart."""
    both = options(transports=("rest", "mqtt"))
    jobs = both.registrations(count)

    assert sorted(jobs) == sorted((at, way) for at in range(count) for way in ("rest", "mqtt"))
    assert [way for _, way in jobs] == ["rest", "mqtt"] * count
    for at in range(count):
        first, second = (index for index, job in enumerate(jobs) if job[0] == at)
        assert second - first >= count - 2


@pytest.mark.parametrize("transports", [("rest",), ("rest", "mqtt")])
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_each_shard_is_like_the_run(transports: tuple[str, ...], shards: int) -> None:
    """Each registration is in one shard, and each shard has all transports, in turn."""
    whole = options(transports=transports, shards=shards)
    jobs = whole.registrations(9)
    seen = []
    for shard in range(shards):
        mine = [number for number in range(len(jobs)) if whole.shard_of(number) == shard]
        ways = [jobs[number][1] for number in mine]
        assert ways == [*transports] * (len(mine) // len(transports))
        seen += mine

    assert sorted(seen) == list(range(len(jobs)))


def test_it_travels() -> None:
    """A shard's spec reaches another process whole."""
    spec = ShardSpec(
        run_id="run-1", options=options(), shard=0, source=given(2), folder=Path("runs/a")
    )
    twin = pickle.loads(pickle.dumps(spec))

    assert (twin.options, twin.run_id, twin.folder) == (spec.options, spec.run_id, spec.folder)
    assert list(twin.source.registration_ids()) == list(spec.source.registration_ids())

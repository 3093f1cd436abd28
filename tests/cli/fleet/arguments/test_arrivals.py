"""What was typed says when devices start, and how many do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.fleet.arguments.test_options import made

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Stage, Staged


@pytest.mark.parametrize(
    ("words", "arrivals"),
    [
        ([], Closed(concurrency=50)),
        (["--concurrency", "7"], Closed(concurrency=7)),
        (["--burst"], Burst()),
        (["--burst", "--concurrency", "9"], Burst(concurrency=9)),
        (["--rate", "2.5"], Open(rate=2.5)),
        (
            ["--rate", "2", "--arrivals", "poisson", "--ramp", "3", "--concurrency", "4"],
            Open(rate=2, spacing="poisson", ramp=3, concurrency=4),
        ),
        (["--rate", "2", "--ramp", "1.5m"], Open(rate=2, ramp=90)),
        (
            ["--stages", "1m:50, 5m:200,0s:9", "--arrivals", "poisson"],
            Staged(
                stages=(
                    Stage(duration=60, rate=50),
                    Stage(duration=300, rate=200),
                    Stage(duration=0, rate=9),
                ),
                spacing="poisson",
            ),
        ),
    ],
)
def test_arrivals(words: list[str], arrivals: Arrivals) -> None:
    """Each way to say how devices come."""
    assert made("--emulator", *words).options.arrivals == arrivals


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 100),
        (["--devices", "7", "--rate", "2"], 7),
        (["--rate", "2", "--duration", "1m"], 120),
        (["--rate", "10", "--ramp", "4", "--duration", "6"], 40),
        (["--rate", "2", "--duration", "1m", "--transport", "rest,mqtt"], 60),
        (["--stages", "10s:4,5s:4"], 40),
        (["--stages", "10s:4,10s:0"], 40),
        (["--stages", "10s:4,10s:0", "--devices", "9"], 9),
    ],
)
def test_how_many_devices(words: list[str], count: int) -> None:
    """A rate and a duration give their product, a ramp its triangle, stages the area under them."""
    assert len(made("--emulator", *words).source.registration_ids()) == count


def test_poisson_arrivals_decide_how_many() -> None:
    """As many as come: about the product, the same for the same seed."""
    words = ("--emulator", "--rate", "20", "--duration", "50", "--arrivals", "poisson", "--seed")
    counts = [len(made(*words, seed).source.registration_ids()) for seed in ("7", "7", "8")]

    assert counts[0] == counts[1] != counts[2]
    assert all(abs(count - 1000) < 150 for count in counts)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--duration", "5m"], "need a --rate"),
        (["--rate", "5", "--stages", "1m:5"], "cannot be used together"),
        (["--burst", "--stages", "1m:5"], "cannot be used together"),
        (["--rate", "5", "--duration", "5m", "--devices", "3"], "cannot be used together"),
        (["--stages", "1m:5", "--ramp", "3"], "need a --rate"),
        (["--stages", ""], "not a valid stage"),
        (["--stages", "1m:5,"], "not a valid stage"),
        (["--stages", "1m"], "not a valid stage"),
        (["--stages", "1m:x"], "not a valid stage"),
        (["--stages", "1m:0"], "stages cannot be"),
        (["--arrivals", "poisson"], "needs a rate"),
        (["--rate", "100000", "--duration", "5h"], "duration cannot be"),
    ],
)
def test_what_cannot_be_meant(words: list[str], message: str) -> None:
    """It is refused, and why is said."""
    with pytest.raises(ConfigurationError, match=message):
        made("--emulator", *words)


def test_a_manifest_s_devices_must_have_time_to_start(tmp_path: Path) -> None:
    """Stages that end at zero leave the rest out for ever; a last rate is kept for them."""
    path = tmp_path / "m.csv"
    path.write_text("registration_id\n" + "".join(f"dev-{n}\n" for n in range(9)))
    words = ("--manifest", str(path), "--id-scope", "0ne1")

    assert len(made(*words, "--stages", "1s:4,1s:1").source.registration_ids()) == 9
    with pytest.raises(ConfigurationError, match="4 of the 9 devices"):
        made(*words, "--stages", "1s:4,1s:0")

    with pytest.raises(ConfigurationError, match="--duration cannot be used with --manifest"):
        made(*words, "--rate", "1", "--duration", "9")

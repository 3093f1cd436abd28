"""A sample knows its two durations, and the file gives back what was written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fleet.samples import sample

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.sample import (
    HEADER,
    PHASES,
    Outcome,
    Sample,
    read_samples,
    sample_from_json,
    write_samples,
)
from aiodps.models import Phase
from aiodps.printable import printable

TEXT = st.text(st.characters(codec="utf-8"), min_size=1).map(printable)
SECONDS = st.floats(0, 1e6)
COUNT = st.integers(0, 10**6)
SAMPLES = st.builds(
    Sample,
    registration_id=TEXT,
    transport=st.sampled_from(["rest", "mqtt"]),
    shard=COUNT,
    intended=SECONDS,
    started=SECONDS,
    finished=SECONDS,
    outcome=st.sampled_from(Outcome),
    phases=st.dictionaries(st.sampled_from(PHASES), SECONDS),
    backoff=SECONDS,
    register_requests=COUNT,
    polls=COUNT,
    throttled=COUNT,
    retries=COUNT,
    error_class=st.none() | TEXT,
    error_code=st.none() | st.integers(-(10**39), 10**39),
    tracking_id=st.none() | TEXT,
    error_message=st.none() | TEXT,
    assigned_hub=st.none() | TEXT,
    device_id=st.none() | TEXT,
    credential=st.none() | st.integers(0, 9),
)


def test_two_durations() -> None:
    """Latency counts from when it should have begun, service time from when it did."""
    one = sample(intended=1.0, started=3.0, finished=4.5)

    assert (one.latency, one.service_time) == (3.5, 1.5)


def test_the_phases() -> None:
    """Every phase in which a registration spends time has its column."""
    assert set(PHASES) == set(Phase) - {Phase.CONFIGURATION} | {"journal", "poll_floor"}


def test_every_field_has_its_column() -> None:
    """The columns are the fields, the phases spread out."""
    fields = {field.name for field in dataclasses.fields(Sample)}

    assert set(HEADER) == fields - {"phases"} | set(PHASES)
    assert len(set(HEADER)) == len(HEADER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(samples=st.lists(SAMPLES, max_size=5))
def test_round_trip(tmp_path: Path, samples: list[Sample]) -> None:
    """Whatever is written is read back, to the last digit and character."""
    path = tmp_path / "samples.csv"
    write_samples(path, samples)

    assert list(read_samples(path)) == samples


@given(SAMPLES)
def test_json_and_back(one: Sample) -> None:
    """So it is in the journal."""
    assert sample_from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(
    "changes",
    [
        {"intended": "soon"},
        {"finished": float("inf")},
        {"started": float("nan")},
        {"finished": 1e300},
        {"polls": -1},
        {"polls": True},
        {"retries": 10**30},
        {"outcome": "lost"},
        {"phases": None},
        {"phases": {"tcp": "x"}},
        {"phases": {"lunch": 1.0}},
        {"unknown": 1},
        {"transport": None},
    ],
    ids=str,
)
def test_a_sample_of_somebody_elses(changes: dict[str, object]) -> None:
    """Whatever was changed in it: one kind of error, and no number that makes charts endless."""
    with pytest.raises(ValueError, match="sample"):
        sample_from_json(dataclasses.asdict(sample()) | changes)


def test_text_of_somebody_elses_is_made_printable() -> None:
    """It may say what it likes, not do."""
    facts = dataclasses.asdict(sample(error_message="\x1b[2Jno\r\n"))

    assert sample_from_json(facts).error_message == "?[2Jno  "


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("a,b,c\n", 1),
        (",".join(HEADER) + "\nx,y\n", 2),
        (",".join(HEADER) + "\n" + "," * (len(HEADER) - 1) + "\n", 2),
        (",".join(HEADER) + '\n"x', 2),
    ],
    ids=["empty", "other columns", "short", "no numbers", "cut"],
)
def test_other_files(tmp_path: Path, text: str, line: int) -> None:
    """A file that is not ours is refused with file and line."""
    path = tmp_path / "samples.csv"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=rf"samples\.csv, line {line}:"):
        list(read_samples(path))


@pytest.mark.parametrize("cell", ["nan", "inf"])
def test_what_is_not_a_number_of_seconds(tmp_path: Path, cell: str) -> None:
    """Percentiles of it would be anything."""
    path = tmp_path / "samples.csv"
    write_samples(path, [sample(finished=float(cell))])

    with pytest.raises(ConfigurationError, match=r"line 2: .* is out of range"):
        list(read_samples(path))


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is bad input, not a traceback."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        list(read_samples(tmp_path / "samples.csv"))

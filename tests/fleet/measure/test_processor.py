"""What the kernel says, and what it does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiodps.fleet.measure.processor import cpu_stat_paths, run_delay, throttling, usage


def test_this_process() -> None:
    """Totals grow; what the kernel does not tell is None."""
    before, after = usage(), usage()

    assert before.wall <= after.wall
    assert before.cpu <= after.cpu
    assert before.delay is None or (after.delay is not None and before.delay <= after.delay)


def test_run_delay(tmp_path: Path) -> None:
    """The second number of schedstat, in nanoseconds."""
    (tmp_path / "schedstat").write_text("600000000 1500000000 120\n")
    (tmp_path / "empty").write_text("")

    assert run_delay(tmp_path / "schedstat") == 1.5
    assert run_delay(tmp_path / "empty") is None
    assert run_delay(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nr_periods 10\nnr_throttled 4\nthrottled_usec 250000\n", (0.25, 4)),
        ("nr_periods 10\nnr_throttled 4\nthrottled_time 250000000\n", (0.25, 4)),
        ("usage_usec 17\nuser_usec 12\n", None),
        ("garbage", None),
    ],
    ids=["version 2", "version 1", "no controller", "garbage"],
)
def test_throttling(tmp_path: Path, text: str, expected: tuple[float, int] | None) -> None:
    """Both versions of control groups tell, each in its unit."""
    (tmp_path / "cpu.stat").write_text(text)

    assert throttling(tmp_path / "cpu.stat") == expected


def test_where_the_group_is(tmp_path: Path) -> None:
    """Under its path, or at the top in a container."""
    (tmp_path / "cgroup").write_text("4:cpu,cpuacct:/pod/a\n3:memory:/pod/b\n0::/pod/c\n")
    paths = cpu_stat_paths(tmp_path / "cgroup", Path("/sys/fs/cgroup"))

    assert [str(path) for path in paths] == [
        "/sys/fs/cgroup/cpu,cpuacct/pod/a/cpu.stat",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
        "/sys/fs/cgroup/pod/c/cpu.stat",
        "/sys/fs/cgroup/cpu.stat",
    ]
    assert list(cpu_stat_paths(tmp_path / "none")) == []

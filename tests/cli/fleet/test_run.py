"""`aiodps fleet run`, as it is typed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.certificates import root
from tests.fleet.servers import fleet_command, run_facts, server

from aiodps.cli.fleet import output
from aiodps.cli.fleet.run import command
from aiodps.pki.files import CredentialFiles

pytestmark = pytest.mark.sockets
FLEET = (sys.executable, "-m", "aiodps", "fleet")


def typed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Type a command."""
    return subprocess.run([*FLEET, *map(str, words)], capture_output=True, text=True, check=False)


def invoked(folder: Path, *words: str) -> Result:
    """Invoke the command for three devices, with a service in a thread and no process."""
    ca = CredentialFiles(directory=folder, name="ca")
    ca.write(root())
    with server(retry_after=0) as dps:
        run, *where = fleet_command(run_facts(dps, folder), folder, 3, "mqtt", ca=ca)
        assert run == "run"
        return CliRunner().invoke(
            command, [*where, "--min-poll", "0", "--out", str(folder / "run"), *words]
        )


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run shards in threads."""
    monkeypatch.setattr(output, "executor_for", lambda _: ThreadPoolExecutor)


def test_an_emulator_and_both_transports(tmp_path: Path) -> None:
    """Everything is there at the end, nothing of the emulator is, and every device is counted."""
    out = tmp_path / "run"
    ended = typed(
        *("run", "--emulator", "--devices", "6", "--transport", "rest,mqtt", "--burst"),
        *("--retry-after", "0", "--min-poll", "0", "--shards", "2", "--seed", "7", "--out", out),
        *("--fail-if", "p99>60s,errors>0", "--allow-limited", "--json"),
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    summary = json.loads(ended.stdout)
    assert summary["seed"] == 7
    assert {one["threshold"] for one in summary["thresholds"]} == {
        *("p99>60s", "errors>0", "unfinished>0"),
    }
    assert all(one["passed"] for one in summary["thresholds"])
    assert summary["states"] == {
        "planned": 0, "sent": 0, "operation": 0, "assigned": 12, "failed": 0,
    }  # fmt: skip
    for name in ("rest", "mqtt"):
        assert summary["transports"][name]["register_requests"] == 6

    assert {
        "summary.json",
        "samples.csv",
        "histograms",
        "timeline.csv",
        "assignments.csv",
        "run.json",
    } <= {path.name for path in out.iterdir()}
    with (out / "assignments.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 7

    assert not (tmp_path / "run.emulator").exists()
    for path in out.rglob("*"):
        if path.is_file():
            assert b"PRIVATE KEY" not in path.read_bytes()


@pytest.mark.usefixtures("in_threads")
def test_plain_lines_and_a_missed_threshold(tmp_path: Path) -> None:
    """Lines on stderr, the table on stdout, no escape codes; exit code 99 and by what."""
    junit, page = tmp_path / "junit.xml", tmp_path / "page.md"
    ended = invoked(
        *(tmp_path, "--fail-if", "register_requests>=1", "--rate", "50", "--warm-up", "1ms"),
        *("--junit", str(junit), "--markdown", str(page)),
    )

    assert ended.exit_code == 99
    assert "3/3" in ended.stderr
    assert "p99" in ended.stderr
    assert "latency p99" in ended.stdout
    rows = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert "register_requests>=1 mqtt 1 missed" in rows
    assert "register_requests" in junit.read_text()
    assert "register\\_requests" in page.read_text()
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["evaluation"]["fail_if"], run["evaluation"]["warm_up"]) == (
        "register_requests>=1",
        0.001,
    )
    assert "\x1b" not in ended.output


@pytest.mark.usefixtures("in_threads")
def test_devices_that_fail(tmp_path: Path) -> None:
    """Exit code 1; class, code and an example are shown."""
    ended = invoked(tmp_path, "--id-scope", "0ne0000dead")

    assert ended.exit_code == 1
    assert "3 x " in ended.stdout
    assert "ID scope not found" in ended.stdout


@pytest.mark.usefixtures("in_threads")
def test_a_run_that_is_lost_is_ended(tmp_path: Path) -> None:
    """With the first device that fails, of three a minute; exit code 99, and what was lost."""
    ended = invoked(
        *(tmp_path, "--id-scope", "0ne0000dead", "--fail-if", "errors>0", "--abort-on-fail"),
        *("--rate", "0.05"),
    )

    assert ended.exit_code == 99
    assert "ending the run: errors>0 (mqtt) is certain" in ended.stderr
    assert "2 registrations have not ended" in ended.stderr


BAD = "registration_id,certificate\ndev-1,nowhere.pem\ndev/2,x.pem\ndev-3,nowhere.pem\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--devices", "3"], "no devices", id="nothing"),
        pytest.param(["--manifest", "good.csv"], "id scope is missing", id="scope"),
        pytest.param(["--emulator", "--manifest", "m.csv"], "--manifest cannot be used with", id="mixed"),
        pytest.param(
            ["--manifest", "good.csv", "--id-scope", "0ne1", "--devices", "3"],
            "--devices cannot be used with", id="mixed too",
        ),
        pytest.param(["--emulator", "--devices", "0"], "devices cannot be", id="zero"),
        pytest.param(["--emulator", "--rate", "0"], "rate cannot be", id="rate"),
        pytest.param(["--emulator", "--rate", "5", "--burst"], "cannot be used together", id="burst and rate"),
        pytest.param(["--emulator", "--ramp", "5"], "--rate R", id="ramp alone"),
        pytest.param(["--emulator", "--transport", "amqp"], "transport cannot be 'amqp'", id="transport"),
        pytest.param(["--emulator", "--transport", "auto"], "each transport by itself", id="auto"),
        pytest.param(["--emulator", "--shard", "2/2"], "not a valid shard", id="shard"),
        pytest.param(["--emulator", "--shards", "99"], "concurrency cannot be", id="shards"),
        pytest.param(["--emulator", "--fail-if", "p98>1"], "not a valid threshold", id="threshold"),
        pytest.param(["--emulator", "--fail-if", ""], "not a valid threshold", id="empty threshold"),
        pytest.param(["--emulator", "--start-at", "12"], "has passed", id="start"),
        pytest.param(["--emulator", "--limit-rate", "60", "--rate", "2"], "limit of 60", id="limit"),
        pytest.param(
            ["--manifest", "good.csv", "--id-scope", "0ne1", "--burst"], "1000 per minute",
            id="azure",
        ),
        pytest.param(
            ["--manifest", "good.csv", "--id-scope", "0ne1", "--ca", "ca.pem"],
            "--ca-key is missing", id="ca",
        ),
        pytest.param(
            ["--manifest", "good.csv", "--id-scope", "0ne1", "--ca", "c", "--ca-key", "k",
             "--keys-out", "run/keys"], "outside of --out", id="keys",
        ),
        pytest.param(["--manifest", "bad.csv", "--id-scope", "0ne1"], "bad.csv:3: ", id="row"),
        pytest.param(["--manifest", "bad.csv", "--id-scope", "0ne1"], "bad.csv:4: ", id="file"),
        pytest.param(
            ["--manifest", "missing.csv", "--id-scope", "0ne1"], "No such file", id="manifest"
        ),
    ],
)  # fmt: skip
def test_invalid_options_are_refused_before_anything_is_sent(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, the reason in words, and no folder is made."""
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("registration_id\ndev-1\n")
    Path("bad.csv").write_text(BAD)
    result = CliRunner().invoke(command, [*words, "--out", "run"])

    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("run").exists()


@pytest.mark.usefixtures("in_threads")
def test_watched(tmp_path: Path) -> None:
    """Where to look is said before anything starts, and --json is still alone on stdout."""
    done = invoked(tmp_path, "--live", "--metrics-port", "0", "--json")

    assert done.exit_code == 0
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["live", "metrics"]
    assert json.loads(done.stdout)["states"]["assigned"] == 3

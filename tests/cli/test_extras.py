"""What a bare installation is told to install."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aiodps.cli import main
from aiodps.cli.extras import install


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("fleet", "hdrh", "fleet"),
        ("fleet", "click", "fleet"),
        ("emulator", "starlette", "cli,emulator"),
        ("provision", "rich", "cli"),
        (None, "distributed", "dask"),
        ("keys", "tpm2_pytss.types", "tpm"),
        ("status", "unheard_of", "all"),
    ],
)
def test_which_extra(command: str | None, package: str, extra: str, tmp_path: Path) -> None:
    """The command's, which has all that it needs; otherwise the package's."""
    words = install(command=command, package=package, checkout=tmp_path)

    assert words == f"pip install 'aiodps[{extra}]'"


def test_in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed from there, wherever one stands."""
    tmp_path.joinpath("src", "aiodps").mkdir(parents=True)
    tmp_path.joinpath("pyproject.toml").touch()
    outside = install(command="fleet", checkout=tmp_path)
    monkeypatch.chdir(tmp_path)

    assert outside == f"pip install '{tmp_path}[fleet]'"
    assert install(command="fleet", checkout=tmp_path) == "pip install '.[fleet]'"


@pytest.mark.sockets
def test_an_emulator_without_its_packages() -> None:
    """The package that is missing is named, and what installs it."""
    code = "import sys; sys.modules['httptools'] = None; from aiodps.cli import main; main()"
    words = [sys.executable, "-c", code, "emulator"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: the package 'httptools' is not installed",
        f"next:  install it: {install(command='emulator')}",
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_without_click(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence on stderr, or one object on stdout."""
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "aiodps.cli.app", raising=False)
    monkeypatch.setattr(sys, "argv", ["aiodps", "fleet", "run", *(["--json"] if as_json else [])])
    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr()
    hint = install(command="fleet")
    assert ended.value.code == 2
    if as_json:
        facts = json.loads(said.out)
        assert (facts["message"], facts["hint"]) == ("the package 'click' is not installed", hint)
    else:
        assert said.err == f"the command line needs an extra: {hint}\n"

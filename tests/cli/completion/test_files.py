"""What shells complete: commands without importing them, options, choices, and files."""

from __future__ import annotations

import sys

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from aiodps.cli.app import COMMANDS, app


class Bash(BashComplete):
    """Asks for completions as bash does, without one."""

    def __init__(self) -> None:
        super().__init__(app, {}, "aiodps", "_AIODPS_COMPLETE")


def offered(*words: str) -> list[str]:
    """Return what is offered for the last word."""
    return [each.value for each in Bash().get_completions(list(words[:-1]), words[-1])]


def kinds(*words: str) -> list[str]:
    """Return what kind of completion the last word gets."""
    return [each.type for each in Bash().get_completions(list(words[:-1]), words[-1])]


def test_commands() -> None:
    """By name, also those of a command."""
    loaded = set(sys.modules)

    assert offered("") == list(COMMANDS)
    assert offered("pro") == ["provision"]
    assert offered("fleet", "res") == ["resume"]
    assert not [name for name in set(sys.modules) - loaded if name.startswith("aiodps.cli.ch")]


def test_options_and_choices() -> None:
    """As the help has them."""
    assert offered("provision", "--transp") == ["--transport"]
    assert "rest" in offered("provision", "--transport", "")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("provision", "--cert", "dev"), ["file"]),
        (("provision", "--keys-out", ""), ["dir"]),
        (("fleet", "run", "--manifest", ""), ["file"]),
        (("fleet", "resume", ""), ["dir"]),
        (("provision", "--id-scope", ""), []),
    ],
    ids=["cert", "keys-out", "manifest", "resume", "id-scope"],
)
def test_files(words: tuple[str, ...], kind: list[str]) -> None:
    """Whatever the help calls a file or a folder."""
    assert kinds(*words) == kind


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks aiodps itself."""
    monkeypatch.setattr(BashComplete, "_check_version", lambda *_: None)  # it starts bash
    done = CliRunner().invoke(app, ["completion", shell])

    assert done.exit_code == 0
    assert f"_AIODPS_COMPLETE={shell}_complete" in done.stdout


def test_unknown_shell() -> None:
    """The choices are listed."""
    done = CliRunner().invoke(app, ["completion", "tcsh"])

    assert (done.exit_code, "'bash', 'zsh', 'fish'" in done.stderr) == (2, True)

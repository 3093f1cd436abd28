"""Where and with what something was measured."""

from __future__ import annotations

import datetime as dt
import functools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import Environments

PACKAGES: Final = ("httpx", "h11", "aiomqtt", "paho-mqtt", "anyio", "cryptography")
_PROGRAMS: Final = (("node", "--version"), ("curl", "--version"), ("openssl", "version"))


def environment(
    options: Mapping[str, Any], environments: Environments | None = None
) -> dict[str, Any]:
    """Say what was measured where, and how to do it again."""
    module = Path(sys.argv[0]).stem
    newest = environments and environments.newest_python
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "command": f"python -m benchmarks.{module} {' '.join(sys.argv[1:])}".strip(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.platform()}",
        "load_before": os.getloadavg()[0],
        **python_facts(sys.executable),
        **({"newest": python_facts(newest)} if newest else {}),
        "versions": {name: version(name) for name in PACKAGES},
        "programs": {words[0]: _output(*words) for words in _PROGRAMS if shutil.which(words[0])},
        **options,
    }


@functools.cache
def python_facts(python: str) -> dict[str, str]:
    """Return the version of a Python, and of its OpenSSL."""
    asked = "import platform, ssl; print(platform.python_version(), ssl.OPENSSL_VERSION)"
    release, _, openssl = _output(python, "-c", asked).partition(" ")
    return {"python": release, "openssl": openssl}


def _commit() -> str:
    """Name the commit, and whether files have changed since, other than results of before."""
    changed = _output("git", "status", "--porcelain", "--", ".", ":!benchmarks/results")
    return _output("git", "describe", "--always") + ("-dirty" if changed else "")


def _output(*words: str) -> str:
    done: Sequence[str] = subprocess.run(
        words, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    return done[0].strip() if done else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()

    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

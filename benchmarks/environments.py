"""What the clients of others live in: environments of their own, in one folder.

    python -m benchmarks.environments            # makes build/bench, in about two minutes

azure-iot-device needs paho-mqtt 1; Node's SDK comes from npm, by `node/package-lock.json`; and the
newest Python that is here gets this checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
DEFAULT: Final = Path("build/bench")
_AZURE: Final = HERE.parent / "tests" / "interop" / "environments" / "azure-iot-device.txt"


@dataclass(frozen=True, slots=True)
class Environments:
    """The folder that has them, as far as they have been made."""

    folder: Path

    @property
    def azure_python(self) -> str | None:
        """The Python with azure-iot-device."""
        return self._existing("azure-iot-device/bin/python")

    @property
    def newest_python(self) -> str | None:
        """The newest Python, with this checkout; None if that is the one that runs this."""
        return self._existing("newest/bin/python")

    @property
    def node_modules(self) -> str | None:
        """The folder with Node's SDK; None if there is no Node."""
        return self._existing("node/node_modules") if shutil.which("node") else None

    def _existing(self, name: str) -> str | None:
        path = self.folder / name
        return str(path.absolute()) if path.exists() else None

    def make(self) -> None:
        """Make all that are not there yet."""
        if self.azure_python is None:
            self._environment("azure-iot-device", sys.executable, "-r", str(_AZURE))

        newest = newest_python()
        if self.newest_python is None and newest is not None:
            self._environment("newest", newest, "-e", str(HERE.parent))

        if self.node_modules is None and shutil.which("npm"):
            node = self.folder / "node"
            node.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / "node" / name, node)

            subprocess.run(["npm", "ci", "--silent", "--prefix", str(node)], check=True)

    def _environment(self, name: str, python: str, *packages: str) -> None:
        home = self.folder / name
        subprocess.run([python, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", *packages]
        subprocess.run(install, check=True)


def newest_python() -> str | None:
    """Find a Python that is newer than this one, the newest there is."""
    found = max(pythons(), default=None)
    return found[1] if found and found[0] > sys.version_info[:2] else None


def pythons() -> Iterator[tuple[tuple[int, int], str]]:
    """Find the Pythons on the path and under pyenv, with their versions; no pre-releases."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for path in root.glob("versions/3.*/bin/python"):
        release = re.fullmatch(r"3\.(\d+)\.\d+", path.parents[1].name)
        if release:
            yield (3, int(release[1])), str(path)

    for minor in range(sys.version_info.minor + 1, 20):
        path_of = shutil.which(f"python3.{minor}")
        if path_of and "shims" not in Path(path_of).parts:
            yield (3, minor), path_of


if __name__ == "__main__":
    Environments(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT).make()

"""Make the README's picture from a real run: `python docs/make_picture.py`.

It needs chromium and a quiet machine, and takes a minute: a run that its generator limits ends
with 99, and makes no picture. Look at it before you commit it.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

PICTURE = Path(__file__).parent / "pictures" / "report.png"
RUN = (
    *("aiodps", "fleet", "run", "--emulator", "--transport", "rest,mqtt"),
    *("--devices", "200", "--rate", "10", "--journal", "memory"),
    *("--fail-if", "p99>5s", "--out", "runs/first"),
)
BROWSER = ("chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu")
PAGE = ("--virtual-time-budget=5000", "--window-size=1280,1400", f"--screenshot={PICTURE}")


def main() -> None:
    """Run a small fleet, and take a picture of the head of its report."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(RUN, cwd=folder, check=True)
        report = f"file://{folder}/runs/first/report/index.html"
        subprocess.run([*BROWSER, *PAGE, report], check=True)


if __name__ == "__main__":
    main()

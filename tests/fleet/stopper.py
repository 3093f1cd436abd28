"""A program that stops and continues another process, as a quota or a virtual machine does.

python stopper.py PID STOP GO TIMES    # seconds stopped, seconds between stops, how often
"""

from __future__ import annotations

import os
import signal
import sys
import time


def stop_again_and_again(pid: int, stop: float, go: float, times: int) -> None:
    """Stop a process for some time, and let it go on for some; it goes on in the end."""
    for _ in range(times):
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(stop)
        finally:
            os.kill(pid, signal.SIGCONT)

        time.sleep(go)


if __name__ == "__main__":
    stop_again_and_again(
        int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    )

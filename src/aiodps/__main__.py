"""`python -m aiodps`."""

from __future__ import annotations

from aiodps.cli import main

if __name__ == "__main__":
    main()

"""axe-core: finds what keeps people out of a page; `nox -s browser` installs it from npm."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

from selenium.webdriver import Chrome

LIBRARY: Final = "AIODPS_AXE"
"""Environment variable with the path of axe-core's script."""
_RUN: Final = """
const done = arguments[arguments.length - 1]
axe.run(document, {resultTypes: ["violations"]}).then(
  (found) => done(found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${rule.help}: ${node.target.join(" ")}: ${node.failureSummary}`))),
  (error) => done([String(error)]))
"""


def violations(browser: Chrome) -> list[str]:
    """Return what axe-core finds on the page as it is now: rule, element, and what to do.

    All rules are asked: WCAG A and AA, and axe-core's best practices.
    """
    browser.execute_script(_library())
    found: list[str] = browser.execute_async_script(_RUN)
    return found


@cache
def _library() -> str:
    if LIBRARY not in os.environ:
        raise RuntimeError(f"{LIBRARY} is not set: run `nox -s browser`")

    return Path(os.environ[LIBRARY]).read_text("utf-8")

"""JUnit XML: each threshold of a run as a test case, for the test reports of CI systems.

The format has no standard; this is the part that the schema of Apache Ant's `junit` task, which
others extend, has in common with what CI systems read.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from aiodps.fleet.measure import units
from aiodps.fleet.report.summary import Summary

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def write_junit(path: Path, summary: Summary, *, name: str) -> None:
    """Write the thresholds of a run; replaces an existing file.

    Raises:
        OSError: the file could not be written.
    """
    path.write_text(junit(summary, name=name), encoding="utf-8")


def junit(summary: Summary, *, name: str) -> str:
    """Return the thresholds of a run as JUnit XML.

    Args:
        summary: The summary of the run.
        name: Name of the test suite: that of the run.
    """
    results = summary["thresholds"]
    counts = {
        "tests": str(len(results)),
        "failures": str(sum(not result["passed"] for result in results)),
        "errors": "0",
        "skipped": "0",
        "time": f"{summary['duration']:.3f}",
    }
    suites = ET.Element("testsuites", {"name": "aiodps fleet", **counts})
    started = summary["started_at"][:19]  # the schema has no time zone; ours is UTC
    suite = ET.SubElement(
        suites, "testsuite", {"name": _plain(name), "timestamp": started, **counts}
    )
    for result in results:
        _add_case(suite, result, name=name)

    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ET.Element, result: Summary, *, name: str) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _plain(f"{name}.{result['of']}"),
            "name": _plain(f"{result['of']}: {result['threshold']}"),
            "time": "0",
        },
    )
    if not result["passed"]:
        text = result["reason"] or units.BY_UNIT[result["unit"]](result["value"])
        message = _plain(f"{result['threshold']}: {result['of']}: {text}")
        ET.SubElement(case, "failure", {"type": "threshold", "message": message}).text = message


def _plain(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)

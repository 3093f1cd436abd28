"""Finding: the outcome of one check, for people and programs."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from aiodps.errors import ProvisioningError, ServiceError
from aiodps.printable import printable


class Verdict(enum.StrEnum):
    """Whether what was checked is as it should be."""

    GOOD = "good"
    BAD = "bad"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check. Contains no secret."""

    check: str
    """What was checked, like "tcp 443 IPv4"."""
    verdict: Verdict
    seen: str
    """What was seen, or why the check was not tried."""
    fault: str | None = None
    """Name of the fault, like "dropped", for programs; None if it is not bad."""
    advice: str = ""
    """What to do; empty if there is nothing to do."""

    def facts(self) -> dict[str, Any]:
        """Return plain values, for `--json`."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "fault": self.fault,
            "seen": self.seen,
            "next": self.advice or None,
        }


def good(check: str, seen: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, verdict=Verdict.GOOD, seen=printable(seen))


def bad(check: str, fault: str, seen: str, advice: str) -> Finding:
    """Return that something is wrong."""
    return Finding(
        check=check,
        verdict=Verdict.BAD,
        fault=fault,
        seen=printable(seen),
        advice=printable(advice),
    )


def not_tried(check: str, why: str, advice: str = "") -> Finding:
    """Return that nothing is known."""
    return Finding(
        check=check, verdict=Verdict.NOT_TRIED, seen=printable(why), advice=printable(advice)
    )


def of_error(check: str, error: ProvisioningError) -> Finding:
    """Return an error as a finding: its reason, or else its class, is the name of the fault."""
    return bad(check, fault_of(error), _seen(error), error.hint)


def fault_of(error: ProvisioningError) -> str:
    """Return the reason of an error, or the name of its class, as in "not_found"."""
    words = re.findall(r"[A-Z][a-z]+", type(error).__name__.removesuffix("Error"))
    return str(getattr(error, "reason", None) or "_".join(words).lower())


def _seen(error: ProvisioningError) -> str:
    if not isinstance(error, ServiceError):
        return error.message

    codes: dict[str, object] = {
        "status": error.status_code,
        "error": error.error_code,
        "tracking id": error.tracking_id,
    }
    said = ", ".join(f"{name} {code}" for name, code in codes.items() if code is not None)
    return f"{error.message} ({said})"

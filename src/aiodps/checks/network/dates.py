"""Dates: whether a certificate that is refused for its dates is wrong, or this machine's clock.

The server is asked for its time over TLS in which everything but the dates is verified. The
request has no credential, and nothing is provisioned over that connection.
"""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import Final

from aiodps.attestation.base import OwnContext
from aiodps.attestation.credentials import CLOCK_SKEW
from aiodps.checks.model.finding import Finding, bad
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.clock import advice, difference, moment_of
from aiodps.checks.network.http import ask
from aiodps.errors import ProvisioningError
from aiodps.network.dial import dial
from aiodps.network.tls_contexts import fresh_context

_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""


async def check_dates(finding: Finding, plan: Plan, port: int) -> Finding:
    """Return a finding that says which is wrong; the same if the server does not say its time."""
    theirs = await _time_of_server(plan, port)
    return finding if theirs is None else blame(finding, plan.now(), theirs)


async def _time_of_server(plan: Plan, port: int) -> datetime | None:
    context = fresh_context(plan.trust)
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    try:
        connection = await dial(plan.endpoint(port, OwnContext(context)))
    except ProvisioningError:
        return None

    try:
        answer = await ask(connection, plan.authority(port))
    except (ProvisioningError, TimeoutError):
        return None

    date = answer.headers.get("date")
    return None if date is None else moment_of(date)


def blame(finding: Finding, now: datetime, theirs: datetime) -> Finding:
    """Blame the clock if it differs from the server's, otherwise the certificate."""
    if abs((now - theirs).total_seconds()) > CLOCK_SKEW:
        return bad(
            finding.check, "clock", f"{finding.seen}; {difference(now, theirs)}", advice(theirs)
        )

    return bad(
        finding.check,
        finding.fault or "",
        f"{finding.seen}; this machine's clock agrees with the server's",
        "the server's certificate has to be renewed, which only its operator can do",
    )

"""WebSocket: whether the upgrade of MQTT over WebSocket passes.

The upgrade is that of the transport. It needs no credential, and the WebSocket is closed at once.
"""

from __future__ import annotations

import anyio

from aiodps.checks.model.finding import Finding, bad, good, of_error
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.http import ANSWER_TIMEOUT, silent
from aiodps.errors import ProvisioningError, RedirectRefusedError
from aiodps.network.dial import Connection, dial
from aiodps.transports.upgrade import upgrade


async def check_websocket(plan: Plan, port: int) -> Finding:
    """Upgrade a connection of its own."""
    name = f"websocket {port}"
    try:
        connection = await dial(plan.endpoint(port))
    except ProvisioningError as error:
        return of_error(name, error)

    try:
        return await _upgrade(name, connection, plan, port)
    finally:
        connection.close()


async def _upgrade(name: str, connection: Connection, plan: Plan, port: int) -> Finding:
    report = plan.endpoint(port).report
    try:
        with anyio.fail_after(ANSWER_TIMEOUT):
            await upgrade(connection, authority=plan.authority(port), report=report)
    except ProvisioningError as error:
        portal = isinstance(error, RedirectRefusedError)
        fault = "captive_portal" if portal else "upgrade_refused"
        return bad(name, fault, error.message, error.hint)
    except TimeoutError:
        return silent(name)

    return good(name, "upgraded, subprotocol mqtt")

"""WebSocket: whether an upgrade at the path of MQTT over WebSocket passes.

The upgrade alone needs no credential: the session that would follow is closed at once.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from aiodps.checks.model.finding import Finding, bad, good, of_error
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.http import Answer, ask, silent
from aiodps.errors import ProvisioningError
from aiodps.network.dial import dial

PATH = "/$iothub/websocket"
"""Source: Microsoft Learn, "Communicate with DPS using the MQTT protocol"."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SWITCHING = 101
_ADVICE = (
    "a proxy or firewall may not let WebSockets pass: have them allowed, or use --transport rest"
)


async def check_websocket(plan: Plan, port: int) -> Finding:
    """Ask for an upgrade to WebSocket, over a connection of its own."""
    name, key = f"websocket {port}", base64.b64encode(secrets.token_bytes(16)).decode()
    try:
        connection = await dial(plan.endpoint(port))
    except ProvisioningError as error:
        return of_error(name, error)

    try:
        answer = await ask(connection, PATH, _upgrade(key))
    except TimeoutError:
        return silent(name)
    except ProvisioningError as error:
        return bad(name, "upgrade_refused", error.message, _ADVICE)
    finally:
        connection.close()

    return interpret(name, answer, key)


def _upgrade(key: str) -> dict[str, str]:
    """Return the headers of an upgrade, RFC 6455 4.1."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "mqtt",
    }


def interpret(name: str, answer: Answer, key: str) -> Finding:
    """Return whether the answer is that of a server that speaks MQTT over WebSocket."""
    if answer.status != _SWITCHING:
        return bad(name, "upgrade_refused", f"refused with status {answer.status}", _ADVICE)

    digest = hashlib.sha1(key.encode() + _GUID).digest()  # noqa: S324 (RFC 6455 4.2.2)
    if answer.headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        seen = "the upgrade was answered by something that does not speak WebSocket"
        return bad(name, "upgrade_refused", seen, _ADVICE)

    if answer.headers.get("sec-websocket-protocol") != "mqtt":
        seen = "the server speaks WebSocket, but not MQTT over it"
        return bad(name, "upgrade_refused", seen, "check endpoint and port")

    return good(name, "upgraded, subprotocol mqtt")

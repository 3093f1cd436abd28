"""MQTT: whether a server answers a CONNECT, which has no credential and no name of a device.

Any answer will do, and a refusal is expected. It shows whether the port speaks MQTT or HTTP,
which TLS does not.
"""

from __future__ import annotations

from typing import Final

import anyio

from aiodps.checks.model.finding import Finding, bad, good, not_tried
from aiodps.checks.network.http import ANSWER_TIMEOUT, silent
from aiodps.errors import ProvisioningError
from aiodps.network.dial import Connection

_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
"""Level 4 (3.1.1), clean session, a keep-alive of ten seconds, and an empty client id."""
_CONNACK: Final = b"\x20"
_HTTP: Final = b"HTTP/"


async def check_mqtt(connection: Connection, port: int) -> Finding:
    """Send a CONNECT, look at what comes back, and close the connection."""
    name = f"mqtt {port}"
    try:
        with anyio.fail_after(ANSWER_TIMEOUT):
            await connection.send(_CONNECT)
            answer = await connection.receive()
    except ProvisioningError:
        answer = b""
    except TimeoutError:
        return silent(name)
    finally:
        connection.close()

    return _interpret(name, answer)


def _interpret(name: str, answer: bytes) -> Finding:
    if answer.startswith(_CONNACK):
        return good(name, "answered a CONNECT")

    if not answer:
        return not_tried(
            name,
            "closed at a CONNECT without a credential: only TLS is known to work",
            "--register tries the rest",
        )

    speaks = "HTTP" if answer.startswith(_HTTP) else f"something that begins with {answer[:12]!r}"
    return bad(
        name,
        "not_mqtt",
        f"the server speaks {speaks}, not MQTT",
        "give --transport rest or mqtt-ws for this port, or the port of mqtt: 8883 at Azure",
    )

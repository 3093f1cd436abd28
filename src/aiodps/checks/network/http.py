"""HTTP: one request without a credential, for its status and headers alone."""

from __future__ import annotations

from typing import Final

import anyio
import httpx

from aiodps.checks.model.finding import Finding, bad, good
from aiodps.errors import ProvisioningError
from aiodps.network.dial import Connection
from aiodps.transports.http_connection import HttpConnection
from aiodps.version import __version__

ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer."""
_REDIRECTS: Final = range(300, 400)


async def ask(connection: Connection, authority: str) -> httpx.Response:
    """Ask a server for nothing in particular, and close the connection.

    Args:
        connection: An open connection.
        authority: Host of the service, with the port unless it is 443.

    Raises:
        ProvisioningError: If the connection is lost, or the response is not HTTP.
        TimeoutError: If there is no response within 10 s.
    """
    headers = {"User-Agent": f"aiodps/{__version__}"}
    request = httpx.Request("GET", f"https://{authority}/", headers=headers)
    http = HttpConnection(connection)
    try:
        with anyio.fail_after(ANSWER_TIMEOUT):
            answer = await http.exchange(request)
    finally:
        http.close()

    return httpx.Response(answer.status_code, headers=answer.headers)


async def check_http(
    connection: Connection, authority: str, port: int
) -> tuple[Finding, httpx.Response | None]:
    """Send a request: any answer but a redirect shows that requests pass."""
    name = f"http {port}"
    try:
        answer = await ask(connection, authority)
    except ProvisioningError as error:
        return bad(name, "not_http", error.message, error.hint), None
    except TimeoutError:
        return silent(name), None

    return _interpret(name, answer), answer


def silent(name: str) -> Finding:
    """Return that nothing was answered."""
    return bad(
        name,
        "silent",
        f"no answer within {ANSWER_TIMEOUT:g} s",
        "the server accepts connections and does not answer: check the endpoint",
    )


def _interpret(name: str, answer: httpx.Response) -> Finding:
    if answer.status_code not in _REDIRECTS:
        return good(name, f"answered, status {answer.status_code}")

    to = answer.headers.get("location", "")[:100]
    return bad(
        name,
        "captive_portal",
        f"redirected to {to!a}, status {answer.status_code}",
        "the service never redirects: look for a proxy or a captive portal",
    )

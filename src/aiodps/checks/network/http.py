"""HTTP: one request without a credential, for its status and headers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio
import h11

from aiodps.checks.model.finding import Finding, bad, good
from aiodps.errors import ProtocolError, ProvisioningError
from aiodps.network.dial import Connection
from aiodps.protocol.limits import MAX_HEADER_BYTES
from aiodps.version import __version__

ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer."""
_REDIRECTS: Final = range(300, 400)
_SWITCHING: Final = 101


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""


async def ask(
    connection: Connection, path: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send a GET request, and return the head of the response; the connection is used up.

    Raises:
        ProvisioningError: If the connection is lost, or the response is not HTTP.
        TimeoutError: If there is no response within 10 s.
    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    lines = {"Host": host, "User-Agent": f"aiodps/{__version__}", **(headers or {})}
    request = h11.Request(method="GET", target=path, headers=list(lines.items()))
    sent = (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
    with anyio.fail_after(ANSWER_TIMEOUT):
        await connection.send(sent)
        while True:
            event = await _next_event(http, connection)
            match event:
                case h11.Response() | h11.InformationalResponse(status_code=101):
                    return _answer(event)
                case h11.InformationalResponse():
                    continue
                case _:
                    raise ProtocolError("the connection was closed", reason="framing")


async def _next_event(http: h11.Connection, connection: Connection) -> object:
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await connection.receive())
    except h11.RemoteProtocolError as exc:
        raise ProtocolError("the response is not valid HTTP", reason="framing") from exc

    return event


def _answer(event: h11.Response | h11.InformationalResponse) -> Answer:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
    return Answer(event.status_code, headers)


async def check_http(connection: Connection, port: int) -> tuple[Finding, Answer | None]:
    """Ask for nothing in particular: any answer but a redirect shows that requests pass."""
    name = f"http {port}"
    try:
        answer = await ask(connection, "/")
    except TimeoutError:
        return silent(name), None
    except ProvisioningError as error:
        return bad(name, "not_http", error.message, error.hint), None
    finally:
        connection.close()

    return interpret(name, answer), answer


def silent(name: str) -> Finding:
    """Return that nothing was answered."""
    return bad(
        name,
        "silent",
        f"no answer within {ANSWER_TIMEOUT:g} s",
        "the server accepts connections and does not answer: check the endpoint",
    )


def interpret(name: str, answer: Answer) -> Finding:
    """Return what the status says; the service itself never redirects."""
    if answer.status not in _REDIRECTS:
        return good(name, f"answered, status {answer.status}")

    to = answer.headers.get("location", "")[:100]
    return bad(
        name,
        "captive_portal",
        f"redirected to {to!a}, status {answer.status}",
        "the service never redirects: look for a proxy or a captive portal",
    )

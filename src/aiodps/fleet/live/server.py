"""A small HTTP server for pages of this run, in threads of its own.

It answers GET only, and on loopback only clients that name this machine: any web page may send
requests to ports of this machine, and a foreign name may be made to resolve to it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final

from aiodps.errors import ConfigurationError

log: Final = logging.getLogger(__name__)

TIMEOUT: Final = 5.0
"""Seconds that a client may stay silent."""
MOST_CONNECTIONS: Final = 32
"""At once; more are closed."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is sent with status 200."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Pages = Mapping[str, Callable[[], Response]]
"""Makers of responses by path. A path that is secret protects its page."""


@contextlib.contextmanager
def serving(host: str, port: int, pages: Pages, *, setting: str) -> Iterator[str]:
    """Serve pages until the block ends, and yield the base URL.

    Args:
        host: An IP address of this machine.
        port: The port; 0 for any free one.
        pages: The pages.
        setting: The option that gave the port, for errors.

    Raises:
        ConfigurationError: If the port cannot be bound.
    """
    try:
        server = _Server(host, port, pages)
    except OSError as exc:
        raise ConfigurationError(
            f"port {port} of {host} cannot be listened on: {exc.strerror}",
            setting=setting,
            hint="give another port, or stop what is listening on it",
        ) from exc

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.close_connections()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """The server: one short thread for each connection; all are joined when it is closed."""

    daemon_threads = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        self.pages = pages
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        address = ip_address(host)
        self.address_family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004
        super().__init__((host, port), _Handler)
        port = self.server_address[1]
        name = f"[{host}]" if address.version == 6 else host  # noqa: PLR2004
        self.url = f"http://{name}:{port}"
        names = ("127.0.0.1", "localhost", "[::1]", name)
        self.hosts = {f"{each}:{port}" for each in names} if address.is_loopback else None
        """Values of Host that are accepted; None for all: others need a name to reach it by."""

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse one connection too many."""
        del request, client_address
        with self._lock:
            return len(self._connections) < MOST_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread."""
        with self._lock:
            self._connections.add(request)

        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._connections.discard(request)

        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End what clients have not ended."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing about a client that has disconnected."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    timeout = TIMEOUT
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        """Send a page, or refuse."""
        host = self.headers.get("Host", "").lower()
        origin = self.headers.get("Origin")
        if self.server.hosts is not None and host not in self.server.hosts:
            self.send_error(HTTPStatus.FORBIDDEN, "only clients on this machine may use this port")
        elif origin is not None and origin.lower() != f"http://{host}":
            self.send_error(HTTPStatus.FORBIDDEN, "other web pages may not use this port")
        elif (page := self.server.pages.get(self.path)) is None:
            self.send_error(HTTPStatus.NOT_FOUND, "there is nothing here")
        else:
            self._answer(page)

    def _answer(self, page: Callable[[], Response]) -> None:
        try:
            response = page()
        except Exception:
            log.exception("a page of the run failed")
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
        else:
            self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response(HTTPStatus.OK)
        length = str(len(response.body))
        headers = {"Content-Type": response.content_type, "Content-Length": length}
        for name, value in (headers | {**response.headers}).items():
            self.send_header(name, value)

        self.end_headers()
        self.wfile.write(response.body)

    def end_headers(self) -> None:
        """Send the headers, with those of every response."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)

        super().end_headers()

    def version_string(self) -> str:
        """Name the server."""
        return "aiodps"

    def log_message(self, *_: object) -> None:
        """Log nothing: a path may be secret."""

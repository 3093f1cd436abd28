"""The server answers clients on this machine that know a path, and leaves nothing behind."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.leftovers import nothing_left

from aiodps.errors import ConfigurationError
from aiodps.fleet.live.server import MOST_CONNECTIONS, Response, serving

pytestmark = pytest.mark.sockets
HELLO = Response(body=b"hello", content_type="text/plain", headers={"X-Own": "1"})


def broken() -> Response:
    """Make no page."""
    raise RuntimeError("a bug")


@pytest.fixture
def port() -> Iterator[int]:
    """Serve a page, and one that is broken."""
    pages = {"/secret/": lambda: HELLO, "/broken": broken}
    with nothing_left(), serving("127.0.0.1", 0, pages, setting="live") as url:
        yield urlsplit(url).port or 0


def asked(
    port: int, path: str = "/secret/", *, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": f"127.0.0.1:{port}", **headers})
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


def test_a_page(port: int) -> None:
    """With headers that keep it from being kept, guessed at, or shown to others."""
    status, body, headers = asked(port)

    assert (status, body) == (200, b"hello")
    assert (headers["X-Own"], headers["Content-Length"]) == ("1", "5")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in headers["Server"]


@pytest.mark.parametrize("path", ["/", "/secret", "/secret/x", "/Secret/", "/secret/?a=1"])
def test_other_paths(port: int, path: str) -> None:
    """Whoever does not know the path is told nothing."""
    assert asked(port, path)[:2] == (404, b"404 there is nothing here\n")


def test_names_of_this_machine(port: int) -> None:
    """A foreign name that was made to resolve to it is refused, and so is another port."""
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert asked(port, Host=host)[0] == 200

    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1", ""):
        assert asked(port, Host=host)[0] == 403


def test_other_web_pages(port: int) -> None:
    """Their requests have an Origin."""
    assert asked(port, Origin=f"http://127.0.0.1:{port}")[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}"):
        assert asked(port, Origin=origin)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_get(port: int, method: str) -> None:
    """Nothing can be changed."""
    assert asked(port, method=method)[0] == 501


def test_a_bug(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """It costs the request, and is logged."""
    assert asked(port, "/broken")[0] == 500
    assert "a page of the run failed" in caplog.text
    assert asked(port)[0] == 200


def test_silent_clients() -> None:
    """They do not hold up the end, one too many is refused, and nothing of them is left."""
    with nothing_left():
        with serving("127.0.0.1", 0, {"/": lambda: HELLO}, setting="live") as url:
            port = urlsplit(url).port or 0
            address = ("127.0.0.1", port)
            clients = [socket.create_connection(address) for _ in range(MOST_CONNECTIONS)]

            with socket.create_connection(address, timeout=10) as late:
                assert late.recv(1) == b""

        for client in clients:
            client.close()


def test_a_port_in_use(port: int) -> None:
    """The error names the option."""
    with (
        pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1") as caught,
        serving("127.0.0.1", port, {}, setting="metrics_port"),
    ):
        pass

    assert caught.value.facts()["setting"] == "metrics_port"


def test_all_interfaces() -> None:
    """Whoever can reach the machine may ask by any name."""
    pages = {"/metrics": lambda: HELLO}
    with nothing_left(), serving("0.0.0.0", 0, pages, setting="metrics_port") as url:  # noqa: S104
        port = urlsplit(url).port or 0
        assert asked(port, "/metrics", Host="10.1.2.3:9464")[0] == 200


def test_ipv6() -> None:
    """Its addresses are written in brackets."""
    with serving("::1", 0, {"/": lambda: HELLO}, setting="live") as url:
        assert url.startswith("http://[::1]:")

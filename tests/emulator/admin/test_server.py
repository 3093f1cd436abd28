"""The admin port over real sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.emulated import PATIENCE
from tests.emulator.admin.visits import head, headers, port_of, rest, visit
from tests.virtual_time import on_both_loops

from aiodps.emulator.admin.responses import AdminError, AsciiJsonResponse, EventStream
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.admin.server import AdminPort
from aiodps.emulator.state.store import StoreError
from aiodps.errors import ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


class Endpoints:
    """A few things that a admin port may be asked."""

    def __init__(self) -> None:
        self.ended = anyio.Event()

    def routes(self) -> list[SegmentRoute]:
        """Return their paths."""
        return [
            SegmentRoute("/echo/{name}", self.echo, methods=["GET", "POST"]),
            SegmentRoute("/bug", self.bug),
            SegmentRoute("/no", self.refuse),
            SegmentRoute("/full", self.run_out),
            SegmentRoute("/count", self.count),
            SegmentRoute("/live", self.live),
        ]

    async def echo(self, request: Request) -> Response:
        """Say what came."""
        content = {
            "name": request.path_params["name"],
            "a": request.query_params.getlist("a"),
            "body": (await request.body()).decode(),
        }
        return AsciiJsonResponse(content)

    async def bug(self, _: Request) -> Response:
        """Fail."""
        raise ZeroDivisionError

    async def refuse(self, _: Request) -> Response:
        """Say no."""
        raise AdminError(409, "not now", hint="later")

    async def run_out(self, _: Request) -> Response:
        """Have no room for what was changed."""
        raise StoreError("the disk is full")

    async def count(self, _: Request) -> Response:
        """Answer in pieces that end."""

        async def pieces() -> AsyncGenerator[bytes, None]:
            for n in (1, 2):
                yield f"{n}".encode()

        return EventStream(pieces())

    async def live(self, _: Request) -> Response:
        """Answer in pieces without an end."""

        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                yield b"data: 1\n\n"
                await anyio.sleep_forever()
            finally:
                self.ended.set()

        return EventStream(pieces())


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[AdminPort, Endpoints]]:
    """Run a admin port."""
    endpoints = Endpoints()
    admin = AdminPort.bind(0, endpoints.routes())
    try:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(admin.serve, tasks)
                yield admin, endpoints
                tasks.cancel_scope.cancel()
    finally:
        admin.close()


async def test_requests_are_answered_one_after_the_other() -> None:
    """On one connection, with query, form and headers that keep browsers careful."""
    async with serving() as (admin, _), visit(admin) as client:
        first = await client.ask("GET", "/echo/a%2Fb?a=1&a=2", headers=headers(admin))
        second = await client.ask("POST", "/echo/x", b"k=v", headers(admin))

        assert first.body == {"name": "a/b", "a": ["1", "2"], "body": ""}
        assert second.body == {"name": "x", "a": [], "body": "k=v"}
        assert first.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in first.headers["Content-Security-Policy"]
        assert first.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/echo/x", "/nothing"])
async def test_nothing_is_answered_without_right(path: str) -> None:
    """Not even whether there is something at that path."""
    async with serving() as (admin, _):
        async with visit(admin) as client:
            stranger = await client.ask("GET", path, headers=[])
            page = await client.ask(
                "GET", path, headers=headers(admin, "Origin: http://evil.example")
            )

        async with visit(admin, host=f"evil.example:{port_of(admin)}") as client:
            elsewhere = await client.ask("GET", path, headers=headers(admin))

        answers = (stranger, page, elsewhere)
        assert [answer.status for answer in answers] == [401, 403, 403]
        assert all(set(answer.body) == {"error", "hint"} for answer in answers)


async def test_the_token_in_an_address_becomes_a_cookie() -> None:
    """Which then is enough to look."""
    async with serving() as (admin, _), visit(admin) as client:
        answer = await client.ask("GET", f"/echo/x?token={admin.token}", headers=[])
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        looked = await client.ask("GET", answer.headers["Location"], headers=[f"Cookie: {cookie}"])

        assert answer.status == 303
        assert looked.body["name"] == "x"


async def test_errors_are_answers(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal says why, a bug says little; the connection goes on."""
    async with serving() as (admin, _), visit(admin) as client:
        refused = await client.ask("GET", "/no", headers=headers(admin))
        full = await client.ask("GET", "/full", headers=headers(admin))
        bug = await client.ask("GET", "/bug", headers=headers(admin))
        missing = await client.ask("GET", "/nothing", headers=headers(admin))

        assert (refused.status, refused.body) == (409, {"error": "not now", "hint": "later"})
        assert (full.status, full.body["error"]) == (500, "the disk is full")
        assert (bug.status, bug.body["error"]) == (500, "internal error")
        assert missing.status == 404

    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_what_is_no_http_is_refused() -> None:
    """With an answer, and the end of the connection."""
    async with serving() as (admin, _), visit(admin) as client:
        await client.stream.send(b"nonsense\r\n\r\n")
        data = await rest(client)

        assert data.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in data


async def test_an_answer_in_pieces() -> None:
    """Comes whole, and the connection ends behind it."""
    async with serving() as (admin, _), visit(admin) as client:
        answer = await client.ask("GET", "/count", headers=headers(admin))
        assert answer.body == 12
        assert answer.headers["Connection"] == "close"
        assert await rest(client) == b""


async def test_pieces_end_when_nobody_follows_any_more() -> None:
    """What they come from is closed, too."""
    async with serving() as (admin, endpoints):
        async with visit(admin) as client:
            await client.stream.send(head(admin, "GET", "/live"))
            data = b""
            while b"data: 1" not in data:
                data += await client.stream.receive()

            assert b"text/event-stream" in data
            assert not endpoints.ended.is_set()

        await endpoints.ended.wait()


async def test_a_look_at_the_head_alone() -> None:
    """Of an answer in pieces as of any other."""
    async with serving() as (admin, endpoints), visit(admin) as client:
        for path in ("/live", "/echo/x"):
            await client.stream.send(head(admin, "HEAD", path))
            data = b""
            while b"\r\n\r\n" not in data:
                data += await client.stream.receive()

            assert data.startswith(b"HTTP/1.1 200")
            assert data.endswith(b"\r\n\r\n")

        assert not endpoints.ended.is_set()


def test_a_port_that_is_taken() -> None:
    """Is named as the caller names it."""
    admin = AdminPort.bind(0, [])
    try:
        with pytest.raises(ConfigurationError, match="in use") as caught:
            AdminPort.bind(port_of(admin), [])

        assert caught.value.setting == "admin_port"
    finally:
        admin.close()


def test_tokens_differ() -> None:
    """Between starts, and nobody guesses them."""
    controls = [AdminPort.bind(0, []), AdminPort.bind(0, [])]
    for admin in controls:
        admin.close()

    assert controls[0].token != controls[1].token
    assert len(controls[0].token) >= 32


@on_both_loops
async def test_strangers_do_not_keep_the_operator_out() -> None:
    """Three hundred say nothing, or drip: the token is answered behind all of them."""
    async with serving() as (admin, _), AsyncExitStack() as strangers:
        for number in range(300):
            stream = await anyio.connect_tcp("127.0.0.1", port_of(admin))
            await strangers.enter_async_context(stream)
            if number % 2:
                await stream.send(b"GET /")

        async with visit(admin) as client:
            answer = await client.ask("GET", "/echo/x", headers=headers(admin))

    assert answer.status == 200


async def test_a_token_ends_the_waiting() -> None:
    """A client with the token is known, a browser once it is logged in; nobody else is."""
    async with serving() as (admin, _), visit(admin) as one, visit(admin) as other:
        await one.ask("GET", "/echo/x", headers=[])
        await other.ask("GET", "/echo/x", headers=headers(admin))

        assert len(admin._strangers._since) == 1


async def test_beyond_loopback_it_knows_the_names_that_it_was_given() -> None:
    """On loopback they do not count; its address is one that this machine can connect to."""
    for host, status in (("0.0.0.0", 200), ("127.0.0.1", 403)):  # noqa: S104 (for a moment)
        endpoints = Endpoints()
        admin = AdminPort.bind(0, endpoints.routes(), host=host, names=["dps"])
        assert admin.url == f"http://127.0.0.1:{port_of(admin)}"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(admin.serve, tasks)
                async with visit(admin, host=f"dps:{port_of(admin)}") as client:
                    answer = await client.ask("GET", "/echo/x", headers=headers(admin))

                tasks.cancel_scope.cancel()
        finally:
            admin.close()

        assert answer.status == status

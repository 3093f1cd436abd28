"""Names are looked up once for all who ask, by nobody in particular, and kept for seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from aiodps.errors import DnsError, ResourceError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.network import resolve as resolve_module
from aiodps.network.resolve import Address, is_literal, resolve

pytestmark = pytest.mark.anyio

NAME = "dps.example.test"
Found = list[tuple[Any, ...]]


class Resolver:
    """Stands in for the system's: counts, and answers when it is told to."""

    def __init__(self, answer: Callable[[], Found]) -> None:
        self.asked = 0
        self.release = threading.Event()
        self.release.set()
        self._answer = answer

    def __call__(self, host: str, port: int, **_: object) -> Found:
        """Be `getaddrinfo`."""
        self.asked += 1
        self.release.wait()
        return self._answer()


def found(*hosts: str) -> Callable[[], Found]:
    """Answer as `getaddrinfo` does, with these addresses."""
    return lambda: [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (host, 443, 0, 0) if ":" in host else (host, 443),
        )
        for host in hosts
    ]


def not_found() -> Found:
    """Answer as `getaddrinfo` does when there is no such name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def install(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Callable[[], Found]], Resolver]]:
    """Put a resolver in the system's place, and let go of what it holds at the end.

    What it says is used again while a test runs, unless the test has it otherwise.
    """
    made: list[Resolver] = []
    for limit in ("ADDRESS_TTL", "FAILURE_TTL"):
        monkeypatch.setattr(resolve_module, limit, 3600.0)

    def put(answer: Callable[[], Found]) -> Resolver:
        made.append(Resolver(answer))
        monkeypatch.setattr(socket, "getaddrinfo", made[-1])
        return made[-1]

    yield put
    for resolver in made:
        resolver.release.set()

    for thread in look_ups():
        thread.join()


def look_ups() -> list[threading.Thread]:
    """Find the threads in which names are looked up."""
    return [one for one in threading.enumerate() if one.name.startswith("look-up of ")]


async def settled() -> None:
    """Let all other tasks go as far as they can."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.sockets
async def test_a_literal_is_not_looked_up(host: str) -> None:
    """No thread is started for what is an address already."""
    addresses = await resolve(host, 8883)

    assert [one.sockaddr[:2] for one in addresses] == [(host, 8883)]
    assert f"look-up of {host}" not in {thread.name for thread in look_ups()}


@pytest.mark.parametrize(
    ("host", "literal"),
    [("10.0.0.1", True), ("fe80::1", True), ("localhost", False), ("1.2.3", False), ("", False)],
)
def test_what_a_literal_is(host: str, *, literal: bool) -> None:
    """Only whole addresses are."""
    assert is_literal(host) is literal


@pytest.mark.sockets
async def test_a_literal_that_leads_nowhere_is_a_dns_error() -> None:
    """An IPv6 scope may name an interface that is not there."""
    with pytest.raises(DnsError) as caught:
        await resolve("fe80::1%no-such-if", 443)

    assert caught.value.phase is Phase.DNS


async def test_families_take_turns(install: Any) -> None:
    """The system's favourite comes first, then the other family (RFC 8305)."""
    install(found("::1", "::2", "::3", "10.0.0.1", "::1"))
    addresses = await resolve(NAME, 443)

    assert [one.sockaddr[0] for one in addresses] == ["::1", "10.0.0.1", "::2", "::3"]


async def test_a_hundred_devices_ask_once(install: Any) -> None:
    """Those who ask while a look-up is under way wait for it; those who come soon find it."""
    resolver = install(found("10.0.0.1"))
    resolver.release.clear()
    results: list[tuple[Address, ...]] = []

    async def one() -> None:
        results.append(await resolve(NAME, 443))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(one)

        await settled()
        resolver.release.set()

    await one()
    assert len(results) == 101
    assert len(set(results)) == 1
    assert resolver.asked == 1


async def test_an_answer_is_not_kept_for_long(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that moves is found again, and other names do not pile up."""
    resolver = install(found("10.0.0.1"))
    monkeypatch.setattr(resolve_module, "ADDRESS_TTL", 0.0)
    for number in range(3):
        await resolve(f"{number}.example.test", 443)
        await resolve(NAME, 443)

    assert resolver.asked == 6
    assert len(resolve_module._cache()) == 1


async def test_a_failure_is_shared_too(install: Any) -> None:
    """A fleet does not ask one by one for what is not there; each gets an error of its own."""
    resolver = install(not_found)
    errors: list[DnsError] = []

    async def one() -> None:
        with pytest.raises(DnsError) as caught:
            await resolve(NAME, 443)

        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(one)

    assert resolver.asked == 1
    assert len({id(error) for error in errors}) == 10
    assert all(isinstance(error.__cause__, socket.gaierror) for error in errors)
    assert all(error.phase is Phase.DNS for error in errors)


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
async def test_one_who_is_cancelled_leaves_it_to_the_others(install: Any, *, first: bool) -> None:
    """The look-up belongs to nobody: it is neither lost nor made again."""
    resolver = install(found("10.0.0.1"))
    resolver.release.clear()
    results: list[tuple[Address, ...]] = []
    scopes: list[anyio.CancelScope] = []

    async def one() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            results.append(await resolve(NAME, 443))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)

        await settled()
        scopes[0 if first else -1].cancel()
        await settled()
        resolver.release.set()

    assert len(results) == 2
    assert resolver.asked == 1


async def test_a_look_up_that_hangs_is_a_time_out_and_joined_again(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often devices come back, there is one thread for a name."""
    resolver = install(found("10.0.0.1"))
    monkeypatch.setattr(resolve_module, "LOOKUP_TIMEOUT", 0.01)
    resolver.release.clear()
    for _ in range(5):
        with pytest.raises(TransportTimeoutError) as caught:
            await resolve(NAME, 443)

        assert caught.value.phase is Phase.DNS

    monkeypatch.setattr(resolve_module, "LOOKUP_TIMEOUT", 3600.0)
    resolver.release.set()
    addresses = await resolve(NAME, 443)

    assert [one.sockaddr for one in addresses] == [("10.0.0.1", 443)]
    assert resolver.asked == 1


def test_a_look_up_outlives_its_event_loop_quietly(anyio_backend: str, install: Any) -> None:
    """It tells nobody, and does not keep the process from ending."""
    resolver = install(found("10.0.0.1"))
    resolver.release.clear()

    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(resolve, NAME, 443)
            await settled()
            tasks.cancel_scope.cancel()

    anyio.run(give_up, backend=anyio_backend)
    (thread,) = (one for one in look_ups() if one.name.endswith(NAME))
    resolver.release.set()
    thread.join()

    assert thread.daemon


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a\0b", "ä" * 100])
@pytest.mark.sockets
async def test_what_cannot_be_a_name_is_a_dns_error(name: str) -> None:
    """Python refuses some names before it asks anybody; that is no reason to raise its error."""
    with pytest.raises(DnsError) as caught:
        await resolve(name, 443)

    assert caught.value.phase is Phase.DNS


async def test_no_thread_to_be_had_is_a_lack_of_resources(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is this machine's trouble, and it passes: the next one asks again."""
    resolver = install(found("10.0.0.1"))

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(ResourceError):
            await resolve(NAME, 443)

    await resolve(NAME, 443)
    assert resolver.asked == 1

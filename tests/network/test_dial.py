"""The dialler: connections that stand, time limits, silence, cancellation, and nothing left."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from OpenSSL import SSL
from tests.scripted.server import (
    HOST,
    LIMIT,
    Line,
    ScriptedServer,
    drips,
    resets,
    says_and_hangs_up,
    silent,
    steps,
    target,
)
from tests.scripted.tls import serving
from tests.transports.traces import cancelled_at

from aiodps.attestation.base import ClientCertificate, KeyType
from aiodps.errors import (
    ConnectError,
    ConnectionLostError,
    CredentialError,
    PrivateKeyError,
    ProvisioningError,
    ResourceError,
    TransportTimeoutError,
)
from aiodps.models import Phase
from aiodps.network import dial as dial_module
from aiodps.network import handshake_limiter as limiter_module
from aiodps.network.dial import ATTEMPT_DELAY, Connection, dial
from aiodps.observe import Step, StepKind

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


def slots_taken() -> int:
    """Count the slots that are taken on this event loop, at whatever endpoint."""
    return sum(each.in_use for each in limiter_module._of_this_loop().limiters.values())


def lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Make every name lead to these addresses, in this order."""
    found = [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (host, port, 0, 0) if ":" in host else (host, port),
        )
        for host, port in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Give a port that nobody listens on, and that nobody else is given."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port that never answers a connection: its queue is full and nobody empties it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())

        yield listener.getsockname()[1]


def open_files() -> int:
    """Count the descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


# A connection that stands


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
async def test_what_is_sent_arrives_both_ways(version: int) -> None:
    """Bytes go through as they are."""
    with ScriptedServer(says_and_hangs_up(b"there"), tls=serving(version=version)) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        await connection.send(b"hello")
        answer = await connection.receive()
        end = await connection.receive()
        connection.close()

    assert peer.lines[0].received == b"hello"
    assert (answer, end) == (b"there", b"")
    assert connection.host == HOST
    assert not peer.lines[0].error


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
async def test_a_buffer_is_given_back_and_made_again(version: int) -> None:
    """Nothing is sent by that, and a connection that is closed has none."""
    with ScriptedServer(says_and_hangs_up(b"there"), tls=serving(version=version)) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        connection.release_buffer()
        await connection.send(b"hello")
        answer = await connection.receive()
        connection.close()
        connection.release_buffer()

    assert peer.lines[0].received == b"hello"
    assert answer == b"there"


async def test_bytes_that_tls_holds_are_not_waited_for() -> None:
    """After a small read the socket is empty and TLS is not: the rest comes without a wait."""
    with ScriptedServer(says_and_hangs_up(b"0123456789" * 100), tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        await connection.send(b"hello")
        parts = [await connection.receive(7)]
        while len(parts) < 143:
            parts.append(await connection.receive(7))

        connection.close()

    assert b"".join(parts) == b"0123456789" * 100


async def test_more_than_the_network_holds_is_sent_bit_by_bit() -> None:
    """Sending waits for a peer that reads slowly, and reading goes on meanwhile."""
    size = 8 * 1024 * 1024
    read = bytearray()

    def echo(line: Line) -> None:
        while len(line.received) < size:
            line.send(line.read())

    with ScriptedServer(echo, tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))

        async def take() -> None:
            while len(read) < size:
                read.extend(await connection.receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await connection.send(bytes(range(256)) * (size // 256))

        connection.close()

    assert read == bytes(range(256)) * (size // 256)


async def test_small_packets_do_not_wait_for_acknowledgements() -> None:
    """TCP_NODELAY is set, and the socket never blocks."""
    with ScriptedServer(tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        no_delay = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        blocking = connection.socket.getblocking()
        connection.close()

    assert no_delay
    assert not blocking


async def test_the_phases_are_told_with_their_times() -> None:
    """A name is resolved, connected, secured; an address is not resolved."""
    steps: list[Step] = []
    with ScriptedServer(tls=serving()) as peer:
        for endpoint in ("localhost", HOST):
            whom = peer.target(endpoint=endpoint, observer=steps.append)
            (await dial(whom.at_port(peer.port))).close()

    assert [(step.kind, step.phase) for step in steps] == [
        (StepKind.RESOLVED, Phase.DNS),
        (StepKind.CONNECTED, Phase.TCP),
        (StepKind.SECURED, Phase.TLS),
        (StepKind.CONNECTED, Phase.TCP),
        (StepKind.SECURED, Phase.TLS),
    ]
    assert all(step.took is not None and step.took >= 0 for step in steps)


async def test_a_turn_that_is_waited_for_is_a_phase_of_its_own() -> None:
    """It is this process that holds the handshake back, and not the server."""
    steps: list[Step] = []
    connected = anyio.Event()

    def note(step: Step) -> None:
        steps.append(step)
        if step.kind is StepKind.CONNECTED:
            connected.set()

    async def one(peer: ScriptedServer) -> None:
        (await dial(peer.target(observer=note).at_port(peer.port))).close()

    with ScriptedServer(tls=serving()) as peer:
        async with anyio.create_task_group() as tasks, limiter_module.handshake_turn():
            tasks.start_soon(one, peer)
            await connected.wait()
            await anyio.lowlevel.checkpoint()

    assert [(step.kind, step.phase) for step in steps] == [
        (StepKind.CONNECTED, Phase.TCP),
        (StepKind.DEQUEUED, Phase.QUEUE),
        (StepKind.SECURED, Phase.TLS),
    ]
    assert all(step.took is not None and step.took > 0 for step in steps)


async def test_ipv6_works_as_a_literal() -> None:
    """Address and certificate are matched without brackets."""
    with ScriptedServer(tls=serving(), host="::1") as peer:
        connection = await dial(peer.target().at_port(peer.port))
        connection.close()

    assert peer.lines[0].secured


async def test_a_reset_is_a_lost_connection() -> None:
    """Whether it is noticed when reading or when writing."""
    with ScriptedServer(resets, tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        await connection.send(b"hello")
        with pytest.raises(ConnectionLostError) as reading:
            await connection.receive()

        with pytest.raises(ConnectionLostError) as writing:
            await connection.send(b"x" * 10_000_000)

        connection.close()

    assert reading.value.phase is writing.value.phase is Phase.SESSION
    assert isinstance(reading.value.__cause__, OSError)


async def test_closing_ends_a_wait_and_may_be_repeated() -> None:
    """Who reads while another closes is told so, and waits for nothing on a number reused."""
    with ScriptedServer(tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))

        async def read() -> None:
            with pytest.raises(ConnectionLostError):
                await connection.receive()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()

            connection.close()
            connection.close()

        with pytest.raises(ConnectionLostError):
            await connection.receive()


def test_closing_works_without_an_event_loop(anyio_backend: str) -> None:
    """Whoever cleans up late does not need to know."""

    async def leave_open(peer: ScriptedServer) -> Connection:
        return await dial(peer.target().at_port(peer.port))

    with ScriptedServer(tls=serving()) as peer:
        connection = anyio.run(leave_open, peer, backend=anyio_backend)
        connection.close()

    assert connection.socket.fileno() < 0


# Not getting there


async def test_a_refusal_is_told() -> None:
    """Nobody waits for a time limit."""
    with closed_port() as port, pytest.raises(ConnectError) as caught:
        await dial(target().at_port(port))

    assert caught.value.phase is Phase.TCP
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_all_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is as good as the best of its addresses."""
    with ScriptedServer(tls=serving()) as peer, closed_port() as nobody:
        lead_to(monkeypatch, ("::1", nobody), (HOST, nobody), (HOST, peer.port))
        connection = await dial(peer.target(endpoint="localhost").at_port(peer.port))
        connection.close()

    assert len(peer.lines) == 1


async def test_a_refusal_tells_more_than_an_address_that_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes of the address that exists is the error."""
    with closed_port() as port:
        lead_to(monkeypatch, ("255.255.255.255", port), (HOST, port))
        with pytest.raises(ConnectError) as caught:
            await dial(target(endpoint="localhost").at_port(port))

    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_an_address_that_does_not_answer_costs_its_head_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next one is tried after a quarter of a second, and the loser is closed."""
    files = open_files()
    with ScriptedServer(tls=serving()) as peer, black_hole() as hole:
        lead_to(monkeypatch, (HOST, hole), (HOST, peer.port))
        began = anyio.current_time()
        connection = await dial(peer.target(endpoint="localhost").at_port(peer.port))
        took = anyio.current_time() - began
        connection.close()

    assert took > 0.9 * ATTEMPT_DELAY
    assert open_files() <= files


@pytest.mark.parametrize("phase", [Phase.DNS, Phase.TCP, Phase.TLS])
async def test_whoever_cancels_it_knows_how_far_it_came(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reporter has the phase in which the name server, the network or the server is silent."""
    answer = threading.Event()
    if phase is Phase.DNS:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait() and [])

    with ScriptedServer(silent) as peer, black_hole() as hole:
        endpoint = {
            Phase.DNS: target(endpoint="silence.example.test").at_port(peer.port),
            Phase.TCP: target().at_port(hole),
            Phase.TLS: target().at_port(peer.port),
        }[phase]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dial, endpoint)
            await anyio.wait_all_tasks_blocked()
            while phase is Phase.TLS and not (peer.lines and peer.lines[0].received):
                await anyio.lowlevel.checkpoint()

            reached = endpoint.report.phase
            tasks.cancel_scope.cancel()

        answer.set()
        for thread in threading.enumerate():
            if thread.name.startswith("look-up of"):
                thread.join()

    assert reached is phase


@pytest.mark.parametrize("others", [0, 2])
async def test_tcp_has_a_time_limit(monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    """All addresses together."""
    monkeypatch.setattr(dial_module, "TCP_TIMEOUT", 0.1)
    monkeypatch.setattr(dial_module, "ATTEMPT_DELAY", 0.01)
    files = open_files()
    with black_hole() as hole:
        lead_to(monkeypatch, *[(HOST, hole)] * (1 + others), ("127.0.0.2", hole))
        with pytest.raises(TransportTimeoutError) as caught:
            await dial(target(endpoint=HOST).at_port(hole))

    assert caught.value.phase is Phase.TCP
    assert open_files() <= files


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(silent, id="silence"),
        pytest.param(drips(b"\x16\x03\x03\x40\x00\x02\x00\x3f", gap=0.01), id="drip"),
    ],
)
async def test_tls_has_a_time_limit(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[Line], None]
) -> None:
    """For the handshake as a whole: a peer that drips gets no more time than a silent one."""
    monkeypatch.setattr(dial_module, "TLS_TIMEOUT", 0.2)
    with ScriptedServer(script) as peer, pytest.raises(ProvisioningError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert type(caught.value) is TransportTimeoutError
    assert caught.value.phase is Phase.TLS


async def test_no_more_descriptors_is_a_lack_of_resources() -> None:
    """It is this machine's trouble, not the service's, and the hint says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ScriptedServer(tls=serving()) as peer:
        (await dial(peer.target().at_port(peer.port))).close()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
            with pytest.raises(ResourceError) as caught:
                await dial(peer.target().at_port(peer.port))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "ulimit" in caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EMFILE


async def test_a_key_that_cannot_be_loaded_leaves_nothing_open() -> None:
    """The error is the credential's own, and the server gets no hello."""

    def load(_: object) -> None:
        raise PrivateKeyError("no such key", reason="weak")

    identity = ClientCertificate(KeyType.EC, load)
    with ScriptedServer(silent) as peer, pytest.raises(CredentialError):
        await dial(peer.target(identity=identity).at_port(peer.port))

    assert peer.lines[0].received == b""
    assert slots_taken() == 0


async def test_a_peer_that_is_gone_before_tls_is_a_lost_connection() -> None:
    """Python has an error of its own for bytes followed by a reset; it is not a TLS error."""
    script = steps(b"220 mail\r\n", Line.reset)
    with ScriptedServer(script) as peer, socket.socket() as plain:
        plain.connect((HOST, peer.port))
        plain.setblocking(False)
        while plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNRESET:
            await anyio.lowlevel.checkpoint()

        endpoint = peer.target().at_port(peer.port)
        with pytest.raises(ConnectionLostError) as caught:
            async with limiter_module.limiter_for(HOST, peer.port).slot() as slot:
                await dial_module._handshake(endpoint, plain, slot)

    assert caught.value.phase is Phase.TLS


async def test_a_timeout_of_the_kernel_is_a_lost_connection() -> None:
    """It gave up on packets without an acknowledgement; our limit has not passed."""
    with ScriptedServer(silent) as peer, socket.socket() as plain:
        endpoint = peer.target().at_port(peer.port)
        exc = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        error = dial_module._handshake_error(exc, endpoint, plain)

    assert isinstance(error, ConnectionLostError)
    assert "Connection timed out" in error.message


# Many at once


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(silent, id="silence"),
        pytest.param(drips(b"\x16\x03\x03\x40\x00\x02\x00\x3f", gap=0.02), id="drip"),
    ],
)
async def test_a_hundred_silent_peers_do_not_delay_a_healthy_device(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[Line], None]
) -> None:
    """They came first, nothing ends them, and they are at another endpoint: silence, and drips."""
    monkeypatch.setattr(limiter_module, "STALL_TIMEOUT", 0.05)
    with ScriptedServer(script) as mute, ScriptedServer(tls=serving()) as healthy:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(_dial_in_vain, mute)

            for _ in range(10):
                await anyio.lowlevel.checkpoint()

            connection = await dial(healthy.target().at_port(healthy.port))
            ended = [line for line in mute.lines if line.ended.is_set()]
            connection.close()
            tasks.cancel_scope.cancel()

    assert mute.lines
    assert not ended


async def _dial_in_vain(peer: ScriptedServer) -> None:
    with contextlib.suppress(ProvisioningError):
        (await dial(peer.target().at_port(peer.port))).close()


class Handshakes:
    """Counts the handshakes under way: an observer for many devices."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.queued = 0

    def __call__(self, step: Step) -> None:
        """Take note of a connection, or of a handshake done."""
        self.queued += step.kind is StepKind.DEQUEUED
        self.under_way += {StepKind.CONNECTED: 1, StepKind.SECURED: -1}.get(step.kind, 0)
        self.most = max(self.most, self.under_way)


async def _dial_often(peer: ScriptedServer, times: int) -> Handshakes:
    handshakes = Handshakes()

    async def one() -> None:
        (await dial(peer.target(observer=handshakes).at_port(peer.port))).close()

    async with anyio.create_task_group() as tasks:
        for _ in range(times):
            tasks.start_soon(one)

    return handshakes


async def test_hundreds_at_once_are_made_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All get there, and no more handshakes are under way than there are places."""
    monkeypatch.setattr(limiter_module, "STALL_TIMEOUT", 3600.0)
    monkeypatch.setattr(limiter_module, "LEAST_CAPACITY", 16)
    monkeypatch.setattr(limiter_module, "MAX_CAPACITY", 16)
    with ScriptedServer(tls=serving()) as peer:
        handshakes = await _dial_often(peer, 100)

    assert len(peer.lines) == 100
    assert all(line.secured for line in peer.lines)
    assert 1 < handshakes.most <= 16
    assert handshakes.under_way == 0
    assert handshakes.queued >= 84


# Cancellation


async def test_cancelled_at_any_await_a_dial_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No socket, no reader, no slot of the limiter; the peer sees every connection end."""
    files = open_files()
    with ScriptedServer(tls=serving(version=SSL.TLS1_2_VERSION)) as peer, closed_port() as nobody:
        lead_to(monkeypatch, ("::1", nobody), (HOST, peer.port), (HOST, peer.port))

        async def work() -> None:
            (await dial(peer.target(endpoint="localhost").at_port(peer.port))).close()

        awaits = 0
        while await cancelled_at(awaits, work):
            awaits += 1

    assert awaits >= 4
    assert slots_taken() == 0
    assert open_files() <= files


@pytest.mark.parametrize("operation", ["receive", "send"])
async def test_a_cancelled_wait_leaves_a_usable_connection(operation: str) -> None:
    """Nothing is lost and no reader stays behind: the next wait is the only one."""
    release = threading.Event()

    def reads_late(line: Line) -> None:
        release.wait(LIMIT)
        line.send(b"at last")
        line.drain()

    with ScriptedServer(reads_late, tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))

        with anyio.move_on_after(0.05) as scope:
            if operation == "receive":
                await connection.receive()
            else:
                await connection.send(b"x" * 20_000_000)

        release.set()
        answer = await connection.receive()
        connection.close()

    assert scope.cancelled_caught
    assert answer == b"at last"


async def test_resets_of_all_ages_leave_nothing() -> None:
    """A peer that resets after the hello is a lost connection a hundred times over."""
    files = open_files()
    with ScriptedServer(resets) as peer:
        for _ in range(100):
            with pytest.raises(ConnectionLostError):
                await dial(peer.target().at_port(peer.port))

    assert open_files() <= files
    assert slots_taken() == 0

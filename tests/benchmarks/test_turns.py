"""The turns of client and service: neither runs while the other one does."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

turns = pytest.importorskip("benchmarks.turns", reason="not in a source distribution")
pytestmark = pytest.mark.sockets


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Make the descriptor of a selector, and its peer's."""
    own, peer = socket.socketpair()
    peer.setblocking(False)
    with own, peer:
        yield own, peer


@pytest.fixture
def arrival() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Make a connection: what is sent from the second arrives at the first."""
    arrives, sender = socket.socketpair()
    with arrives, sender:
        yield arrives, sender


def test_the_client_gives_its_turn_when_it_waits(
    pair: tuple[socket.socket, socket.socket], arrival: tuple[socket.socket, socket.socket]
) -> None:
    """And not while it has something left to do, even if something has arrived."""
    own, peer = pair
    arrives, sender = arrival
    sender.send(b"x")
    peer.send(b".")
    with turns.ClientSelector(own.fileno()) as selector:
        selector.register(arrives, selectors.EVENT_READ)

        assert selector.select(0)
        with pytest.raises(BlockingIOError):
            peer.recv(9)

        assert selector.select(None)
        assert peer.recv(9) == b"."


def test_the_service_has_ended(pair: tuple[socket.socket, socket.socket]) -> None:
    """The client would wait for ever."""
    own, peer = pair
    peer.shutdown(socket.SHUT_WR)
    with (
        turns.ClientSelector(own.fileno()) as selector,
        pytest.raises(ConnectionError, match="ended"),
    ):
        selector.select(None)


def test_the_service_keeps_its_turn_until_it_is_done(
    pair: tuple[socket.socket, socket.socket], arrival: tuple[socket.socket, socket.socket]
) -> None:
    """First it takes one; it gives it back when nothing is ready, and takes the next."""
    own, peer = pair
    arrives, sender = arrival
    with turns.ServiceSelector(own.fileno()) as selector:
        selector.register(arrives, selectors.EVENT_READ)
        peer.send(b".")
        assert selector.select(None) == []

        sender.send(b"x")
        assert selector.select(None)
        with pytest.raises(BlockingIOError):
            peer.recv(9)

        arrives.recv(9)
        peer.send(b".")
        assert selector.select(None) == []
        assert peer.recv(9) == b"."


def test_the_service_ends_when_nobody_is_left(
    pair: tuple[socket.socket, socket.socket], arrival: tuple[socket.socket, socket.socket]
) -> None:
    """It would stay for ever; and it has to run while it ends."""
    own, peer = pair
    arrives, sender = arrival
    with turns.ServiceSelector(own.fileno()) as selector:
        selector.register(arrives, selectors.EVENT_READ)
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises(KeyboardInterrupt):
            selector.select(None)

        sender.send(b"x")
        assert selector.select(None)

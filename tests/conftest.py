"""Fixtures every test may use, and what holds for every test."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

PROFILE: Final = settings(
    deadline=None,
    max_examples=50,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # it judges by the wall clock
)
settings.register_profile("default", PROFILE)
settings.register_profile("fuzz", PROFILE, max_examples=20_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

OWN_SESSION: Final = frozenset(
    {
        "processes",
        "simulation",
        "scale",
        "interop",
        "browser",
        "cluster",
        "pkcs11",
        "swtpm",
        "network",
        "container",
    }
)
"""Marks of tests that run in sessions of their own; most of them open sockets."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run each asynchronous test on both event loops, or on those that a mark makes for it."""
    return request.param() if callable(request.param) else request.param


class SocketGuard:
    """Refuses sockets and processes to tests that are not marked as using them."""

    EVENTS: Final = frozenset(
        {"socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}
    )

    def __init__(self) -> None:
        self.on = False
        self.refused: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: tuple[Any, ...]) -> None:
        if self.on and event in self.EVENTS:
            self.refused.append(event)
            raise AssertionError(f"{event} in a test that is not marked `sockets`")


GUARD: Final = SocketGuard()


@pytest.fixture(autouse=True)
def sockets_are_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep the tests of `nox -s unit` what they are: they open no socket and start no process."""
    GUARD.on = request.node.get_closest_marker("sockets") is None
    GUARD.refused.clear()
    yield
    GUARD.on = False
    assert not GUARD.refused  # also if the code under test has made another error of it


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read browser tests only when they are asked for: they need packages of their own."""
    wanted = "browser" in config.option.markexpr or collection_path.name != "browser"
    return None if wanted else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow sessions' tests out unless a session asks for them with `-m`."""
    quick: list[pytest.Item] = []
    slow: list[pytest.Item] = []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        (slow if OWN_SESSION & marks else quick).append(item)

    for item in slow:
        item.add_marker("sockets")

    if config.option.markexpr:
        return

    config.hook.pytest_deselected(items=slow)
    items[:] = quick


def pytest_sessionstart() -> None:
    """Collect tests and no garbage: there is none yet."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector a look at ten thousand tests each time: a tenth of all CPU."""
    gc.freeze()
    gc.enable()

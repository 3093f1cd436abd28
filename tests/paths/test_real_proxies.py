"""Real proxies let a device through, and what they refuse is told as what it is."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.attestation_kinds import KINDS
from tests.certificates import root
from tests.paths.real_proxies import DENIED_PORT, LOGIN, REAL_PROXIES, RealProxy

import aiodps
from aiodps import testing
from aiodps.testing import RunningEmulator
from aiodps.transports.base import TransportFactory

pytestmark = [pytest.mark.network, pytest.mark.anyio]
ONCE = aiodps.RetryPolicy(max_failures=1, min_poll_interval=0.1, poll_interval=0.1)
NUMBERS = itertools.count(1)
"""Each device has one."""
BY_NAME = {each.name: each for each in REAL_PROXIES}


@pytest.fixture
def anyio_backend() -> str:
    """The session of aiomqtt runs on asyncio only."""
    return "asyncio"


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all, in a thread."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        yield running


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Run every proxy; give the port of each."""
    with contextlib.ExitStack() as stack:
        found: dict[str, int] = {}
        for proxy in REAL_PROXIES:
            with socket.create_server(("127.0.0.1", 0)) as free:
                found[proxy.name] = free.getsockname()[1]

            folder = tmp_path_factory.mktemp(proxy.name)
            stack.enter_context(proxy.running(folder, found[proxy.name]))

        yield found


async def provisioned(
    dps: RunningEmulator,
    proxy: str,
    *,
    transport: str | TransportFactory = "rest",
    port: int | None = None,
) -> aiodps.Assignment:
    """Provision a device through a proxy."""
    name = f"dev-{next(NUMBERS)}"
    made = next(iter(KINDS.values())).make(name, "individual")
    dps.enroll(made.enrollment(name, "individual"))
    return await aiodps.provision(
        id_scope=dps.id_scope,
        attestation=made.right,
        endpoint="localhost",
        transport=transport,
        port=port,
        trust=dps.ca_pem,
        proxy=proxy,
        retry=ONCE,
    )


@pytest.mark.parametrize("proxy", REAL_PROXIES, ids=str)
@pytest.mark.parametrize("transport", ["rest", "mqtt", "mqtt-ws"])
async def test_assigned_through_each(
    dps: RunningEmulator,
    ports: dict[str, int],
    proxy: RealProxy,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy looks up the service's name; this process looks up nothing."""

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"{host} was looked up")

    port = dps.mqtt_port if transport == "mqtt" else dps.https_port
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: (
            real(host, *args, **more) if host == "127.0.0.1" else getaddrinfo(host)
        ),
    )
    assignment = await provisioned(
        dps, proxy.url(ports[proxy.name]), transport=transport, port=port
    )

    assert assignment.assigned_hub == "emulated-hub.azure-devices.net"


@pytest.mark.parametrize("login", ["", "user:wrong@", "nobody:correct-horse@"])
@pytest.mark.parametrize("name", ["tinyproxy", "microsocks"])
async def test_wrong_passwords(
    dps: RunningEmulator, ports: dict[str, int], name: str, login: str
) -> None:
    """Tinyproxy says 401 to a wrong one and 407 to none."""
    proxy = BY_NAME[name]
    with pytest.raises(aiodps.ProxyError) as caught:
        await provisioned(
            dps, f"{proxy.scheme}://{login}127.0.0.1:{ports[name]}", port=dps.https_port
        )

    assert caught.value.reason == "authentication"
    assert caught.value.attempts == 1
    if name == "tinyproxy":
        assert caught.value.status_code == (401 if login else 407)


@pytest.mark.parametrize("proxy", REAL_PROXIES, ids=str)
async def test_a_service_that_is_not_there(
    dps: RunningEmulator, ports: dict[str, int], proxy: RealProxy
) -> None:
    """Each says so in its own way; all are tried again."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(aiodps.ProxyError) as caught:
            await provisioned(dps, proxy.url(ports[proxy.name]), port=nobody.getsockname()[1])

    assert caught.value.reason == "unavailable"


@pytest.mark.parametrize("name", ["squid", "dante"])
async def test_a_port_that_is_not_allowed(
    dps: RunningEmulator, ports: dict[str, int], name: str
) -> None:
    """It is not tried again."""
    with pytest.raises(aiodps.ProxyError) as caught:
        await provisioned(dps, BY_NAME[name].url(ports[name]), port=DENIED_PORT)

    assert caught.value.reason == "forbidden"
    assert caught.value.attempts == 1
    assert LOGIN not in str(caught.value)


def race(dps: RunningEmulator, mqtt_port: int) -> aiodps.Auto:
    """Let MQTT at a port race with the transports on HTTPS."""
    return aiodps.Auto(
        transports=(
            aiodps.MQTT(port=mqtt_port),
            aiodps.MQTT(port=dps.https_port, websocket=True),
            aiodps.REST(port=dps.https_port),
        )
    )


@pytest.mark.parametrize("name", ["squid", "dante"])
async def test_a_race_at_a_proxy_that_allows_one_port(
    dps: RunningEmulator, ports: dict[str, int], name: str
) -> None:
    """What is forbidden has lost; the others go on."""
    transport = race(dps, DENIED_PORT)
    assignment = await provisioned(dps, BY_NAME[name].url(ports[name]), transport=transport)

    assert assignment.transport == "mqtt-ws"


@pytest.mark.parametrize("name", ["tinyproxy", "microsocks"])
async def test_a_race_with_a_wrong_password(
    dps: RunningEmulator, ports: dict[str, int], name: str
) -> None:
    """All are refused, and none is tried again."""
    url = f"{BY_NAME[name].scheme}://user:wrong@127.0.0.1:{ports[name]}"
    with pytest.raises(aiodps.ProxyError) as caught:
        await provisioned(dps, url, transport=race(dps, dps.mqtt_port))

    assert caught.value.reason == "authentication"
    assert caught.value.attempts == 1


async def test_the_wrong_scheme(dps: RunningEmulator, ports: dict[str, int]) -> None:
    """A SOCKS proxy is not one for CONNECT."""
    with pytest.raises(aiodps.TransportError) as caught:
        await provisioned(dps, f"http://127.0.0.1:{ports['microsocks']}", port=dps.https_port)

    assert caught.value.phase is aiodps.Phase.PROXY

"""The hand-over: names, tokens and certificates as the hub wants them, for each kind of device."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import runpy
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from tests.assignments.stored import assignment
from tests.attestation_kinds import KINDS, Made, client_of, issued
from tests.certificates import root, write
from tests.emulated import DEVICES, attestation
from tests.sas_vectors import C_KEY
from tests.scripted.iot_hub import IotHub
from tests.scripted.tls import good_server, handshake

import aiodps
from aiodps import HubConnection, errors, testing
from aiodps.attestation.memory_file import as_file
from aiodps.testing import RunningEmulator

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "hub_message.py"
SOCKETS = pytest.mark.sockets
QUIET = pytest.mark.parametrize("anyio_backend", ["asyncio"])
CA = root().certificate
HUB = "hub.azure-devices.net"
OWN = attestation(DEVICES["individual"])
KEY = aiodps.SymmetricKey(registration_id="press-4", key=C_KEY)


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all tests, in a thread; its hub is on this machine."""
    folder = tmp_path_factory.mktemp("dps")
    with testing.running(ca=root(), directory=folder, hub="127.0.0.1") as running:
        yield running


def sealed(key: bytes, connection: HubConnection, resource: str) -> str:
    """Write the token that a connection has to have, independently."""
    assert connection.expires is not None
    expiry, sr = int(connection.expires.timestamp()), quote(resource, safe="")
    signature = hmac.digest(key, f"{sr}\n{expiry}".encode(), hashlib.sha256)
    sig = quote(base64.b64encode(signature).decode(), safe="")
    return f"SharedAccessSignature sr={sr}&sig={sig}&se={expiry}"


def shown(connection: HubConnection, ca: Certificate = CA) -> list[bytes]:
    """Do a handshake as the device, and return the chain that a hub sees."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(good_server().chain_pem + good_server().private_key_pem) as path:
        server.load_cert_chain(path)

    server.load_verify_locations(cadata=ca.public_bytes(Encoding.DER))
    server.verify_mode = ssl.CERT_OPTIONAL
    return handshake(connection.tls_context, server, host="127.0.0.1")


async def test_a_certificate() -> None:
    """It is shown in TLS, and there is no password."""
    made = await HubConnection.of(
        assignment(deviceId="press#4"), OWN, trust=root().certificate_pem
    )

    assert made == dataclasses.replace(
        made,
        host=HUB,
        port=8883,
        client_id="press#4",
        user_name=f"{HUB}/press#4/?api-version=2021-04-12",
        password=None,
        expires=None,
    )
    assert shown(made)[0] == OWN.chain[0].public_bytes(Encoding.DER)
    assert (made.websocket_port, made.websocket_path) == (443, "/$iothub/websocket")


async def test_a_symmetric_key() -> None:
    """A token for the device at the hub, without a policy; no certificate."""
    now = time.time()
    made = await HubConnection.of(
        assignment(deviceId="press#4"),
        KEY,
        trust=root().certificate_pem,
        token_lifetime=60,
    )
    token = sealed(base64.b64decode(C_KEY), made, f"{HUB}/devices/press#4")

    assert made.password == token
    assert made.expires is not None
    assert now + 59 <= made.expires.timestamp() <= time.time() + 60
    assert shown(made) == []
    assert token not in repr(made)
    assert "password" not in repr(made)


@pytest.mark.parametrize("cloud", ["net", "cn", "us"])
async def test_the_newer_endpoint(cloud: str) -> None:
    """It is connected to; user name and token have the hub's own name."""
    host = f"x.device.azure-devices.{cloud}"
    made = await HubConnection.of(dataclasses.replace(assignment(), assigned_hub=host), KEY)
    name = f"x.azure-devices.{cloud}"

    assert (made.host, made.user_name.partition("/")[0]) == (host, name)
    assert made.password == sealed(base64.b64decode(C_KEY), made, f"{name}/devices/press-4")


@pytest.mark.parametrize("host", ["device.azure-devices.net", "a.b.device.example.org"])
async def test_other_names(host: str) -> None:
    """They are what they are."""
    made = await HubConnection.of(dataclasses.replace(assignment(), assigned_hub=host), KEY)

    assert made.user_name.startswith(f"{host}/")


async def test_the_credential_that_was_accepted() -> None:
    """Of a list, the one at the position that the assignment names."""
    found = dataclasses.replace(assignment(), credential=1)
    made = await HubConnection.of(found, [OWN, KEY])

    assert made.password is not None
    with pytest.raises(errors.ConfigurationError, match="no attestation"):
        await HubConnection.of(found, [OWN])


@SOCKETS
@QUIET
@pytest.mark.parametrize("way", ["individual", "group"])
async def test_a_derived_key(dps: RunningEmulator, way: Any) -> None:
    """The key of an enrollment, and that derived from a group's."""
    name = f"key-{way}"
    made = KINDS["symmetric key"].make(name, way)
    dps.enroll(made.enrollment(name, way))
    connection = await HubConnection.of(await provisioned(dps, made), made.right)
    key = made.secrets["key" if way == "individual" else "derived key"]

    assert connection.password == sealed(key, connection, f"127.0.0.1/devices/{name}")


@SOCKETS
@QUIET
async def test_a_tpm(dps: RunningEmulator) -> None:
    """It signs with the key that was sealed for its hub; another key since is replaced, once."""
    made = KINDS["TPM"].make("tpm-1", "individual")
    dps.enroll(made.enrollment("tpm-1", "individual"))
    found, imported = await provisioned(dps, made), list[int]()
    for other in (False, True, False):
        if other:
            await provisioned(dps, made)

        imported.append(len(made.secrets))
        connection = await HubConnection.of(found, made.right)
        *_, key = made.secrets.values()

        assert connection.password == sealed(key, connection, "127.0.0.1/devices/tpm-1")

    assert imported == [2, 4, 5]
    assert len(made.secrets) == 5


@SOCKETS
@QUIET
async def test_an_issued_certificate(dps: RunningEmulator) -> None:
    """It takes the place of what the device was provisioned with."""
    made = issued(KINDS["symmetric key"].make)("issued-1", "individual")
    dps.enroll(made.enrollment("issued-1", "individual"))
    found = await provisioned(dps, made)
    for given in (made.right, None):
        connection = await HubConnection.of(found, given, trust=root().certificate_pem)

        assert connection.password is None
        assert found.issued is not None
        leaf, *_, top = found.issued.chain
        assert shown(connection, top)[0] == leaf.public_bytes(Encoding.DER)


async def provisioned(dps: RunningEmulator, made: Made) -> aiodps.Assignment:
    """Provision a device whose hub is on this machine."""
    client = client_of(dps, "rest")
    settings = client.settings.replace(hub_suffixes=(".0.0.1",))
    local = aiodps.ProvisioningClient.from_settings(settings, retry=client.retry)
    return await local.provision(attestation=made.right, issue=made.issue)


@pytest.mark.parametrize("profile", ["mqttV5", "mqttV6"])
async def test_a_profile_that_is_not_known(profile: str) -> None:
    """It is refused, and "classic" is not."""
    with pytest.raises(errors.UsageError, match=profile):
        await HubConnection.of(assignment(connectionProfile=profile), KEY)

    classic = await HubConnection.of(assignment(connectionProfile="classic"), KEY)
    assert classic.host == HUB


class Neither:
    """An attestation without certificate and token."""

    registration_id = "press-4"
    tls_identity = KEY.tls_identity
    check = KEY.check

    async def authorization(self, audience: str, *, expires: int) -> None:
        """Return none."""


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"attestation": None}, "attestation"),
        ({"attestation": "key"}, "attestation"),
        ({"attestation": Neither()}, "attestation"),
        ({"assignment": "hub"}, "assignment"),
        ({"token_lifetime": 0}, "token_lifetime"),
        ({"token_lifetime": True}, "token_lifetime"),
        ({"token_lifetime": float("nan")}, "token_lifetime"),
        ({"token_lifetime": 1e9}, "token_lifetime"),
        ({"trust": b"no"}, "trust"),
    ],
)
async def test_bad_arguments(arguments: dict[str, Any], setting: str) -> None:
    """They are refused by name."""
    with pytest.raises(errors.ConfigurationError) as refused:
        await HubConnection.of(**{"assignment": assignment(), "attestation": KEY, **arguments})

    assert refused.value.setting == setting


async def test_a_context_of_the_callers_own() -> None:
    """It is taken as it is, with its own CAs."""
    context = ssl.create_default_context()
    own = aiodps.X509.from_context(context)
    made = await HubConnection.of(assignment(), own)

    assert made.tls_context is context
    with pytest.raises(errors.ConfigurationError, match="trust cannot be combined"):
        await HubConnection.of(assignment(), own, trust="azure")


@SOCKETS
@QUIET
async def test_the_example(
    dps: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends its message to what stands in for the hub, which refuses the device at first."""
    device = root().device("sensor-7")
    made = {
        "type": "x509",
        "x509": {
            "clientCertificates": {"primary": {"certificate": device.certificate_pem.decode()}}
        },
    }
    dps.enroll({"registrationId": "sensor-7", "deviceId": "press-7", "attestation": made})
    (tmp_path / "root.pem").write_bytes(root().certificate_pem)
    files = map(str, write(device, tmp_path))
    with IotHub(refusals=1) as hub:
        settings = {
            "AIODPS_ID_SCOPE": dps.id_scope,
            "AIODPS_ENDPOINT": dps.host,
            "AIODPS_PORT": str(dps.https_port),
            "AIODPS_TRANSPORT": "rest",
            "AIODPS_TRUST": str(dps.ca_file),
            "AIODPS_HUB_SUFFIXES": ".0.0.1",
            "HUB_PORT": str(hub.port),
            "HUB_TRUST": str(tmp_path / "root.pem"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

        # A device waits two seconds between polls; a test does not.
        defaults = aiodps.RetryPolicy.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "min_poll_interval", 0.0)

        await runpy.run_path(str(EXAMPLE))["main"](*files, str(tmp_path / "cache"))

    first, second = hub.devices
    assert (
        first.names
        == second.names
        == ("press-7", "127.0.0.1/press-7/?api-version=2021-04-12", None)
    )
    assert hub.certificates == [device.certificate] * 2
    assert second.message is not None
    assert second.message.topic == "devices/press-7/messages/events/"
    assert json.loads(second.message.body) == {"temperature": 21.5}
    assert dps.register_requests("sensor-7") == 2

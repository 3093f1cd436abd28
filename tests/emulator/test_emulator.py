"""The emulator in one piece: it provisions, and it leaves nothing."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from cryptography import x509
from tests.certificates import intermediate, root
from tests.emulated import SCOPE, device, running
from tests.emulator.admin.visits import head, headers, port_of, visit
from tests.emulator.tokens import KEY, OTHER_KEY, signature, token
from tests.leftovers import descriptors
from tests.scripted_client import REGISTER, http, mqtt, mqtt_connect, mqtt_publish

from aiodps.emulator import Emulator
from aiodps.emulator.admin.server import MAX_CONNECTIONS
from aiodps.emulator.connections import connection_limit
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.enrollments.store import IndividualEnrollment
from aiodps.emulator.state.sqlite import SqliteStore
from aiodps.emulator.state.store import Kind
from aiodps.errors import ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
BASE = f"/{SCOPE}/registrations/device-1"
VERSION = "api-version=2019-03-31"


async def test_a_device_is_assigned_over_https() -> None:
    """Register, poll, assigned; on one connection."""
    async with running() as dps, http(dps, device()) as client:
        accepted = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")
        operation = accepted.body["operationId"]
        done = await client.ask("GET", f"{BASE}/operations/{operation}?{VERSION}")
        looked_up = await client.ask("POST", f"{BASE}?{VERSION}", b"{}")

        assert (accepted.status, accepted.body["status"]) == (202, "assigning")
        assert (done.status, done.body["status"]) == (200, "assigned")
        assert done.body["registrationState"]["assignedHub"] == dps.hub
        assert looked_up.body["deviceId"] == "device-1"
        assert dps.counts.register_requests == {"device-1": 1}
        assert dps.counts.operations[Operation.OPERATION_STATUS] == 1


async def test_a_device_is_assigned_over_mqtt() -> None:
    """The same over the other front."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_publish(REGISTER)) as client,
    ):
        connack, puback = await client.take(), await client.take()
        topic, accepted = await client.message()
        operation = accepted["operationId"]
        poll = "$dps/registrations/GET/iotdps-get-operationstatus/"
        await client.send(mqtt_publish(f"{poll}?$rid=2&operationId={operation}", b" "))
        await client.take()
        done_topic, done = await client.message()

        assert connack == (0x20, b"\0\0")
        assert puback == (0x40, b"\0\1")
        assert topic == "$dps/registrations/res/202/?$rid=1&retry-after=3"
        assert done_topic == "$dps/registrations/res/200/?$rid=2"
        assert done["registrationState"]["assignedHub"] == dps.hub
        assert dps.counts.register_requests == {"device-1": 1}


async def test_a_key_is_shown_in_header_or_password() -> None:
    """Over HTTPS a bad one is refused at once; over MQTT the CONNECT is taken all the same."""
    keys = SymmetricKeys(primary=KEY)
    enrollment = IndividualEnrollment(registration_id="device-1", attestation=keys)
    good, bad = (token(id_scope=SCOPE, key=key) for key in (KEY, OTHER_KEY))
    async with running(enrollments=[enrollment]) as dps:
        for sas, codes in ((good, (202, None)), (bad, (401, 401002))):
            async with http(dps) as client:
                header = f"Authorization: {sas}"
                answer = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}", [header])
                assert (answer.status, answer.body.get("errorCode")) == codes

        for sas, status, code in ((good, 202, None), (bad, 401, 401000)):
            packets = (mqtt_connect(password=sas), mqtt_publish(REGISTER))
            async with mqtt(dps, None, *packets) as device_client:
                assert await device_client.take() == (0x20, b"\0\0")
                await device_client.take()
                topic, body = await device_client.message()
                assert topic.startswith(f"$dps/registrations/res/{status}/?$rid=1")
                assert body.get("errorCode") == code


async def test_assign_after_delays_the_assignment() -> None:
    """Until then, polls are told to wait."""
    async with running(assign_after=3600, retry_after=7) as dps, http(dps, device()) as client:
        accepted = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")
        operation = accepted.body["operationId"]
        poll = await client.ask("GET", f"{BASE}/operations/{operation}?{VERSION}")

        assert (poll.status, poll.body["status"]) == (202, "assigning")
        assert poll.headers["Retry-After"] == "7"


async def test_leaving_the_block_leaves_nothing() -> None:
    """No socket, no task, whatever the connections were doing."""
    before = descriptors()
    async with running() as dps:
        ports = dps.https_port, dps.mqtt_port
        sockets = [socket.create_connection((dps.host, port)) for port in ports]
        async with http(dps) as client, mqtt(dps, device(), mqtt_connect()) as session:
            await client.ask("GET", "/")
            await session.take()
            assert len(descriptors() - before) > 6

    for sock in sockets:
        sock.close()

    assert not descriptors() - before
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


async def test_the_blocks_own_error_comes_out_as_it_is() -> None:
    """Not wrapped into a group."""
    with pytest.raises(ZeroDivisionError):
        async with running():
            raise ZeroDivisionError


async def test_cancelling_the_block_ends_it() -> None:
    """As any other block."""
    with anyio.CancelScope() as scope:
        async with Emulator():
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught


async def test_a_port_in_use_is_told_as_that() -> None:
    """And the other port is given back."""
    async with running() as dps:
        before = descriptors()
        with pytest.raises(ConfigurationError, match="is in use") as caught:
            async with Emulator(mqtt_port=dps.https_port):
                pass

        assert caught.value.setting == "mqtt_port"
        assert not descriptors() - before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 (it is refused)
def test_only_loopback_without_two_words(host: str) -> None:
    """A host that others can reach must be allowed explicitly."""
    with pytest.raises(ConfigurationError, match="other machines") as caught:
        Emulator(host=host)

    assert caught.value.setting == "host"
    assert Emulator(host=host, beyond_loopback=True).host == host


async def test_the_server_has_its_own_short_lived_ca() -> None:
    """Named so that nobody takes it for anything else, and good for all names asked for."""
    one = Emulator(host="127.9.8.7", server_names=("dps.example",))
    other = Emulator()
    ca = x509.load_pem_x509_certificate(one.ca_pem)

    assert "aiodps emulator CA" in ca.subject.rfc4514_string()
    assert (ca.not_valid_after_utc - ca.not_valid_before_utc).days <= 7
    assert one.ca_pem != other.ca_pem


async def test_another_loopback_address_is_served() -> None:
    """Clients with hard-coded ports need an address of their own."""
    async with running(host="127.0.0.2") as dps:
        assert dps.host == "127.0.0.2"
        with socket.create_connection(("127.0.0.2", dps.mqtt_port)):
            pass


async def test_each_request_is_told_as_it_happens() -> None:
    """To whoever asks."""
    seen: list[Exchange] = []
    async with running(on_exchange=seen.append) as dps, http(dps) as client:
        await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")
        await client.ask("GET", "/")

    assert [(each.operation, each.status_code) for each in seen] == [
        (Operation.REGISTER, 401),
        (None, 404),
    ]


async def test_its_connection_string_opens_the_service_api() -> None:
    """A token signed with the key in it, for the host that is asked; and with no other key."""
    async with running(service_key=KEY) as dps, http(dps) as client:
        place, policy, key = (
            part.partition("=")[2] for part in dps.connection_string.split(";", 2)
        )
        expiry = int(time.time()) + 60
        scope = f"sr=localhost&skn={policy}&se={expiry}"
        signatures = [quote(signature(each, "localhost", expiry)) for each in (key, OTHER_KEY)]
        answers = [
            await client.ask(
                "GET",
                "/enrollments/nobody?api-version=2021-10-01",
                headers=[f"Authorization: SharedAccessSignature {scope}&sig={sig}"],
            )
            for sig in signatures
        ]

        assert place == f"{dps.host}:{dps.https_port}"
        assert [answer.status for answer in answers] == [404, 401]
        assert answers[0].body["errorCode"] == 404201
        assert KEY not in repr(dps)


def test_a_service_key_that_cannot_be() -> None:
    """Said before anything runs."""
    with pytest.raises(ConfigurationError, match="not base64"):
        Emulator(service_key="no key")


async def test_a_state_file_goes_on_where_the_last_emulator_ended(tmp_path: Path) -> None:
    """With the CA that clients trust, what was enrolled, and operations that are at work."""
    options: dict[str, Any] = {"state": tmp_path / "state.db", "assign_after": 3600}
    async with running(**options) as before, http(before, device()) as client:
        accepted = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")

    operation = f"{BASE}/operations/{accepted.body['operationId']}?{VERSION}"
    async with Emulator(**options) as after, http(after, device()) as client:
        poll = await client.ask("GET", operation)

    assert (poll.status, poll.body["status"]) == (202, "assigning")
    assert after.ca_pem == before.ca_pem
    assert after.connection_string.split(";")[2:] == before.connection_string.split(";")[2:]


@pytest.mark.parametrize("kind", Kind)
async def test_a_state_file_that_makes_no_sense_is_told_in_words(
    kind: Kind, tmp_path: Path
) -> None:
    """What it holds is named, whatever is wrong with it."""
    file = tmp_path / "state.db"
    with closing(SqliteStore.open(file)) as store:
        store.put(kind, "authority", dict)
        store.commit()

    with pytest.raises(ConfigurationError, match=f"holds a bad {kind}") as caught:
        Emulator(state=file)

    assert caught.value.setting == "state"


async def test_a_state_file_serves_one_emulator_at_a_time(tmp_path: Path) -> None:
    """It is let go at the end of the block, and by an emulator that could not be made."""
    file = tmp_path / "state.db"
    async with Emulator(state=file):
        with pytest.raises(ConfigurationError, match="is in use"):
            Emulator(state=file)

    with pytest.raises(ConfigurationError, match="id scope"):
        Emulator(state=file, id_scope="another")

    async with Emulator(state=file):
        pass


async def test_what_is_changed_directly_is_kept_at_the_end(tmp_path: Path) -> None:
    """As by a test, before or within the block."""
    file = tmp_path / "state.db"
    dps = Emulator(state=file)
    dps.service.certificates.upload("before", device().certificate, now=0)
    async with dps:
        dps.service.certificates.upload("within", device().certificate, now=0)

    async with Emulator(state=file) as dps:
        assert [each.name for each in dps.service.certificates] == ["before", "within"]


@contextlib.contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """Have no file of this process grow much beyond this one, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_costs_answers_and_no_state(tmp_path: Path) -> None:
    """500 and why, until there is room again; then what came meanwhile is kept too."""
    file = tmp_path / "state.db"
    register = f"{BASE}/register?{VERSION}"
    async with running(state=file) as dps, http(dps, device()) as client:
        before = await client.ask("PUT", register, b"{}")
        with full_disk(tmp_path / "state.db-wal"):
            refused = await client.ask("PUT", register, b"{}")

        after = await client.ask("PUT", register, b"{}")

    assert (before.status, refused.status, after.status) == (202, 500, 202)
    assert "cannot be saved" in refused.body["message"]
    async with Emulator(state=file) as dps:
        (record,) = dps.service.registrations.records()
        assert len(record.operations) == 3


@pytest.mark.parametrize("setting", ["assign_after", "retry_after"])
@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
async def test_times_that_cannot_be_waited_for_are_refused(setting: str, seconds: float) -> None:
    """At the start, and not by an error at each registration."""
    options: dict[str, Any] = {setting: seconds}
    with pytest.raises(ConfigurationError, match=f"{setting} is .*, which is out of range"):
        Emulator(**options)


async def test_there_is_no_admin_port_unless_asked_for() -> None:
    """There is no port, and no fact about one."""
    async with running() as dps:
        assert dps.admin is None
        assert "admin_url" not in dps.facts()


async def test_admin_api_and_page() -> None:
    """Both are there."""
    async with running(admin_port=0) as dps:
        assert dps.admin is not None
        async with visit(dps.admin) as client:
            facts = await client.ask("GET", "/api/facts", headers=headers(dps.admin))
            await client.stream.send(head(dps.admin, "GET", "/"))
            data = b""
            while b"</html>" not in data:
                data += await client.stream.receive()

        assert facts.status == 200
        assert data.startswith(b"HTTP/1.1 200")


async def test_a_taken_admin_port_is_an_error() -> None:
    """And the other way round: one that is taken is an error before anything runs."""
    async with running(admin_port=0) as dps:
        assert dps.admin is not None
        taken = int(dps.admin.url.rpartition(":")[2])
        other = Emulator(admin_port=taken)
        with pytest.raises(ConfigurationError, match="in use"):
            await other.__aenter__()


async def test_the_admin_port_is_on_loopback_alone() -> None:
    """Whatever the other ports listen on."""
    async with running(admin_port=0, host="0.0.0.0", beyond_loopback=True) as dps:  # noqa: S104
        assert dps.admin is not None
        assert dps.admin.url.startswith("http://127.0.0.1:")
        with pytest.raises(OSError, match=r"(failed|refused)"):
            async with await anyio.connect_tcp("127.0.0.2", port_of(dps.admin)):
                pass


async def test_a_crowd_that_says_nothing_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The silent ones make room."""
    monkeypatch.setattr(connection_limit, "SILENT_SECONDS", 0)  # the newest stays
    async with running(admin_port=0) as dps, contextlib.AsyncExitStack() as crowd:
        assert dps.admin is not None
        for _ in range(2 * MAX_CONNECTIONS):
            silent = await anyio.connect_tcp("127.0.0.1", port_of(dps.admin))
            await crowd.enter_async_context(silent)

        async with visit(dps.admin) as client:
            assert (
                await client.ask("GET", "/api/facts", headers=headers(dps.admin))
            ).status == 200


async def test_a_certificate_of_ones_own() -> None:
    """With what stands above it; clients are told to trust the last one."""
    own = intermediate().server(["dps.example"])
    whole = replace(own, intermediates=(*own.intermediates, root().certificate))
    async with running(server_credential=whole) as dps:
        context = ssl.create_default_context(cadata=dps.ca_pem.decode())
        stream = await anyio.connect_tcp(
            dps.host, dps.https_port, ssl_context=context, tls_hostname="dps.example"
        )
        await stream.aclose()

    assert dps.ca_pem == root().certificate_pem


async def test_who_listens_everywhere_is_called_by_a_name() -> None:
    """In connection strings, for other containers; the admin port is another consent."""
    dps = Emulator(server_names=["dps"], host="0.0.0.0", beyond_loopback=True)  # noqa: S104 (not bound)

    assert dps.connection_string.startswith("HostName=dps")
    with pytest.raises(ConfigurationError) as caught:
        Emulator(admin_host="0.0.0.0")  # noqa: S104 (refused)

    assert caught.value.setting == "admin_host"

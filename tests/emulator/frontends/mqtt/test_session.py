"""What DPS answers over MQTT, packet by packet."""

from __future__ import annotations

from itertools import chain, repeat

import anyio
import pytest
from tests import certificates
from tests.emulated import SCOPE, device, running
from tests.emulator.in_memory import Emulated
from tests.protocol.mqtt_bytes import packet, text
from tests.scripted_client import REGISTER, http, mqtt, mqtt_connect, mqtt_publish, mqtt_subscribe
from tests.virtual_time import virtual_time

from aiodps.emulator.frontends.mqtt import session as mqtt_frontend

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
CONNECTED = (0x20, b"\0\0")


@pytest.mark.parametrize(
    ("connect", "code"),
    [
        pytest.param(mqtt_connect(), 0, id="accepted"),
        pytest.param(mqtt_connect("Device-1", client_id="device-1"), 0, id="any case"),
        pytest.param(
            mqtt_connect(
                user_name=f"{SCOPE}/registrations/device-1/api-version=2019-03-31&ClientVersion=a/b c"
            ),
            0,
            id="client version with a slash",
        ),
        pytest.param(mqtt_connect(clean_session=False), 0, id="no clean session"),
        pytest.param(mqtt_connect(password=""), 0, id="a password that is empty"),
        pytest.param(mqtt_connect(level=5), 1, id="mqtt 5"),
        pytest.param(packet(0x10, text("MQIsdp") + b"\x03\x02\0\x3c\0\0"), 1, id="mqtt 3.1"),
        pytest.param(mqtt_connect(client_id=""), 2, id="no client id"),
        pytest.param(mqtt_connect(user_name="device-1"), 4, id="user name of another service"),
        pytest.param(
            packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("device-1")),
            4,
            id="no user name",
        ),
        pytest.param(mqtt_connect(client_id="device-2"), 5, id="client id of another device"),
    ],
)
async def test_connack(connect: bytes, code: int) -> None:
    """Names are judged, certificates are not yet; a refusal ends the connection."""
    async with running() as dps, mqtt(dps, None, connect) as client:
        assert await client.take() == (0x20, bytes((0, code)))
        if code:
            assert await client.ended()


@pytest.mark.parametrize(
    ("name", "asked", "granted"),
    [
        ("$dps/registrations/res/#", 2, 1),
        ("$dps/registrations/res/#", 1, 1),
        ("$dps/registrations/res/#", 0, 0),
        ("$dps/#", 1, 0x80),
        ("#", 0, 0x80),
    ],
)
async def test_suback(name: str, asked: int, granted: int) -> None:
    """One filter there is, at QoS 1 at most."""
    async with (
        running() as dps,
        mqtt(dps, None, mqtt_connect(), mqtt_subscribe(name, asked)) as client,
    ):
        await client.take()

        assert await client.take() == (0x90, bytes((0, 9, granted)))


async def test_everything_is_acknowledged() -> None:
    """PUBACK before the answer, UNSUBACK, PINGRESP; a PUBACK of the client gets none."""
    unsubscribe = packet(0xA2, b"\x00\x05" + text("$dps/registrations/res/#"))
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_subscribe()) as client,
    ):
        await client.send(mqtt_publish(REGISTER, packet_id=77), unsubscribe, b"\xc0\0")
        await client.send(b"\x40\x02\x00\x01", b"\xc0\0")
        kinds = [await client.take() for _ in range(7)]

        assert [kind for kind, _ in kinds] == [0x20, 0x90, 0x40, 0x32, 0xB0, 0xD0, 0xD0]
        assert kinds[2] == (0x40, b"\x00\x4d")


async def test_answers_come_without_a_subscription() -> None:
    """`azure-iot-device` does not subscribe again after a reconnect."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_publish(REGISTER, packet_id=None)) as client,
    ):
        assert await client.take() == CONNECTED

        topic, body = await client.message()
        assert topic.startswith("$dps/registrations/res/202/?$rid=1&retry-after=")
        assert body["status"] == "assigning"


async def test_a_request_sent_again_on_another_connection_is_answered() -> None:
    """`azure-iot-device`: a session to be kept, none present, DUP, and no subscription."""
    async with running() as dps:
        connect = mqtt_connect(clean_session=False)
        async with mqtt(dps, device(), connect, mqtt_subscribe()) as client:
            assert [(await client.take())[1] for _ in range(2)] == [b"\0\0", b"\0\x09\x01"]

        again = mqtt_publish(REGISTER, packet_id=7, again=True)
        async with mqtt(dps, device(), connect, again) as client:
            assert [await client.take() for _ in range(2)] == [CONNECTED, (0x40, b"\0\x07")]

            topic, _ = await client.message()
            assert topic.startswith("$dps/registrations/res/202/?$rid=1")


async def test_a_registration_goes_on_after_a_goodbye() -> None:
    """`mosquitto_pub` leaves with the PUBACK; the outcome can be looked up later."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_publish(REGISTER), b"\xe0\0") as client,
        http(dps, device()) as other,
    ):
        assert [(await client.take())[0] for _ in range(3)] == [0x20, 0x40, 0x32]
        assert await client.ended()

        path = f"/{SCOPE}/registrations/device-1?api-version=2019-03-31"
        found = await other.ask("POST", path, b'{"registrationId": "device-1"}')
        assert (found.status, found.body["assignedHub"]) == (200, dps.hub)


async def test_an_empty_password_is_no_key() -> None:
    """A device with a certificate may send one."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(password=""), mqtt_publish(REGISTER)) as client,
    ):
        await client.take()
        await client.take()

        assert (await client.message())[1]["status"] == "assigning"


async def test_answers_are_no_better_than_the_subscription() -> None:
    """Who subscribed with QoS 0 gets QoS 0."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_subscribe(qos=0)) as client,
    ):
        await client.take()
        await client.take()
        await client.send(mqtt_publish(REGISTER, packet_id=None))

        assert (await client.take())[0] == 0x30


async def test_the_rid_comes_back_as_it_was() -> None:
    """Also when it is encoded."""
    topic = "$dps/registrations/PUT/iotdps-register/?$rid=a%2Fb%20c"
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_publish(topic, b"")) as client,
    ):
        await client.take()
        await client.take()
        answer, _ = await client.message()

        assert answer == "$dps/registrations/res/202/?$rid=a%2Fb%20c&retry-after=3"


async def test_the_service_refuses_at_register_not_at_connect() -> None:
    """As seen on the wire: CONNECT succeeds, the answer is 401."""
    stranger = certificates.self_signed()
    async with (
        running() as dps,
        mqtt(dps, stranger, mqtt_connect(), mqtt_publish(REGISTER)) as client,
    ):
        connack, _ = await client.take(), await client.take()
        topic, body = await client.message()

        assert connack == CONNECTED
        assert topic == "$dps/registrations/res/401/?$rid=1"
        assert body["errorCode"] // 1000 == 401
        assert body["trackingId"]


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param((b"\xc0\0",), id="no connect first"),
        pytest.param((b"GET / HTTP/1.1\r\n\r\n",), id="http"),
        pytest.param((mqtt_connect(), mqtt_connect()), id="two connects"),
        pytest.param((mqtt_connect(), mqtt_publish("devices/d/messages")), id="other topic"),
        pytest.param((mqtt_connect(), mqtt_publish(REGISTER[:-7])), id="no rid"),
        pytest.param((mqtt_connect(), b"\xe0\0"), id="disconnect"),
        pytest.param((mqtt_connect(), b"\x34\x05\x00\x01t\x00\x07"), id="qos 2"),
    ],
)
async def test_what_ends_a_session(packets: tuple[bytes, ...]) -> None:
    """Nothing is said but the CONNACK, if there was a CONNECT."""
    async with running() as dps, mqtt(dps, device(), *packets) as client:
        if packets[0] == mqtt_connect():
            assert await client.take() == CONNECTED

        assert await client.ended()


async def test_a_second_client_takes_the_place_of_the_first() -> None:
    """Of the same id, in any case; others are left alone."""
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect()) as first,
        mqtt(dps, device(), mqtt_connect("device-2")) as other,
    ):
        assert await first.take() == CONNECTED
        assert await other.take() == CONNECTED

        async with mqtt(dps, device(), mqtt_connect("DEVICE-1")) as second:
            assert await second.take() == CONNECTED
            assert await first.ended()

            for client in (second, other):
                await client.send(b"\xc0\0")
                assert await client.take() == (0xD0, b"")


async def test_who_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before CONNECT after some seconds, later after one and a half keep-alives."""
    async with running() as dps:
        monkeypatch.setattr(mqtt_frontend, "KEEP_ALIVE_FACTOR", 0.05)
        async with mqtt(dps, device(), mqtt_connect(keep_alive=1)) as client:
            assert await client.take() == CONNECTED
            assert await client.ended()

        monkeypatch.setattr(mqtt_frontend, "CONNECT_SECONDS", 0.05)
        async with mqtt(dps, device(), mqtt_connect()[:9]) as client:
            assert await client.ended()


@virtual_time
async def test_a_drip_is_no_sign_of_life() -> None:
    """It is packets that count, not bytes."""
    began = anyio.current_time()
    pieces = chain([mqtt_connect(keep_alive=20), b"\x32\x7f"], repeat(b"a"))
    slow = await Emulated().meet("mqtt", pieces, every=1)

    assert slow.sent == [b"\x20\x02\x00\x00"]
    assert anyio.current_time() - began == pytest.approx(1 + 30, abs=3)


async def test_no_keep_alive_means_patience() -> None:
    """Zero switches it off; there still is an end."""
    async with running() as dps, mqtt(dps, device(), mqtt_connect(keep_alive=0)) as client:
        assert await client.take() == CONNECTED
        await client.send(b"\xc0\0")

        assert await client.take() == (0xD0, b"")

    assert mqtt_frontend.LONGEST_SILENCE < 1800


async def test_the_oldest_version_always_says_200() -> None:
    """As recorded: `assigning` comes with 200 and without a time to wait."""
    user = f"{SCOPE}/registrations/device-1/api-version=2017-11-15"
    packets = (mqtt_connect(user_name=user), mqtt_publish(REGISTER))
    async with running() as dps, mqtt(dps, device(), *packets) as client:
        await client.take(), await client.take()
        topic, body = await client.message()

        assert (topic, body["status"]) == ("$dps/registrations/res/200/?$rid=1", "assigning")


async def test_a_strict_emulator_wants_a_subscription() -> None:
    """Without one the answer names the rule; with one all is well."""
    body = b'{"registrationId": "device-1"}'
    packets = (mqtt_connect(), mqtt_publish(REGISTER, body))
    more = (mqtt_subscribe(), mqtt_publish(REGISTER, body))
    async with running(strict=True) as dps, mqtt(dps, device(), *packets) as client:
        await client.take(), await client.take()
        topic, refused = await client.message()
        await client.send(*more)
        await client.take(), await client.take()
        _, accepted = await client.message()

        assert topic == "$dps/registrations/res/400/?$rid=1"
        assert "not-subscribed" in refused["message"]
        assert accepted["status"] == "assigning"

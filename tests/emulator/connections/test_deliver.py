"""Each kind of fault as a client sees it, over real sockets, on HTTPS, MQTT and WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from tests.emulated import SCOPE, device, running
from tests.emulator.in_memory import PUT, Emulated
from tests.scripted_client import (
    CLOSE,
    REGISTER,
    Answer,
    ByteConnection,
    HttpClient,
    MqttClient,
    http,
    mqtt,
    mqtt_connect,
    mqtt_over,
    mqtt_publish,
    mqtt_subscribe,
    opened,
)
from tests.virtual_time import virtual_time

from aiodps.emulator import Emulator
from aiodps.emulator.connections.deliver import damage
from aiodps.emulator.connections.delivery import Delivery, Part

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"
ENDED = (anyio.EndOfStream, anyio.BrokenResourceError)


@asynccontextmanager
async def apply_fault(*rules: str) -> AsyncIterator[Emulator]:
    """Run an emulator with rules."""
    async with running(faults="".join(f"[[rule]]\n{rule}\n" for rule in rules)) as dps:
        yield dps


async def put(client: HttpClient) -> Answer:
    """Register over HTTPS."""
    return await client.ask("PUT", PATH, b"{}")


@asynccontextmanager
async def session(dps: Emulator) -> AsyncIterator[MqttClient]:
    """Open a session of MQTT."""
    async with mqtt(dps, device(), mqtt_connect(), mqtt_subscribe()) as client:
        assert await client.take() == (0x20, b"\x00\x00")
        assert (await client.take())[0] == 0x90
        yield client


async def raw(client: HttpClient) -> bytes:
    """Register over HTTPS and take all bytes until the connection ends."""
    head = f"PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    await client.stream.send(head.encode() + b"{}")
    return await rest(client.stream)


async def rest(stream: ByteConnection) -> bytes:
    """Take all bytes until the connection ends."""
    data = b""
    try:
        while True:
            data += await stream.receive()
    except ENDED:
        return data


# Responses in place of the service's


@pytest.mark.parametrize("status", [429, 500, 503, 499])
@pytest.mark.parametrize(
    ("wait", "said"), [("", None), ("retry_after = 7", "7"), ('retry_after = "1.5"', "1.5")]
)
async def test_a_status_over_https(status: int, wait: str, said: str | None) -> None:
    """With or without a wait; the service hears nothing, and the next request is answered."""
    async with (
        apply_fault(f"first = 1\nstatus = {status}\n{wait}") as dps,
        http(dps, device()) as client,
    ):
        answer = await put(client)
        again = await put(client)

        assert (answer.status, answer.headers.get("Retry-After")) == (status, said)
        assert answer.body["errorCode"] == status * 1000
        assert again.status == 202


async def test_a_status_over_mqtt() -> None:
    """In the topic, as is the wait."""
    async with (
        apply_fault("first = 1\nstatus = 429\nretry_after = 7") as dps,
        session(dps) as client,
    ):
        await client.send(mqtt_publish(REGISTER), mqtt_publish(REGISTER))
        assert (await client.take())[0] == 0x40
        topic, body = await client.message()
        assert (await client.take())[0] == 0x40
        again, _ = await client.message()

        assert topic == "$dps/registrations/res/429/?$rid=1&retry-after=7"
        assert body["errorCode"] == 429000
        assert again.startswith("$dps/registrations/res/202/")


async def test_a_date_to_wait_for() -> None:
    """As HTTP allows it."""
    async with (
        apply_fault("status = 503\nretry_after_date = 60") as dps,
        http(dps, device()) as client,
    ):
        assert (await put(client)).headers["Retry-After"].endswith(" GMT")


async def test_a_wait_that_is_not_said() -> None:
    """Although the service always says one."""
    async with apply_fault("retry_after = false") as dps, http(dps, device()) as client:
        answer = await put(client)

        assert answer.status == 202
        assert "Retry-After" not in answer.headers


async def test_a_redirect() -> None:
    """To where the rule says."""
    async with (
        apply_fault('redirect = "https://elsewhere/"') as dps,
        http(dps, device()) as client,
    ):
        answer = await put(client)

        assert (answer.status, answer.headers["Location"]) == (307, "https://elsewhere/")


async def test_the_service_may_act_all_the_same() -> None:
    """A 500 of a register that has gone through."""
    async with apply_fault('operation = "register"\nstatus = 500\nacts = true') as dps:
        async with http(dps, device()) as client:
            assert (await put(client)).status == 500
            path = f"/{SCOPE}/registrations/device-1?api-version=2019-03-31"
            looked_up = await client.ask("POST", path, b"{}")

        assert looked_up.body["status"] == "assigned"


@pytest.mark.parametrize("outcome", ["failed", "disabled", "assigning"])
async def test_another_outcome(outcome: str) -> None:
    """Of a poll."""
    rule = f'operation = "operation status"\n{outcome} = true'
    async with apply_fault(rule) as dps, http(dps, device()) as client:
        operation = (await put(client)).body["operationId"]
        path = f"/{SCOPE}/registrations/device-1/operations/{operation}?api-version=2019-03-31"
        answers = [await client.ask("GET", path) for _ in range(3)]

        assert {answer.body["status"] for answer in answers} == {outcome}
        assert {answer.status for answer in answers} == {202 if outcome == "assigning" else 200}


async def test_unknown_members() -> None:
    """Come beside those that are known."""
    async with apply_fault('members = { future = "x" }') as dps, http(dps, device()) as client:
        answer = await put(client)

        assert answer.body["future"] == "x"
        assert answer.body["status"] == "assigning"


# Ends


@pytest.mark.parametrize(("drop", "registered"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_answer_that_is_lost_over_https(drop: str, registered: int, how: str) -> None:
    """Before: nothing reaches the service. After: it acts."""
    async with apply_fault(f'first = 1\ndrop = "{drop}"\nhow = "{how}"') as dps:
        async with http(dps, device()) as client:
            assert await raw(client) == b""

        known = dps.service.registrations.latest("device-1")
        assert (known is not None) == bool(registered)
        async with http(dps, device()) as client:
            assert (await put(client)).status == 202


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_answer_that_is_lost_over_mqtt(drop: str, how: str) -> None:
    """What the service has heard of is acknowledged."""
    rule = f'first = 1\ndrop = "{drop}"\nhow = "{how}"'
    async with apply_fault(rule) as dps, session(dps) as client:
        await client.send(mqtt_publish(REGISTER))
        data = await rest(client.stream)
        if how == "close":  # a reset may take the PUBACK with it
            assert data == (b"\x40\x02\x00\x01" if drop == "after" else b"")

        known = dps.service.registrations.latest("device-1")
        assert (known is not None) == (drop == "after")


async def test_an_answer_and_then_the_end() -> None:
    """On both fronts."""
    async with apply_fault('drop = "sent"') as dps:
        async with http(dps, device()) as web:
            assert b"202" in await raw(web)

        async with session(dps) as client:
            await client.send(mqtt_publish(REGISTER))
            await client.take()
            await client.message()
            assert await client.ended()


async def test_silence() -> None:
    """The connection stays, and nothing comes, whatever else is asked."""
    emulated = Emulated('[[rule]]\ndrop = "after"\nhow = "silence"')
    web = await emulated.hear("http", [PUT, PUT], breaks=True)
    asked = [mqtt_connect(), mqtt_publish(REGISTER), b"\xc0\x00"]
    packets = await emulated.hear("mqtt", asked, breaks=True)

    assert web == []
    assert [packet[0] for packet in packets] == [0x20, 0x40]


# Damage


@pytest.mark.parametrize("damage", ["truncate", "garbage"])
async def test_a_damaged_body(damage: str) -> None:
    """What is around it stays right, so the connection goes on."""
    async with apply_fault(f'first = 1\n{damage} = "body"') as dps:
        async with http(dps, device()) as client:
            with pytest.raises(ValueError, match=r"(decode|line 1)"):
                await put(client)

            assert (await put(client)).status == 202

        dps.faults.reset()
        async with session(dps) as listener:
            await listener.send(mqtt_publish(REGISTER), mqtt_publish(REGISTER))
            await listener.take()
            with pytest.raises(ValueError, match=r"(decode|line 1)"):
                await listener.message()

            await listener.take()
            await listener.message()


@pytest.mark.parametrize("damage", ["truncate", "garbage"])
async def test_a_damaged_message(damage: str) -> None:
    """Nobody could go on after that, so the connection ends."""
    async with apply_fault(f'{damage} = "message"') as dps:
        async with http(dps, device()) as client:
            data = await raw(client)

        assert data
        assert data.startswith(b"HTTP/1.1 202") == (damage == "truncate")
        assert not data.endswith(b"0\r\n\r\n")


async def test_a_truncated_packet() -> None:
    """Half of a PUBLISH, and the end."""
    async with apply_fault('truncate = "message"') as dps, session(dps) as client:
        await client.send(mqtt_publish(REGISTER))
        assert (await client.take())[0] == 0x40
        with pytest.raises(ENDED):
            await client.take()


async def test_noise_is_the_same_each_time() -> None:
    """For the same seed."""
    seen = []
    for _ in range(2):
        async with apply_fault('garbage = "message"') as dps, http(dps, device()) as client:
            seen.append(await raw(client))

    assert seen[0] == seen[1]


async def test_an_oversized_body() -> None:
    """On both fronts, as long as the rule says."""
    size = 300_000
    async with apply_fault(f"oversize = {size}") as dps:
        async with http(dps, device()) as client:
            assert (await put(client)).status == 202

        async with session(dps) as listener:
            await listener.send(mqtt_publish(REGISTER))
            await listener.take()
            _, packet = await listener.take()
            assert len(packet) > size


def test_an_oversized_body_is_right_but_for_its_size() -> None:
    """It is JSON, and as long as was asked for."""
    body = damage(b"{}", Delivery(oversize=100))

    assert len(body) == 100
    assert json.loads(body) == {}
    assert damage(b"{}", None) == b"{}"
    assert damage(b"{ab}", Delivery(truncate=Part.BODY)) == b"{a"


# Time


@virtual_time
async def test_a_delay() -> None:
    """The answer comes late, on both fronts; over MQTT the acknowledgement does not."""
    emulated = Emulated("[[rule]]\ndelay = 20")
    web = await emulated.meet("http", [PUT])
    line = await emulated.meet("mqtt", [mqtt_connect(), mqtt_publish(REGISTER)])

    assert web.sent_after == pytest.approx([20])
    assert line.sent_after == pytest.approx([0, 0, 20])


@virtual_time
async def test_slow_bytes() -> None:
    """So many at a time, so many seconds between."""
    emulated = Emulated("[[rule]]\ndrip = { bytes = 100, every = 5 }")
    web = await emulated.meet("http", [PUT])

    assert b"".join(web.sent).startswith(b"HTTP/1.1 202 ")
    assert {len(piece) for piece in web.sent[:-1]} == {100}
    assert web.sent_after == pytest.approx([5 * number for number in range(len(web.sent))])


async def test_slow_bytes_are_whole_in_the_end() -> None:
    """On both fronts."""
    async with apply_fault("drip = { bytes = 1, every = 0 }") as dps:
        async with http(dps, device()) as client:
            assert (await put(client)).status == 202

        async with session(dps) as listener:
            await listener.send(mqtt_publish(REGISTER))
            await listener.take()
            assert (await listener.message())[1]["status"] == "assigning"


# What only MQTT can do


async def test_duplicates() -> None:
    """Each with a packet id of its own; over HTTPS the same bytes again."""
    async with apply_fault("first = 1\nduplicate = 2") as dps:
        async with session(dps) as client:
            await client.send(mqtt_publish(REGISTER))
            await client.take()
            assert len({str(await client.message()) for _ in range(3)}) == 1

        dps.faults.reset()
        async with http(dps, device()) as web:
            first = await put(web)
            assert (await web.answer()).body == first.body
            assert (await web.answer()).body == first.body


async def test_the_acknowledgement_after_the_answer() -> None:
    """MQTT allows it, clients may not expect it."""
    async with apply_fault('reorder = "acknowledgement"') as dps, session(dps) as client:
        await client.send(mqtt_publish(REGISTER))
        await client.message()
        assert (await client.take())[0] == 0x40


async def test_answers_in_another_order() -> None:
    """The second comes before the first."""
    async with apply_fault('first = 1\nreorder = "responses"') as dps, session(dps) as client:
        second = mqtt_publish(REGISTER.replace("rid=1", "rid=2"), packet_id=None)
        await client.send(mqtt_publish(REGISTER, packet_id=None), second)
        topics = [(await client.message())[0].split("&")[0] for _ in range(2)]

        assert [topic[-1] for topic in topics] == ["2", "1"]


async def test_foreign_answers() -> None:
    """With a `$rid` that nobody asked with: before the right one, or instead of it."""
    rules = ('first = 1\nwrong_rid = "before"', 'after = 1\nwrong_rid = "instead"')
    async with apply_fault(*rules) as dps, session(dps) as client:
        ask = mqtt_publish(REGISTER, packet_id=None)
        await client.send(ask, ask)
        rids = [(await client.message())[0].split("rid=")[1].split("&")[0] for _ in range(3)]

        assert [rid == "1" for rid in rids] == [False, True, False]


async def test_an_old_answer_again() -> None:
    """Before the new one."""
    async with apply_fault("stale = true") as dps, session(dps) as client:
        second = mqtt_publish(REGISTER.replace("rid=1", "rid=2"), packet_id=None)
        await client.send(mqtt_publish(REGISTER, packet_id=None), second)
        rids = [(await client.message())[0].split("rid=")[1][0] for _ in range(3)]

        assert rids == ["1", "1", "2"]


async def test_extra_topics() -> None:
    """Messages that nobody asked for come first."""
    async with apply_fault('extra_topics = ["$dps/other", "a/b"]') as dps, session(dps) as client:
        await client.send(mqtt_publish(REGISTER, packet_id=None))
        topics = [(await client.message())[0] for _ in range(3)]

        assert topics[:2] == ["$dps/other", "a/b"]
        assert topics[2].startswith("$dps/registrations/res/202/")


@pytest.mark.parametrize("code", [1, 3, 5, 77])
async def test_a_refused_connect(code: int) -> None:
    """With any code; the connection ends."""
    rule = f'operation = "connect"\nconnack = {code}'
    async with apply_fault(rule) as dps, mqtt(dps, device(), mqtt_connect()) as client:
        assert await client.take() == (0x20, bytes((0, code)))
        assert await client.ended()


async def test_a_lost_connect() -> None:
    """No CONNACK comes; another device is not concerned."""
    rule = 'operation = "connect"\nregistration_id = "device-1"\ndrop = "before"'
    async with apply_fault(rule) as dps:
        async with mqtt(dps, device(), mqtt_connect()) as client:
            assert await client.ended()

        async with mqtt(dps, device("device-2"), mqtt_connect("device-2")) as client:
            assert await client.take() == (0x20, b"\x00\x00")


@pytest.mark.parametrize("operation", ["connect", "subscribe"])
async def test_oversized_acknowledgements(operation: str) -> None:
    """Packets that are three times too long, and more."""
    rule = f'operation = "{operation}"\noversize = 500'
    async with (
        apply_fault(rule) as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_subscribe()) as client,
    ):
        sizes = [len((await client.take())[1]) for _ in range(2)]

        assert sizes[operation == "subscribe"] == 500
        assert min(sizes) < 4


async def test_a_refused_subscribe() -> None:
    """By its return code."""
    rule = 'operation = "subscribe"\nsuback = 128'
    async with (
        apply_fault(rule) as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_subscribe()) as client,
    ):
        await client.take()
        assert (await client.take())[1][-1] == 128


async def test_management_has_faults_too() -> None:
    """Of its own."""
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d"
    rule = 'operation = "management"\nfirst = 1\nstatus = 429\nretry_after = 3'
    async with apply_fault(rule) as dps, http(dps) as client:
        ask = (
            "GET",
            f"{path}/certificates?api-version=2022-12-12",
            b"",
            [f"Authorization: Bearer {dps.bearer_token}"],
        )
        answer = await client.ask(*ask)

        assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
        assert (await client.ask(*ask)).status == 200


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_lost_answer_over_websocket(how: str) -> None:
    """The connection below ends as it would without WebSocket."""
    rule = f'transport = "mqtt-ws"\ndrop = "before"\nhow = "{how}"'
    async with apply_fault(rule) as dps, opened(dps, device()) as client:
        await client.send(mqtt_connect() + mqtt_publish(REGISTER))
        assert await client.receive() == b"\x20\x02\x00\x00"
        if how == "close":
            assert (await client.frame())[0] == CLOSE

        assert await client.ended()
        assert dps.service.registrations.latest("device-1") is None


async def test_a_status_and_copies_over_websocket() -> None:
    """In messages as all answers; other ways into the service are not concerned."""
    async with apply_fault('transport = "mqtt-ws"\nstatus = 429\nduplicate = 1') as dps:
        async with opened(dps, device()) as client:
            await client.send(mqtt_connect() + mqtt_publish(REGISTER))
            listener = mqtt_over(client)
            await listener.take()
            assert (await listener.take())[0] == 0x40
            topics = [(await listener.message())[0] for _ in range(2)]

        async with http(dps, device()) as web:
            assert (await put(web)).status == 202

    assert set(topics) == {"$dps/registrations/res/429/?$rid=1"}

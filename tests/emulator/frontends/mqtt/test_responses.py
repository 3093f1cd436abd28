"""Responses as packets, faults apart: those are tested over real sockets, with their delivery."""

from __future__ import annotations

import pytest
from tests.emulated import device, running
from tests.scripted_client import REGISTER, mqtt, mqtt_connect, mqtt_publish, mqtt_subscribe

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


async def test_packet_ids_are_not_used_twice() -> None:
    """They count up from answer to answer."""
    ask = mqtt_publish(REGISTER, packet_id=None)
    async with (
        running() as dps,
        mqtt(dps, device(), mqtt_connect(), mqtt_subscribe(), ask, ask) as client,
    ):
        await client.take()
        await client.take()
        answers = [(await client.take())[1] for _ in range(2)]

        ids = []
        for answer in answers:
            at = 2 + int.from_bytes(answer[:2])
            ids.append(int.from_bytes(answer[at : at + 2]))

        assert ids == [1, 2]

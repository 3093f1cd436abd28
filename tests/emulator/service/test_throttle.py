"""The published limits: what passes, what does not, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.emulator.administrator import Administrator
from tests.emulator.instance import NOW, ask, instance, poll, refused, register
from tests.emulator.service.registrations.test_register import DEVICE, group
from tests.emulator.tokens import KEY, derived, signed

from aiodps.emulator.protocol.messages import Identity, Operation, Transport
from aiodps.emulator.service import throttle as limits
from aiodps.emulator.service.throttle import Window

THROTTLED = (429, 429001, "Too many requests.")


def member(number: int) -> Identity:
    """Show the token of one device of many."""
    return signed(f"d-{number}", key=derived(KEY, f"d-{number}"))


def test_registrations() -> None:
    """1,000 in a minute, all devices together; the next one is told when to come again."""
    service = instance(group(), throttle=True)
    answers = [
        register(service, member(n % 9), registration_id=f"d-{n % 9}", now=NOW + n / 100)
        for n in range(1001)
    ]

    assert {answer.status_code for answer in answers[:1000]} == {202}
    assert refused(answers[1000]) == THROTTLED
    assert answers[1000].retry_after == 50
    assert register(service, DEVICE, now=NOW + 60).status_code == 202


def test_polls() -> None:
    """5 in 10 seconds, each device for itself, look-ups too, over both transports."""
    service = instance(group(), throttle=True)
    accepted = register(service, DEVICE)
    other = register(service, member(2), registration_id="d-2")
    polls = [
        poll(service, DEVICE, accepted, now=NOW + n, transport=Transport.MQTT) for n in range(4)
    ]
    looked_up = ask(service, Operation.STATUS_LOOKUP, DEVICE, now=NOW + 4)
    refusal = poll(service, DEVICE, accepted, now=NOW + 5.5)

    assert {answer.status_code for answer in (*polls, looked_up)} == {200}
    assert (refused(refusal), refusal.retry_after) == (THROTTLED, 5)
    assert poll(service, member(2), other, registration_id="d-2").status_code == 200
    assert poll(service, DEVICE, accepted, now=NOW + 10).status_code == 200


def test_registers_and_polls_are_counted_apart() -> None:
    """A device that may not poll may register."""
    service = instance(group(), throttle=True)
    accepted = register(service, DEVICE)
    last = [poll(service, DEVICE, accepted) for _ in range(6)][-1]

    assert last.status_code == 429
    assert register(service, DEVICE).status_code == 202


def test_strangers_use_up_nothing() -> None:
    """Whoever is refused anyway does not count."""
    service = instance(group(), throttle=True)
    for _ in range(1001):
        assert register(service, Identity()).status_code == 401

    assert register(service, DEVICE).status_code == 202


def test_the_service_api() -> None:
    """1,000 requests in a minute."""
    administrator = Administrator(instance(throttle=True))
    answers = [administrator.send("GET", "/enrollments/x") for _ in range(1001)]

    assert {answer.status_code for answer in answers[:1000]} == {404}
    assert answers[1000].status_code == 429
    assert int(answers[1000].headers["Retry-After"]) >= 1


def test_without_throttle() -> None:
    """Nothing is counted."""
    service = instance(group())
    accepted = register(service, DEVICE)

    assert {poll(service, DEVICE, accepted).status_code for _ in range(20)} == {200}


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    """Of too many devices, the ones that were silent for longest are forgotten."""
    throttle = limits.Throttle()
    for number in range(limits.MAX_DEVICES + 50):
        throttle.poll(str(number), now=NOW)

    assert len(throttle._polls) == limits.MAX_DEVICES
    assert "0" not in throttle._polls


def test_a_clock_that_is_turned_back() -> None:
    """Nobody is locked out for longer than the window."""
    window = Window(1, 10.0)

    assert window.wait(1000.0) == 0
    assert window.wait(1.0) == 0


@example(gaps=[10.536657755084269, 0.0], limit=1)  # now + 10 - now is a little more than 10
@given(
    gaps=st.lists(st.floats(min_value=0, max_value=5), max_size=60),
    limit=st.integers(min_value=1, max_value=5),
)
def test_the_law_of_the_window(gaps: list[float], limit: int) -> None:
    """Never more than the limit pass in any span; whoever waits as told passes."""
    window, now, passed = Window(limit, 10.0), 0.0, []
    for gap in gaps:
        now += gap
        if window.wait(now) == 0:
            passed.append(now)

    for index in range(len(passed) - limit):
        assert passed[index + limit] - passed[index] >= 10.0 - 1e-6

    left = window.wait(now)
    assert 0 <= left <= 10
    assert left == 0 or window.wait(now + left + 1e-6) == 0

"""What is tried again, and how long it waits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps import errors
from aiodps.registration.retry import RetryClass, RetryPolicy, classify, unit_jitter

service = {"status_code": 0}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (errors.ConnectError("x"), RetryClass.TRANSIENT),
        (errors.TransportTimeoutError("x"), RetryClass.TRANSIENT),
        (errors.ProxyError("x", reason="unavailable"), RetryClass.TRANSIENT),
        *(
            (errors.ProxyError("x", reason=reason), RetryClass.FINAL)
            for reason in ("authentication", "forbidden", "refused")
        ),
        (errors.ThrottledError("x", status_code=429), RetryClass.TRANSIENT),
        (errors.ServiceUnavailableError("x", status_code=503), RetryClass.TRANSIENT),
        (errors.MalformedResponseError("x", reason="json"), RetryClass.ONCE_MORE),
        (errors.MalformedResponseError("x", reason="number"), RetryClass.FINAL),
        (errors.ProtocolError("x", reason="framing"), RetryClass.ONCE_MORE),
        (errors.ProtocolError("x", reason="packet"), RetryClass.ONCE_MORE),
        *(
            (errors.ProtocolError("x", reason=reason), RetryClass.FINAL)
            for reason in ("version", "connack", "suback", "content_encoding", "direction")
        ),
        *(
            (errors.ProtocolError("x", reason=reason), RetryClass.FINAL)
            for reason in ("length", "publish", "interim")
        ),
        (errors.ResponseTooLargeError("x", reason="body"), RetryClass.FINAL),
        (errors.UntrustedHubError("x", reason="y"), RetryClass.FINAL),
        (errors.ServerIdentityError("x", reason="expired"), RetryClass.FINAL),
        (errors.ClientCertificateRejectedError("x", reason="y"), RetryClass.FINAL),
        (errors.UnauthorizedError("x", status_code=401), RetryClass.REAUTHENTICATE),
        (errors.RegistrationFailedError("x", status_code=200), RetryClass.FINAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.value,
)
def test_judge(error: errors.ProvisioningError, verdict: RetryClass) -> None:
    """Trouble of network and load passes; damage gets one more try; a refusal stays."""
    assert classify(error) is verdict


@pytest.mark.parametrize(
    ("retry_after", "minimum", "wait"),
    [(3.0, 2.0, 3.0), (0.0, 2.0, 2.0), (None, 2.0, 2.0), (0.0, 0.0, 0.0), (None, 0.0, 2.0)],
)
def test_poll_delay(retry_after: float | None, minimum: float, wait: float) -> None:
    """Retry-After is a floor, absent is not zero, and the service's own limit holds."""
    assert RetryPolicy(min_poll_interval=minimum).poll_delay(retry_after) == wait


units = st.floats(0, 1, exclude_max=True)


@given(failures=st.integers(1, 10_000), unit=units)
def test_backoff_is_full_jitter(failures: int, unit: float) -> None:
    """Without Retry-After the wait lies between nothing and a bound that doubles up to 100 s."""
    delay = RetryPolicy().retry_delay(failures, retry_after=None, unit_jitter=unit, polling=False)

    assert 0 <= delay <= min(100.0, 2.0 ** min(failures - 1, 60))


@given(retry_after=st.floats(0, 1e6), unit=units, polling=st.booleans())
def test_retry_after_is_a_floor(retry_after: float, unit: float, polling: bool) -> None:
    """With Retry-After the wait is never shorter, and at most a fifth or 5 s longer."""
    delay = RetryPolicy().retry_delay(
        1, retry_after=retry_after, unit_jitter=unit, polling=polling
    )
    least = max(retry_after, 2.0 if polling else 1.0)

    assert least <= delay <= max(least, least + min(0.2 * least, 5.0))


def test_polls_keep_their_interval_when_retried() -> None:
    """A retried poll, too, waits as long as polls have to."""
    delay = RetryPolicy().retry_delay(1, retry_after=None, unit_jitter=0.0, polling=True)

    assert delay == 2.0


@pytest.mark.parametrize(
    "bad",
    [
        {"max_failures": 0},
        {"max_failures": 1.5},
        {"max_failures": True},
        {"base": 200.0},
        {"spread": -0.1},
        {"base": math.nan},
        {"cap": math.inf},
        {"poll_interval": "2"},
        {"min_poll_interval": False},
    ],
    ids=str,
)
def test_bad_policies(bad: dict[str, object]) -> None:
    """C10: a policy that would spin or never try is refused by name."""
    with pytest.raises(errors.ConfigurationError) as caught:
        RetryPolicy(**bad)  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting.startswith("retry.")


def test_jitter_can_be_replayed() -> None:
    """Jitter depends on its arguments only, and differs with each of them."""
    first = unit_jitter(1, "dev-1", 1)
    others = {unit_jitter(2, "dev-1", 1), unit_jitter(1, "dev-2", 1), unit_jitter(1, "dev-1", 2)}

    assert first == unit_jitter(1, "dev-1", 1)
    assert len({first, *others}) == 4


def test_jitter_is_spread() -> None:
    """A thousand devices spread evenly over the interval."""
    values = [unit_jitter(7, f"dev-{index}", 1) for index in range(1000)]

    assert all(0 <= value < 1 for value in values)
    assert 0.45 < sum(values) / 1000 < 0.55

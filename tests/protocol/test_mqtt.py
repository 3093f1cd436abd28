"""User name, topics and payloads of DPS over MQTT, and what refusals mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import (
    BadRequestError,
    ConfigurationError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    ServiceError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from aiodps.protocol.limits import MAX_TOPIC_BYTES, MAX_TOPIC_PARAMETERS
from aiodps.protocol.messages import LookUpStatus, QueryStatus, Register
from aiodps.protocol.mqtt import (
    ResponseTopic,
    Unrelated,
    check_connack,
    check_suback,
    parse_response_topic,
    publication,
    user_name,
)
from aiodps.protocol.mqtt_packets import Connack, Suback


def test_user_name() -> None:
    """Ids stand as they are; the query's values are percent-encoded (seen from Azure's SDKs)."""
    name = user_name(
        id_scope="0ne00012ABC",
        registration_id="dev:1",
        api_version="2019-03-31",
        client_version="aiodps/0.1 (x; y)",
    )

    assert name == (
        "0ne00012ABC/registrations/dev:1/api-version=2019-03-31"
        "&ClientVersion=aiodps%2F0.1%20%28x%3B%20y%29"
    )


def test_register_publication() -> None:
    """A register goes to the PUT topic, with the registration id and the custom payload."""
    message = publication(Register({"a": 1}), registration_id="dev1", request_id="r1")

    assert message.topic == "$dps/registrations/PUT/iotdps-register/?$rid=r1"
    assert json.loads(message.payload) == {"registrationId": "dev1", "payload": {"a": 1}}


def test_a_register_publication_with_a_certificate_request() -> None:
    """As Microsoft's clients send it: a member beside the payload."""
    message = publication(Register(None, "MIIB"), registration_id="dev1", request_id="r1")

    assert message.payload == b'{"registrationId": "dev1", "csr": "MIIB"}'


def test_status_publication() -> None:
    """A status query goes to the GET topic, its operation id encoded, with nothing in it."""
    message = publication(QueryStatus("5.a=b&c"), registration_id="dev1", request_id="a2")

    assert message.topic == (
        "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=a2&operationId=5.a%3Db%26c"
    )
    assert message.payload == b""


def test_there_is_no_look_up() -> None:
    """Microsoft Learn, "Communicate with DPS using the MQTT protocol", has no topic for it."""
    with pytest.raises(ConfigurationError, match="no look-up") as caught:
        publication(LookUpStatus(), registration_id="dev1", request_id="r")

    assert (caught.value.setting, caught.value.hint) == ("transport", "use transport='rest'")


RES = "$dps/registrations/res/"


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        pytest.param(f"{RES}200/?$rid=r1", ResponseTopic("r1", 200, None), id="plain"),
        pytest.param(
            f"{RES}202/?$rid=r1&retry-after=3", ResponseTopic("r1", 202, 3.0), id="retry-after"
        ),
        pytest.param(
            f"{RES}429/?retry-after=0&$rid=r1", ResponseTopic("r1", 429, 0.0), id="other-order"
        ),
        pytest.param(f"{RES}202/?$rid=r1&retry-after", ResponseTopic("r1", 202, None), id="M31"),
        pytest.param(
            f"{RES}202/?$rid=r1&retry-after=1.5", ResponseTopic("r1", 202, None), id="fraction"
        ),
        pytest.param(
            f"{RES}202/?$rid=r1&retry-after=-1", ResponseTopic("r1", 202, None), id="negative"
        ),
        pytest.param(
            f"{RES}202/?$rid=r1&retry-after=٣", ResponseTopic("r1", 202, None), id="arabic"
        ),
        pytest.param(
            f"{RES}202/?$rid=r1&retry-after=" + "9" * 10, ResponseTopic("r1", 202, None), id="ages"
        ),
        pytest.param(f"{RES}200/?$rid=a=b", ResponseTopic("a=b", 200, None), id="M33"),
        pytest.param(
            f"{RES}200/?$rid=a%3D%c3%a9+b", ResponseTopic("a=é+b", 200, None), id="escapes"
        ),
        pytest.param(f"{RES}200/?$rid=r1&new=thing&", ResponseTopic("r1", 200, None), id="more"),
        pytest.param(f"{RES}200/?$rid=", ResponseTopic("", 200, None), id="empty-rid"),
    ],
)
def test_answers(topic: str, answer: ResponseTopic) -> None:
    """What an answer's topic says is read; what is not needed may be unreadable."""
    assert parse_response_topic(topic) == answer


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("devices/dev1/messages", id="M22"),
        pytest.param(f"{RES}200/?", id="M26-empty"),
        pytest.param(f"{RES}200/?retry-after=3", id="M26"),
        pytest.param(f"{RES}200/", id="M27"),
        pytest.param(RES, id="M28"),
        pytest.param(f"xx{RES}200/?$rid=r1", id="M34"),
        pytest.param(f"{RES}200/more/?$rid=r1", id="more-path"),
        pytest.param(f"{RES}200?$rid=r1", id="no-slash"),
        pytest.param(f"{RES}200/x?$rid=r1", id="text-after-slash"),
        pytest.param("$dps/registrations/RES/200/?$rid=r1", id="case"),
        pytest.param(f"{RES}abc/?retry-after=3", id="bad-status-without-rid"),
    ],
)
def test_not_for_us(topic: str) -> None:
    """A message that cannot be an answer to a request of ours is left alone."""
    result = parse_response_topic(topic)

    assert isinstance(result, Unrelated)
    assert result.reason


@pytest.mark.parametrize("status", ["abc", "0", "099", "99", "1000", "٢٠٠", "20", "+20", " 200"])
def test_bad_status(status: str) -> None:
    """M29: an answer's status is a number of three digits, nothing else."""
    with pytest.raises(MalformedResponseError) as caught:
        parse_response_topic(f"{RES}{status}/?$rid=r1")

    assert caught.value.reason == "status"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("$rid", id="M30"),
        pytest.param("$rid&$rid=r1", id="M30-and-once-more"),
        pytest.param("$rid=r1&$rid=r2", id="M32"),
        pytest.param("$rid=r1&retry-after=1&retry-after=2", id="retry-after-twice"),
        pytest.param("$rid=%ff", id="M35-not-utf8"),
        pytest.param("$rid=%", id="M35-cut"),
        pytest.param("$rid=r1&x=%zz", id="M35-elsewhere"),
    ],
)
def test_malformed_topics(query: str) -> None:
    """An answer whose topic cannot be read for sure is refused, not guessed at."""
    with pytest.raises(MalformedResponseError) as caught:
        parse_response_topic(f"{RES}200/?{query}")

    assert caught.value.reason == "topic"


def topic_of(size: int) -> str:
    """Build an answer's topic of so many bytes."""
    start = f"{RES}200/?$rid="
    return start + "r" * (size - len(start))


def test_topic_at_its_limits() -> None:
    """M36: topics up to the limits are read."""
    more = "&".join(f"p{n}=" for n in range(MAX_TOPIC_PARAMETERS - 1))

    assert isinstance(parse_response_topic(topic_of(MAX_TOPIC_BYTES)), ResponseTopic)
    assert isinstance(parse_response_topic(f"{RES}200/?$rid=r1&{more}"), ResponseTopic)


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(topic_of(MAX_TOPIC_BYTES + 1), id="bytes"),
        pytest.param("x" * (MAX_TOPIC_BYTES - 1) + "é", id="bytes-not-characters"),
        pytest.param(
            f"{RES}200/?$rid=r1" + "".join(f"&p{n}=" for n in range(MAX_TOPIC_PARAMETERS)),
            id="parameters",
        ),
    ],
)
def test_topic_over_its_limits(topic: str) -> None:
    """M36: one byte or one parameter more is refused."""
    with pytest.raises(ResponseTooLargeError) as caught:
        parse_response_topic(topic)

    assert caught.value.reason == "topic"


@given(st.text() | st.text().map(f"{RES}200/?$rid=".__add__))
def test_parser_is_total(topic: str) -> None:
    """Whatever the topic, it is read, left alone, or refused by name."""
    try:
        result = parse_response_topic(topic)
    except ProtocolError as error:
        result = None
        assert error.reason in {"topic", "status"}  # noqa: PT017 (one outcome of three)

    assert result is None or isinstance(result, ResponseTopic | Unrelated)


def test_request_id_comes_back() -> None:
    """A `$rid` that is echoed as it was written is recognised."""
    request_id = "0123456789abcdef"
    topic = publication(Register(), registration_id="dev1", request_id=request_id).topic
    echoed = topic.partition("?")[2]

    assert parse_response_topic(f"{RES}200/?{echoed}") == ResponseTopic(request_id, 200, None)


@pytest.mark.parametrize(
    ("code", "kind", "detail"),
    [
        pytest.param(1, ProtocolError, "version", id="M03"),
        pytest.param(2, BadRequestError, 400, id="M04"),
        pytest.param(3, ServiceUnavailableError, 503, id="M05"),
        pytest.param(4, UnauthorizedError, 401, id="M06"),
        pytest.param(5, UnauthorizedError, 401, id="M07"),
        pytest.param(6, ProtocolError, "connack", id="M08"),
        pytest.param(255, ProtocolError, "connack", id="M08-last"),
    ],
)
def test_refused_sessions(code: int, kind: type[ProvisioningError], detail: object) -> None:
    """Each CONNACK code is told as what it means."""
    with pytest.raises(kind) as caught:
        check_connack(Connack(session_present=False, code=code))

    error = caught.value
    told = error.status_code if isinstance(error, ServiceError) else getattr(error, "reason")
    assert told == detail
    assert str(code) in error.message


def test_kept_session() -> None:
    """M09: a session that was kept although a clean one was asked for is not ours."""
    with pytest.raises(ProtocolError) as caught:
        check_connack(Connack(session_present=True, code=0))

    assert caught.value.reason == "connack"


def test_accepted() -> None:
    """CONNACK 0 and a subscription at QoS 0 or 1 are good."""
    check_connack(Connack(session_present=False, code=0))
    check_suback(Suback(1, 0))
    check_suback(Suback(1, 1))


@pytest.mark.parametrize("code", [0x80, 2, 3, 0xFF])
def test_refused_subscription(code: int) -> None:
    """M15: without the subscription no answer could ever come."""
    with pytest.raises(ProtocolError) as caught:
        check_suback(Suback(1, code))

    assert caught.value.reason == "suback"

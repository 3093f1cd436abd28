"""Who may administer."""

from __future__ import annotations

import random
from urllib.parse import quote

import pytest
from tests.emulator.administrator import HOST, token
from tests.emulator.instance import NOW
from tests.emulator.tokens import signature

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy, Right
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.messages import ManagementRequest
from aiodps.errors import ConfigurationError

OWNERS = AccessPolicy.create(OWNER)
READER = AccessPolicy.create("reader", rights=[Right.ENROLLMENT_READ])
ACCESS = Access([OWNERS, READER])


def check(
    authorization: str | None, right: Right = Right.ENROLLMENT_READ, host: str = f"{HOST}:8443"
) -> None:
    """Ask for a right with a token."""
    headers = {"host": host} | ({} if authorization is None else {"authorization": authorization})
    request = ManagementRequest(method="GET", path="/enrollments/a", query={}, headers=headers)
    ACCESS.check(request, right, now=NOW)


@pytest.mark.parametrize(
    "resource",
    [
        HOST,
        HOST.upper(),
        f"{HOST}:8443",
        quote(f"{HOST}:8443", safe=""),
        quote(f"{HOST}:8443", safe="").lower(),
        quote(f"https://{HOST}:8443/", safe=""),
        f"https://{HOST}",
        f"{HOST}/enrollments",
    ],
)
def test_what_a_token_may_be_for(resource: str) -> None:
    """Host, host and port, or URL, in any casing, escaped or not: each is a client's."""
    check(token(OWNERS, resource=resource))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8443", "[::1]:8443", "LocalHost:1"])
def test_the_host_is_the_one_that_was_asked(host: str) -> None:
    """Whatever the caller knows the instance by."""
    check(token(OWNERS, resource=quote(host, safe="")), host=host)


@pytest.mark.parametrize("name", [None, "PROVISIONINGSERVICEOWNER"])
@pytest.mark.parametrize("right", sorted(set(Right) - {Right.DEVICE_CONNECT}))
def test_the_owner_may_do_everything(right: Right, name: str | None) -> None:
    """Under its name in any casing."""
    check(token(OWNERS, name=name), right)


def test_either_key_will_do() -> None:
    """So that one can be changed after the other."""
    expiry = int(NOW + 60)
    sig = quote(signature(OWNERS.secondary_key, HOST, expiry), safe="")
    check(f"SharedAccessSignature se={expiry}&skn={OWNER}&sr={HOST}&sig={sig}")


@pytest.mark.parametrize(
    "key", [OWNERS.primary_key, OWNERS.secondary_key], ids=["primary", "secondary"]
)
def test_the_owners_key_is_a_bearer_token(key: str) -> None:
    """Entra ID is not on this machine; who knows the key may do everything anyway."""
    check(f"Bearer {key}", Right.ENROLLMENT_WRITE)
    check(f"bearer  {key}", Right.ENROLLMENT_WRITE)


@pytest.mark.parametrize(
    "token",
    ["x", "eyJ0", READER.primary_key, OWNERS.primary_key[:-1], "é"],
    ids=["any", "jwt", "reader", "cut", "not-ascii"],
)
def test_a_made_up_bearer_token_has_no_right(token: str) -> None:
    """Nor has the key of a policy with fewer rights."""
    with pytest.raises(Refusal) as refused:
        check(f"Bearer {token}", Right.ENROLLMENT_READ)

    assert token not in f"{refused.value.why} {refused.value.message}"


def test_a_policy_has_its_rights_alone() -> None:
    """Others are refused."""
    check(token(READER), Right.ENROLLMENT_READ)
    with pytest.raises(Refusal) as refused:
        check(token(READER), Right.ENROLLMENT_WRITE)

    assert refused.value.why == "reader lacks the right EnrollmentWrite"


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "not a shared access signature: it does not begin with SharedAccessSignature"),
        ("Bearer ", "not a shared access signature: it does not begin with SharedAccessSignature"),
        ("SharedAccessSignature sr=a", "not a shared access signature: it has no sig and no se"),
        (token(OWNERS, resource="elsewhere"), "the signature is for 'elsewhere'"),
        (token(OWNERS, resource="https://[a"), "the signature is for 'https://[a'"),
        (token(OWNERS, lasts=-90), "the signature expired 90 s ago"),
        (token(OWNERS, name=""), "there is no policy ''"),
        (token(OWNERS, name="nobody"), "there is no policy 'nobody'"),
        (token(OWNERS, name="reader"), "the signature is not by a key of reader"),
        (token(AccessPolicy.create(OWNER)), f"the signature is not by a key of {OWNER}"),
    ],
    ids=(
        "none",
        "scheme",
        "parts",
        "host",
        "url",
        "expired",
        "no-name",
        "name",
        "key",
        "other-key",
    ),
)
def test_who_is_refused(authorization: str | None, why: str) -> None:
    """401 in the service's word; why is told to those who run the emulator, without secrets."""
    with pytest.raises(Refusal) as refused:
        check(authorization)

    assert (refused.value.message, refused.value.code) == ("Unauthorized", 401002)
    said = refused.value.why or ""
    assert said.startswith(why.removesuffix("90 s ago"))
    assert OWNERS.primary_key not in said


def test_keys_are_made_or_given() -> None:
    """Two of 64 bytes, and never shown."""
    given = AccessPolicy.create("a", key="c2VjcmV0LXNlY3JldA==")
    rng = random.Random(1)  # noqa: S311 (no secrets here)
    made = AccessPolicy.create("a", rng=rng)

    assert given.primary_key == "c2VjcmV0LXNlY3JldA=="
    assert len({made.primary_key, made.secondary_key, given.secondary_key}) == 3
    assert all(key not in repr(made) for key in (made.primary_key, made.secondary_key))


@pytest.mark.parametrize("key", ["", "a b", "é"])
def test_a_key_is_base64(key: str) -> None:
    """Anything else is said at once, without showing it."""
    with pytest.raises(ConfigurationError) as wrong:
        AccessPolicy.create("a", key=key)

    assert wrong.value.message == "the key of the service API is not base64"


@pytest.mark.parametrize(
    ("host", "port", "place"),
    [
        ("localhost", 443, "localhost"),
        ("localhost", 8443, "localhost:8443"),
        ("::1", 8443, "[::1]:8443"),
    ],
)
def test_connection_strings(host: str, port: int, place: str) -> None:
    """As the portal shows them, with a port where it is not the usual one."""
    policy = AccessPolicy.create(OWNER, key="QUJD")

    assert policy.connection_string(host, port) == (
        f"HostName={place};SharedAccessKeyName={OWNER};SharedAccessKey=QUJD"
    )


def test_policies_as_people_write_them() -> None:
    """Rights in any casing; keys are made."""
    policy = AccessPolicy.parse(" read =EnrollmentRead, registrationstatusread")

    assert policy.name == "read"
    assert policy.rights == {Right.ENROLLMENT_READ, Right.REGISTRATION_READ}
    assert policy.primary_key != AccessPolicy.parse("read=EnrollmentRead").primary_key


@pytest.mark.parametrize("text", ["", "read", "read=", "=EnrollmentRead", "read=Everything"])
def test_what_is_no_policy(text: str) -> None:
    """Said with a list of the rights."""
    with pytest.raises(ConfigurationError) as wrong:
        AccessPolicy.parse(text)

    assert "EnrollmentRead, EnrollmentWrite" in wrong.value.hint


def test_a_name_is_one_policys() -> None:
    """Nobody takes the owner's place."""
    with pytest.raises(ConfigurationError, match="two shared access policies"):
        Access([OWNERS, AccessPolicy.create(OWNER.upper())])


def test_a_connection_string_for_each_policy() -> None:
    """By name."""
    strings = Access([OWNERS, AccessPolicy.parse("read=EnrollmentRead")]).connection_strings(
        "h", 1
    )

    assert strings.keys() == {OWNER, "read"}
    assert strings[OWNER] == OWNERS.connection_string("h", 1)


def test_policies_are_listed_owner_first() -> None:
    """And found in any casing."""
    assert ACCESS.policies == (OWNERS, READER)
    assert ACCESS.policy("READER") is READER
    assert ACCESS.policy("nobody") is None

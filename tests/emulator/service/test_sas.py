"""Shared access signatures: read in every dialect, verified over what was written."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.emulator.instance import NOW, SCOPE
from tests.emulator.tokens import DIALECTS, KEY, OTHER_KEY, signature, token

from aiodps.emulator.service.sas import (
    CLOCK_SKEW,
    SasError,
    SharedAccessSignature,
    decode_key,
    derive_key,
)

RAW_KEY = base64.b64decode(KEY)
ARTICLE_KEY = decode_key(
    "18RQk/hOPJR9EbsJlk2j8WA6vWaj/yi+oaYg7zmxfQNdOyMSu+SJ8O7TSlZhDJCYmn4rzEiVKIzNiVAWjLxrGA=="
)


def test_the_derived_key_of_the_article() -> None:
    """Source: Microsoft Learn, "Symmetric key attestation with DPS", group enrollments."""
    group = decode_key(
        "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="
    )
    key = derive_key(group, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6")

    assert base64.b64encode(key) == b"Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc="


@pytest.mark.parametrize(
    ("resource", "expiry", "sig"),
    [
        (
            "MyExampleHub.azure-devices.net%2Fdevices%2Fmy-symkey-device",
            1663119026,
            "f+wW8XOKeJOtiPc9Iwjc4OpExvPM7NlhM9qxN2a1aAM=",
        ),
        (
            "0ne00111111%2Fregistrations%2Fmy-symkey-device",
            1663952627,
            "8VPprb8BiTkuVE0hBqHm/SVrzVpdD8VZcXugntdbhuU=",
        ),
        (
            "0ne00111111%2fregistrations%2fmy-symkey-device",
            1663952627,
            "6GqlY2Tr8xDlSYE04oQcdEH7vznSt2LcTUobz9BmpAY=",
        ),
        (
            "0ne00111111/registrations/my-symkey-device",
            1663952627,
            "nywv584Rsikp8eagkd4XnrDkLPXMGakB0DWzqcS0hPQ=",
        ),
    ],
    ids=["hub, of the article", "upper-case hex", "lower-case hex", "not escaped"],
)
def test_known_signatures(resource: str, expiry: int, sig: str) -> None:
    """The first is printed in Microsoft Learn, "Control access to IoT Hub"; all are OpenSSL's."""
    read = SharedAccessSignature.read(
        f"SharedAccessSignature sr={resource}&sig={quote(sig, safe='')}&se={expiry}"
    )

    assert read.is_signed_with([ARTICLE_KEY])
    assert read.expiry == expiry


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects(dialect: str) -> None:
    """However a client writes it, the token is for its registration and by its key."""
    read = SharedAccessSignature.read(token("Device:1", dialect=dialect))

    assert read.is_for(f"{SCOPE}/registrations/device:1")
    assert read.is_signed_with([decode_key(OTHER_KEY), RAW_KEY])
    assert not read.is_signed_with([decode_key(OTHER_KEY)])
    assert read.policy in {None, "", "registration"}


def test_expiry() -> None:
    """A token lives a little longer than it says, for clocks differ."""
    read = SharedAccessSignature.read(token(expiry=NOW))

    assert not read.is_expired(read.expiry + CLOCK_SKEW)
    assert read.is_expired(read.expiry + CLOCK_SKEW + 1)


def test_the_end_is_signed_as_written() -> None:
    """Even with zeros in front."""
    sig = quote(signature(KEY, "a", "007"), safe="")
    read = SharedAccessSignature.read(f"SharedAccessSignature sr=a&sig={sig}&se=007")

    assert read.is_signed_with([RAW_KEY])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer abc",
        "SharedAccessSignature",
        "SharedAccessSignature sr=a&sig=AAAA",
        "SharedAccessSignature sr=a&se=1",
        "SharedAccessSignature sig=AAAA&se=1",
        "SharedAccessSignature sr=&sig=AAAA&se=1",
        "SharedAccessSignature sr=a&sig=AAA&se=1",
        "SharedAccessSignature sr=a&sig=%ff&se=1",
        "SharedAccessSignature sr=a&sig=AAAA&se=-1",
        "SharedAccessSignature sr=a&sig=AAAA&se=1.5",
        "SharedAccessSignature sr=a&sig=AAAA&se=\N{SUPERSCRIPT TWO}",
        "SharedAccessSignature sr=a&sig=AAAA&se=" + "9" * 5000,
        "SharedAccessSignature sr=a&sig=AAAA&se=1&se=2",
    ],
    ids=lambda text: ascii(text)[:60],
)
def test_no_tokens(text: str) -> None:
    """What is no token is said to be none."""
    with pytest.raises(SasError):
        SharedAccessSignature.read(text)


@given(text=st.text(max_size=200))
@example(text="SharedAccessSignature sr=\ud800&sig=AAAA&se=1")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else ever happens, and the message never holds the text."""
    for each in (
        text,
        f"SharedAccessSignature {text}",
        f"SharedAccessSignature sr={text}&sig=&se=1",
    ):
        try:
            read = SharedAccessSignature.read(each)
        except SasError:
            continue

        assert not read.is_signed_with([RAW_KEY])


@given(
    key=st.binary(min_size=16, max_size=64),
    other=st.binary(min_size=16, max_size=64),
    name=st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True),
    dialect=st.sampled_from(sorted(DIALECTS)),
)
def test_only_the_key_signs(key: bytes, other: bytes, name: str, dialect: str) -> None:
    """A signature is good for the key that made it and for no other."""
    text = token(name, key=base64.b64encode(key).decode(), dialect=dialect)
    read = SharedAccessSignature.read(text)

    assert read.is_signed_with([key])
    # HMAC pads keys with zeros: those are the same key.
    assert read.is_signed_with([other]) == (key.rstrip(b"\0") == other.rstrip(b"\0"))


def test_no_secret_in_the_repr() -> None:
    """A signature is as good as a password for as long as it lasts."""
    read = SharedAccessSignature.read(token())

    assert repr(read.signature) not in repr(read)
    assert "sig" not in repr(read)

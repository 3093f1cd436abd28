"""Tokens and keys of other people's making, which both sides have to agree with.

Sources: Microsoft Learn, "Symmetric key attestation with DPS" and "Control access to IoT Hub"; the
tests of Microsoft's Azure IoT SDK for C 1.0.0; the rest is OpenSSL's.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple

ARTICLE_KEY: Final = (
    "18RQk/hOPJR9EbsJlk2j8WA6vWaj/yi+oaYg7zmxfQNdOyMSu+SJ8O7TSlZhDJCYmn4rzEiVKIzNiVAWjLxrGA=="
)
C_KEY: Final = base64.b64encode(bytes(range(32))).decode()
C_SECONDARY_KEY: Final = base64.b64encode(bytes(range(32, 64))).decode()
C_GROUP_KEY: Final = base64.b64encode(bytes(range(64))).decode()
C_DERIVED_KEY: Final = "s5o47KaZCZrDal4Vkht+L7zOZU87BuBJ28rt3mJ6Gsc="


class Derived(NamedTuple):
    """A device's key, and what it is derived from."""

    group_key: str
    registration_id: str
    key: str


class Signed(NamedTuple):
    """A signature, and what it is over."""

    key: str
    resource: str
    expiry: int
    signature: str


DERIVED: Final = {
    "article": Derived(
        "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==",
        "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
        "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=",
    ),
    "C": Derived(C_GROUP_KEY, "ut-device", C_DERIVED_KEY),
}
SIGNED: Final = {
    "article, hub": Signed(
        ARTICLE_KEY,
        "MyExampleHub.azure-devices.net%2Fdevices%2Fmy-symkey-device",
        1663119026,
        "f+wW8XOKeJOtiPc9Iwjc4OpExvPM7NlhM9qxN2a1aAM=",
    ),
    "upper-case hex": Signed(
        ARTICLE_KEY,
        "0ne00111111%2Fregistrations%2Fmy-symkey-device",
        1663952627,
        "8VPprb8BiTkuVE0hBqHm/SVrzVpdD8VZcXugntdbhuU=",
    ),
    "lower-case hex": Signed(
        ARTICLE_KEY,
        "0ne00111111%2fregistrations%2fmy-symkey-device",
        1663952627,
        "6GqlY2Tr8xDlSYE04oQcdEH7vznSt2LcTUobz9BmpAY=",
    ),
    "not escaped": Signed(
        ARTICLE_KEY,
        "0ne00111111/registrations/my-symkey-device",
        1663952627,
        "nywv584Rsikp8eagkd4XnrDkLPXMGakB0DWzqcS0hPQ=",
    ),
    "C": Signed(
        C_KEY,
        "0ne00000001%2fregistrations%2fut-device",
        1700003600,
        "nfgjIUfmDHBv8oCGcLAcWu2fieJcGyogj/8V3iBMPHo=",
    ),
    "C, derived": Signed(
        C_DERIVED_KEY,
        "0ne00000001%2fregistrations%2fut-device",
        1700000600,
        "9nM2SzDCAOl/zsYjmXT/u5JwUmodICuLzA2jNfMfHAg=",
    ),
    "C, hub": Signed(
        C_KEY,
        "broker.example%2Fdevices%2Fut-device",
        1700003600,
        "gqgacRa/NHRRK0/Cjw6CUls+kHtn3nhT2hrASNZQan0=",
    ),
    "C, secondary": Signed(
        C_SECONDARY_KEY,
        "broker.example%2Fdevices%2Fut-device",
        1700003600,
        "JwI0ymoXeU8O0yUvGj3xw7NZqlr+wLYi/zyXWeQOgVA=",
    ),
    "C, odd id": Signed(
        C_KEY,
        "broker.example%2Fdevices%2Fd%40v%201%2Fx",
        1700003600,
        "tcKOOmzVO8ju8u3XMjhaYBAcaJFUnYwOhPtV5soYaiY=",
    ),
}

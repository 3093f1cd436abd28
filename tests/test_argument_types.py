"""Whatever is given for whichever public argument: an error of ours, or it is taken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import certify

import aiodps
from aiodps.argument_types import check_callable, check_type
from aiodps.errors import ConfigurationError

WRONG: dict[str, object] = {
    "none": None,
    "number": 5,
    "fraction": 1.5,
    "nan": float("nan"),
    "huge": 10**400,
    "true": True,
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "object": object(),
    "list": [],
    "texts": ["x"],
    "dict": {},
    "empty": "",
    "text": "x",
    "nul": "\0",
    "long": "x" * 5000,
    "class": int,
    "factory-class": aiodps.MQTT,
    "function": lambda: None,
    "path": Path("/nowhere"),
}
DEVICE = certify("device-1")
HELD = {"certificate": DEVICE.chain_pem, "private_key": DEVICE.private_key_pem}
KEY = "A" * 43 + "="
SETTINGS: dict[str, Any] = {"id_scope": "0ne1", "transport": "rest", "endpoint": "nowhere"}
OURS = (aiodps.ConfigurationError, aiodps.CredentialError)
X509 = aiodps.X509
PUBLIC: dict[str, tuple[Callable[..., object], dict[str, Any], list[str]]] = {
    "ProvisioningClient": (
        aiodps.ProvisioningClient,
        SETTINGS,
        ["retry", "seed", "config", *aiodps.SettingsArguments.__annotations__],
    ),
    "from_settings": (
        aiodps.ProvisioningClient.from_settings,
        {"settings": aiodps.Settings(**SETTINGS)},
        ["settings", "retry", "seed"],
    ),
    "Settings.replace": (
        aiodps.Settings().replace,
        {},
        list(aiodps.SettingsArguments.__annotations__),
    ),
    "REST": (aiodps.REST, {}, ["port", "api_version", "http_transport"]),
    "MQTT": (aiodps.MQTT, {}, ["port", "api_version", "keep_alive"]),
    "RetryPolicy": (aiodps.RetryPolicy, {}, list(aiodps.RetryPolicy.__dataclass_fields__)),
    "Trust.of": (aiodps.Trust.of, {}, ["value"]),
    "from_bytes": (X509.from_bytes, HELD, ["certificate", "private_key", "password"]),
    "from_files": (
        X509.from_files,
        {"certificate": "/nowhere"},
        ["certificate", "private_key", "password"],
    ),
    "from_pkcs12": (X509.from_pkcs12, {"source": b"0x"}, ["source", "password"]),
    "from_context": (X509.from_context, {}, ["context"]),
    "SymmetricKey": (
        aiodps.SymmetricKey,
        {"registration_id": "d", "key": KEY},
        ["registration_id", "key"],
    ),
    "SymmetricKey-sign": (aiodps.SymmetricKey, {"registration_id": "d"}, ["sign"]),
    "derive": (
        aiodps.SymmetricKey.derive,
        {"registration_id": "d", "group_key": KEY},
        ["registration_id", "group_key"],
    ),
}


@pytest.mark.parametrize(("function", "good", "names"), PUBLIC.values(), ids=PUBLIC)
def test_a_wrong_type_is_told(
    function: Callable[..., object], good: dict[str, Any], names: list[str]
) -> None:
    """`except ProvisioningError` misses nothing."""
    for name in names:
        for value in WRONG.values():
            with contextlib.suppress(*OURS):
                function(**{**good, name: value})


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_wrong_argument_of_a_registration() -> None:
    """It is told before anything is sent; what is empty is not none."""
    client = aiodps.ProvisioningClient.from_settings(aiodps.Settings(**SETTINGS))
    # What is taken is stopped by the last check before anything is sent.
    good: dict[str, Any] = {"attestation": X509.from_bytes(**HELD), "operation_id": "a/b"}
    for name in ("attestation", "registration_id", "payload", "on_step", "operation_id"):
        for what, value in WRONG.items():
            if (name, what) not in TAKEN:
                with pytest.raises(OURS) as caught:
                    await client.provision(**{**good, name: value})

                assert getattr(caught.value, "setting", name) in {name, "operation_id"}


TAKEN = {("operation_id", "none"), ("operation_id", "text")}


def test_the_checks_never_show_a_value() -> None:
    """It may be a key that is given in the wrong place."""
    with pytest.raises(ConfigurationError) as one:
        check_type("secret", int | None, "seed")

    with pytest.raises(ConfigurationError) as other:
        check_callable("secret", "sign")

    assert "secret" not in f"{one.value} {other.value}"


def test_the_hint_names_the_types_as_they_are_imported() -> None:
    """Without the modules that they come from."""
    with pytest.raises(ConfigurationError) as caught:
        check_type("folder", aiodps.AssignmentCache | None, "cache")

    assert caught.value.hint == "give a value of type AssignmentCache | None"
